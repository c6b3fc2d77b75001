/** A group that is kept current is the same object until something of it changes that tables have. */
import { describe, expect, it } from 'vitest';
import { type GroupTest, groupId, LiveGroup } from '../../../../policy/compile/live_group.ts';
import type { PodIdentity } from '../../../../policy/index.ts';

const WEB: GroupTest = { kind: 'pods', namespace: 'shop' };
const HTTP = [{ name: 'http', port: 80, protocol: 'TCP' as const }];

function pod(uid: string, more: Partial<PodIdentity> = {}): PodIdentity {
  return { namespace: 'shop', name: uid, uid, workload: `pod/${uid}`, labels: {}, ports: [], ...more };
}

function groupOf(test: GroupTest = WEB): LiveGroup {
  return new LiveGroup(test, [
    ['10.0.0.1', pod('one')],
    ['10.0.0.2', pod('two', { ports: HTTP })],
  ]);
}

describe('a group', () => {
  it('is another object when a member comes, goes, or is another pod, and the one before stays as it was', () => {
    const live = groupOf();
    const first = live.group;
    live.set('10.0.0.1', pod('again'));
    live.set('10.0.0.2', undefined);
    live.set('10.0.0.3', pod('three'));
    expect([...live.group.members].sort()).toEqual([
      ['10.0.0.1', 'again'],
      ['10.0.0.3', 'three'],
    ]);
    expect([...first.members].sort()).toEqual([
      ['10.0.0.1', 'one'],
      ['10.0.0.2', 'two'],
    ]);
    expect([...['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((address) => live.has(address))]).toEqual([
      true,
      false,
      true,
    ]);
  });

  it('knows a change before anybody has asked for the group', () => {
    const live = groupOf();
    live.set('10.0.0.2', undefined);
    live.set('10.0.0.3', pod('three'));
    expect([live.has('10.0.0.1'), live.has('10.0.0.2'), live.has('10.0.0.3')]).toEqual([true, false, true]);
  });

  it('is the same object, and not changed, when a member has other labels or has come and gone again', () => {
    const live = groupOf();
    const first = live.group;
    live.set('10.0.0.1', pod('one', { labels: { app: 'x' }, workload: 'Deployment/one' }));
    live.set('10.0.0.3', pod('three'));
    live.set('10.0.0.3', undefined);
    live.set('10.0.0.2', undefined);
    live.set('10.0.0.2', pod('two', { ports: HTTP }));
    expect(live.isChanged).toBe(false);
    expect(live.group).toBe(first);
  });

  it('is changed until the commit', () => {
    const live = groupOf();
    live.set('10.0.0.1', undefined);
    expect(live.isChanged).toBe(true);
    live.commit();
    expect(live.isChanged).toBe(false);
    live.set('10.0.0.1', pod('one'));
    expect(live.isChanged).toBe(true);
  });
});

describe('named ports', () => {
  it('are in the groups whose rules ask for them, of the members that declare some', () => {
    expect(groupOf().group.ports).toBeUndefined();
    const { group, id } = groupOf({ ...WEB, withPorts: true });
    expect([...(group.ports ?? [])]).toEqual([['10.0.0.2', HTTP]]);
    expect(id).not.toBe(groupId(WEB));
  });

  it('change with the pod, and not with another list that says the same', () => {
    const live = groupOf({ ...WEB, withPorts: true });
    const first = live.group;
    live.set('10.0.0.2', pod('two', { ports: structuredClone(HTTP) }));
    expect(live.group).toBe(first);
    live.set('10.0.0.2', pod('two', { ports: [{ name: 'http', port: 81, protocol: 'TCP' }] }));
    expect(live.isChanged).toBe(true);
    expect(live.group.members).toBe(first.members);
    expect(live.group.ports?.get('10.0.0.2')).toMatchObject([{ port: 81 }]);
    live.set('10.0.0.2', pod('two'));
    live.set('10.0.0.1', pod('one', { ports: HTTP }));
    expect([...(live.group.ports ?? [])]).toEqual([['10.0.0.1', HTTP]]);
    live.set('10.0.0.1', undefined);
    expect(live.group.ports?.size).toBe(0);
  });
});
