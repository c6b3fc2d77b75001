import { expect, test } from 'vitest';
import { GateTrust } from '../../../../sidecar/assembly/gate_trust.ts';
import type { InForceEvent } from '../../../../sidecar/in_force/in_force.ts';
import { InForceMachine } from '../../../../sidecar/in_force/machine.ts';

const table: InForceEvent = { event: 'table', revision: 7, isolatesEgress: false };
const gate = (change: number): InForceEvent => ({ event: 'gate-in-force', change, revision: 7 });
const refused: InForceEvent = { event: 'gate-failed', rules: 'stay', problem: 'nft says no' };
const gone: InForceEvent = { event: 'gate-failed', rules: 'gone', problem: 'somebody took its rules out' };
const unavailable: InForceEvent = { event: 'gate-unavailable', rules: 'gone', problem: 'no nft' };

/** What the relay hears of events, after those that came before it was there. */
function heard(before: readonly InForceEvent[], ...events: readonly InForceEvent[]): readonly boolean[] {
  const machine = new InForceMachine();
  for (const event of before) machine.happened(event);
  const said: boolean[] = [];
  machine.follow(new GateTrust({ trustGate: (inForce) => said.push(inForce) }, machine.state));
  for (const event of events) machine.happened(event);
  return said;
}

test.each<[string, readonly InForceEvent[], readonly InForceEvent[], readonly boolean[]]>([
  ['it is trusted from the start where it has the table already', [table, gate(1)], [], [true]],
  ['it is trusted once it has the table', [table], [gate(1)], [false, true]],
  ['steps that follow say nothing new', [table], [gate(1), { event: 'cut', change: 1 }], [false, true]],
  ['not while another table is on its way', [table, gate(1)], [table], [true, false]],
  [
    'nor when it has caught up with one that is outdated',
    [table, gate(1)],
    [table, table, gate(2)],
    [true, false],
  ],
  ['but with the latest', [table, gate(1)], [table, table, gate(2), gate(3)], [true, false, true]],
  ['not where its rules are those of an older table', [table, gate(1)], [table, refused], [true, false]],
  [
    'not where its rules are gone, and from when they are back',
    [table, gate(1)],
    [gone, gate(1)],
    [true, false, true],
  ],
  ['not where it is closed', [table, gate(1)], [{ event: 'gate-closed' }], [true, false]],
  ['never without nft', [table], [unavailable, { event: 'cut', change: 1 }], [false]],
])('%s', (_what, before, events, said) => {
  expect(heard(before, ...events)).toEqual(said);
});
