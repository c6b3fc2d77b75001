/** How far policies are in force, in lines. */

import { type Lines, line } from '../lines.ts';
import { counted, namesText } from '../listed.ts';
import { tableRows } from '../terminal/index.ts';
import type { PolicyStateData } from './policy_state.ts';

/** How many names and lines are written. */
export interface StatusAmount {
  readonly pods: number;
  readonly lags: number;
}

const FORMATS = {
  enforced: 'green',
  partial: 'yellow',
  pending: 'red',
  unenforced: 'red',
  'not-known': 'yellow',
} as const satisfies Record<PolicyStateData['state'], string>;

/** The longest of these, so that names stand below each other. */
const WIDTH = Math.max(...Object.keys(FORMATS).map(({ length }) => length));

/** A policy, and who lags. */
export function stateLines(data: PolicyStateData, amount: StatusAmount): readonly Lines[] {
  const {
    name,
    generation,
    state,
    why,
    selected,
    enforcing,
    lagging,
    unsupported = [],
    warnings = [],
  } = data;
  const counts =
    selected === 0
      ? 'selects no pods'
      : `${enforcing} of ${counted(selected, 'pod')} ${enforcing === 1 && selected === 1 ? 'enforces' : 'enforce'} it`;
  const facts = [
    name,
    ...(generation === undefined ? [] : [`generation ${generation}`]),
    state === 'not-known' ? counted(selected, 'pod') : counts,
    ...(why === undefined ? [] : [why]),
  ];
  const shown = lagging.first.slice(0, amount.lags);
  const rows = shown.map(({ workload, pods, known, why: reason, command }) => [
    `  ${workload}`,
    namesText(pods, amount.pods),
    `${known ? '' : 'not known: '}${reason}`,
    command ?? '',
  ]);
  const more = lagging.count - shown.length;
  return [
    line(`${' '.repeat(WIDTH - state.length)}  ${facts.join('  ')}`, { format: FORMATS[state], word: state }),
    ...tableRows(rows).map((text): Lines => ({ text: `${text}\n` })),
    ...(more > 0 ? [line(`  and ${more} more (-o wide)`)] : []),
    ...unsupported.map((text) => line(`  not supported: ${text}`)),
    ...warnings.map((text) => line(`  warning: ${text}`)),
  ];
}
