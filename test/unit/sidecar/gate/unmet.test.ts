/** What the gate does about denied peers that may be members of partial groups: they are noted, and get no reset. */
import { expect, test } from 'vitest';
import { PersistentMap } from '../../../../common/persistent_map.ts';
import { type AddressGroup, tableWith } from '../../../../policy/index.ts';
import { netlinkElements } from '../../../../sidecar/gate/kernel/netlink_elements.ts';
import { nftText } from '../../../../sidecar/gate/kernel/nft_text.ts';
import { wholeRuleset } from '../../../../sidecar/gate/kernel/ruleset.ts';
import { GatePlanner, gateChanges } from '../../../../sidecar/gate/plan/index.ts';
import { atOnce } from '../../../../sidecar/gate/plan/steps.ts';
import { admittingGroup, groupOf, partialGroupOf, table } from '../../../builders/tables.ts';

const SETTINGS = { deny: 'reset', otherProtocols: 'drop', adminPort: 15_021 } as const;

const NOTED =
  /add rule inet sluice in_note_unmet update @unmet_packets .*\n.*in_note_unmet meta nfproto ipv4 update @in_unmet4 .*\n.*in_unmet6.*\nadd rule inet sluice in_note_unmet drop\n/;

const admitting = (group: AddressGroup, revision = 1) =>
  admittingGroup(table({ revision }), ['ingress'], group);

test('denied peers are noted in a direction whose rules ask for partial groups, and not reset', () => {
  const planner = new GatePlanner();
  const partial = atOnce(planner.plan(admitting(partialGroupOf({ '10.0.0.1': 'one' }))));
  expect([partial.ingress.hasPartial, partial.egress.hasPartial]).toEqual([true, false]);
  const rules = atOnce(wholeRuleset(partial, SETTINGS));
  expect(rules).toMatch(NOTED);
  expect(rules).not.toMatch(/add rule inet sluice out_note_unmet/);
  // Where it has rules, its `drop` comes before the reset.
  expect(rules).toMatch(/jump in_note_unmet\n\s+meta l4proto tcp limit rate .* reject with tcp reset\n/);
});

test('the rules follow the form of the group; other members take elements only', () => {
  const planner = new GatePlanner();
  const whole = atOnce(planner.plan(admitting(groupOf({ '10.0.0.1': 'one' }))));
  const partial = atOnce(planner.plan(admitting(partialGroupOf({ '10.0.0.1': 'one' }), 2)));
  const more = atOnce(planner.plan(admitting(partialGroupOf({ '10.0.0.1': 'one', '10.0.0.2': 'two' }), 3)));
  const again = atOnce(planner.plan(admitting(groupOf({ '10.0.0.1': 'one' }), 4)));
  expect(atOnce(nftText(atOnce(gateChanges(whole, partial))))).toMatch(NOTED);
  expect(netlinkElements(atOnce(gateChanges(partial, more)))).toMatchObject({
    changes: [{ object: 'in_pods4' }],
  });
  const back = atOnce(nftText(atOnce(gateChanges(more, again))));
  expect(back).toContain('flush chain inet sluice in_note_unmet');
  expect(back).not.toContain('add rule inet sluice in_note_unmet');
});

test('a partial group that no rule of the direction asks for changes nothing', () => {
  const large = { ...partialGroupOf({}), members: PersistentMap.from<string>([]) };
  const unasked = tableWith({ ...table({ revision: 1, allowed: [] }), groups: new Map([['g', large]]) });
  expect(atOnce(new GatePlanner().plan(unasked)).ingress.hasPartial).toBe(false);
});
