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
  const live = new LiveGroup(test, [
    ['10.0.0.1', pod('one')],
    ['10.0.0.2', pod('two', { ports: HTTP })],
    ['10.0.0.9', undefined],
  ]);
  live.resolve();
  return live;
}

/** So many members, and no more than `mostMembers` make it a group that is not large. */
function crowdOf(count: number, mostMembers: number): LiveGroup {
  const candidates = Array.from({ length: count }, (_, i) => [addressOf(i), pod(`p${i}`)] as const);
  const live = new LiveGroup(WEB, candidates, { count, mostMembers });
  live.resolve();
  return live;
}

function addressOf(place: number): string {
  return `10.1.${place >> 8}.${place & 255}`;
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

describe('a group that is being resolved', () => {
  const candidates = Array.from(
    { length: 10_000 },
    (_, i) => [addressOf(i), i % 2 === 0 ? pod(`p${i}`, { ports: HTTP }) : undefined] as const,
  );

  it('takes in its candidates some at a time, as long as there is time', () => {
    const live = new LiveGroup({ ...WEB, withPorts: true }, candidates, { count: candidates.length });
    let calls = 1;
    while (!live.resolve(() => false)) calls += 1;
    expect(calls).toBeGreaterThan(3);
    expect(live.resolve(() => false)).toBe(true);
    expect(live.group.members.size).toBe(5_000);
    expect(live.group.ports?.size).toBe(5_000);
  });

  it('has what was said of an address meanwhile, before or after its turn; and nobody has it until it is asked for', () => {
    const live = new LiveGroup(WEB, candidates, { count: candidates.length });
    live.resolve(() => false);
    live.set(addressOf(0), undefined); // has had its turn
    live.set(addressOf(9_998), undefined);
    live.set(addressOf(9_999), pod('new'));
    expect(live.isChanged).toBe(false);
    expect(live.mayHave(addressOf(1))).toBe(true);
    live.commit();
    expect(
      [addressOf(0), addressOf(2), addressOf(9_998), addressOf(9_999)].map((one) => live.has(one)),
    ).toEqual([false, true, false, true]);
    expect(live.group.members.size).toBe(4_999);
  });
});

describe('a large group', () => {
  it('has more members than the bound, and stays large until it has fewer than three quarters of it', () => {
    const live = crowdOf(4, 4);
    const steps: [number, number, boolean][] = [
      [4, 5, true],
      [5, 3, true],
      [3, 2, false],
      [2, 4, false],
      [4, 5, true],
    ];
    expect(live.isLarge).toBe(false);
    for (const [before, after, isLarge] of steps) {
      const was = live.isLarge;
      for (let place = Math.min(before, after); place < Math.max(before, after); place += 1)
        live.set(addressOf(place), after > before ? pod(`p${place}`) : undefined);
      expect([live.wasLarge, live.isLarge]).toEqual([was, isLarge]);
      live.commit();
      expect([live.wasLarge, live.isLarge]).toEqual([isLarge, isLarge]);
    }
    expect(crowdOf(5, 4).wasLarge).toBe(true);
  });

  it('names the addresses that have changed since the last commit', () => {
    const live = crowdOf(1_000, 10);
    live.set(addressOf(3), undefined);
    live.set(addressOf(5), pod('other'));
    live.set(addressOf(7), pod('p7'));
    live.set(addressOf(2_000), pod('new'));
    expect([...live.changedAddresses()].sort()).toEqual([3, 5, 2_000].map(addressOf).sort());
    live.commit();
    expect([...live.changedAddresses()]).toEqual([]);
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
