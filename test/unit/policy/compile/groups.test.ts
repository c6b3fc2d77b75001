/** Address groups are kept for as long as a policy needs them. */
import { expect, it } from 'vitest';
import { Directory } from '../../../../policy/compile/directory.ts';
import { Groups } from '../../../../policy/compile/groups.ts';
import { groupId } from '../../../../policy/compile/live_group.ts';
import type { PodsPeer } from '../../../../policy/rules/peer.ts';

const SHOP: PodsPeer = { kind: 'pods', namespace: 'shop' };

it('is gone when the last policy that needs it is, and not before', () => {
  const groups = new Groups(new Directory(), () => ({}));
  const isThere = () => groups.get(groupId(SHOP)) !== undefined;
  groups.retain(SHOP);
  groups.retain(SHOP);
  groups.release(SHOP);
  groups.commit();
  expect(isThere()).toBe(true);
  groups.release(SHOP);
  expect(isThere()).toBe(true); // tables may still need the change that removes it
  groups.commit();
  expect(isThere()).toBe(false);
});

it('stays the same when one policy takes the place of another', () => {
  const groups = new Groups(new Directory(), () => ({}));
  groups.retain(SHOP);
  const before = groups.get(groupId(SHOP));
  groups.release(SHOP);
  groups.retain(SHOP);
  groups.commit();
  expect(groups.get(groupId(SHOP))).toBe(before);
});
