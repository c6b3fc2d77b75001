/** By what a flow was allowed before a change of the table ended it. */
import type { Direction, Judge, Protocol, Verdict } from '../../policy/index.ts';

/** The verdict of the table before, and that table's revision. */
export interface FormerVerdict {
  readonly verdict: Verdict;
  readonly revision: number;
}

/**
 * Undefined where the table before is not known, or did not allow the flow either.
 * @param before its judge
 * @param peer canonical address of the other side
 */
export function formerVerdict(
  before: Judge | undefined,
  direction: Direction,
  peer: string,
  protocol: Protocol,
  port: number,
): FormerVerdict | undefined {
  const verdict = before?.judge(direction, peer, protocol, port);
  if (before === undefined || verdict?.verdict !== 'allow') return undefined;
  return { verdict, revision: before.table.revision };
}
