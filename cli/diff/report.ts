/** What is reported of a comparison, whatever the format. */
import { isSingle } from '../connectivity/index.ts';
import type { Change, Comparison, GroupChange } from './compare.ts';
import type { Reason } from './reasons.ts';
import type { Row } from './rows.ts';

/** All that a report says. */
export interface Report {
  /** What was compared, for people. */
  readonly before: string;
  readonly after: string;
  readonly comparison: Comparison;
  readonly rows: readonly Row[];
  reasonsOf(change: GroupChange): readonly Reason[];
  /** What is not known, a sentence each. */
  readonly notes: readonly string[];
}

/** How many pairs of ends change in this way. */
export function countPairs({ changes }: Comparison, change: Change): number {
  return changes.filter((one) => one.change === change).reduce((sum, one) => sum + pairsOf(one), 0);
}

/** Pairs of ends that a change stands for. */
function pairsOf({ from, to }: GroupChange): number {
  const itself = from === to ? from.ends.filter(isSingle).length : 0;
  return from.ends.length * to.ends.length - itself;
}
