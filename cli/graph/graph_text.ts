/** Connections for people at a terminal. */
import { firstFew } from '../../common/first_few.ts';
import { objectKey } from '../../policy/index.ts';
import { type ComparedEnd, createEndNames, type IsolatingRule, portsText } from '../connectivity/index.ts';
import { tableText } from '../terminal/index.ts';
import type { Connection } from './connections.ts';

/** Rows that are printed: more is no list that somebody reads. */
const MAX_ROWS = 500;

/** Rules that are printed of one connection. */
const SHOWN_RULES = 3;

/** A row each. @param isWide whether all rules are named */
export function connectionLines(connections: readonly Connection[], isWide: boolean): string {
  const more = connections.length - MAX_ROWS;
  const rows = connections
    .slice(0, MAX_ROWS)
    .map(({ fromText, toText, ports, rules }) => [
      `${fromText} -> ${toText}`,
      portsText(ports),
      rulesText(rules, isWide),
    ]);
  return `${tableText(rows)}${more > 0 ? `… and ${more} more rows: narrow with --focus, or -o json\n` : ''}`;
}

function rulesText(rules: readonly IsolatingRule[], isWide: boolean): string {
  if (rules.length === 0) return 'no policy isolates either';
  const names = [
    ...new Set(
      rules.map(
        ({ policy, direction, index }) =>
          `${objectKey(policy.namespace, policy.name)} ${direction}[${index}]`,
      ),
    ),
  ];
  return firstFew(names, isWide ? names.length : SHOWN_RULES);
}

/** How many pairs are connected, and who is not isolated. */
export function graphCounts(pairs: number, ends: readonly ComparedEnd[], isWide: boolean): string {
  const names = createEndNames(ends, isWide);
  const pods = ends.filter(({ kind, after }) => kind === 'pods' && after?.isSubject === true);
  const open = (['ingress', 'egress'] as const).flatMap((direction) => {
    const own = pods.filter(({ after }) => after?.[direction] === undefined);
    return own.length === 0
      ? []
      : [`${direction} is open for ${own.length === pods.length ? 'all' : names.text(own)}`];
  });
  return `= ${[`${pairs} ${pairs === 1 ? 'connection' : 'connections'}`, ...open].join('; ')}\n`;
}
