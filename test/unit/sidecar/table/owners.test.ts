import { afterEach, describe, expect, test, vi } from 'vitest';
import type { PeerIdentity } from '../../../../policy/index.ts';
import { Owners } from '../../../../sidecar/table/owners.ts';

const ADDRESS = '10.0.0.1';

const WEB: PeerIdentity = {
  namespace: 'shop',
  name: 'web',
  workload: 'deploy/web',
  labels: { app: 'web' },
  namespaceLabels: {},
  ports: [],
};

function owners(connected = true): { asked: string[]; owners: Owners } {
  const asked: string[] = [];
  return { asked, owners: new Owners({ identify: (address) => connected && asked.push(address) > 0 }) };
}

test('one question is asked for all that want to know, and the answer is used again', async () => {
  const { asked, owners: some } = owners();
  const find = () => some.find('10.0.0.1', undefined, 'labels');
  const both = Promise.all([find(), find()]);
  some.answer('10.0.0.1', WEB, undefined);
  expect(await both).toEqual([WEB, WEB]);
  expect(some.known('10.0.0.1', undefined, 'labels')).toBe(WEB);
  expect(await find()).toBe(WEB);
  expect(asked).toEqual(['10.0.0.1']);
});

test('that an address is no pod’s is an answer too', async () => {
  const { owners: some } = owners();
  const found = some.find('203.0.113.7', undefined, 'name');
  some.answer('203.0.113.7', null, undefined);
  expect(await found).toBeNull();
  expect(some.known('203.0.113.7', undefined, 'name')).toBeNull();
});

test('nobody waits long for an answer, nor at all where there is nobody to ask', async () => {
  const { owners: silent } = owners();
  const startMs = performance.now();
  expect(await silent.find('10.0.0.1', undefined, 'name')).toBeUndefined();
  expect(performance.now() - startMs).toBeGreaterThan(200);
  expect(await owners(false).owners.find('10.0.0.1', undefined, 'name')).toBeUndefined();
});

test('a lost connection and the end settle what is being asked', async () => {
  const { asked, owners: some } = owners();
  const found = some.find('10.0.0.1', undefined, 'name');
  some.lost();
  expect(await found).toBeUndefined();
  const last = some.find('10.0.0.2', undefined, 'name');
  const closed = some.close();
  some.answer('10.0.0.2', WEB, undefined);
  await closed;
  expect(await last).toBe(WEB);
  expect(await some.find('10.0.0.3', undefined, 'name')).toBeUndefined();
  expect(asked).toEqual(['10.0.0.1', '10.0.0.2']);
});

test('peers from very many addresses cost neither memory nor questions without end', async () => {
  const { asked, owners: some } = owners();
  const addresses = Array.from({ length: 6_000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
  const found = addresses.map((address) => some.find(address, undefined, 'name'));
  for (const address of addresses) some.meet(address, `tag of ${address}`);
  expect(asked).toHaveLength(256);
  for (const address of addresses) some.answer(address, WEB, `tag of ${address}`);
  await Promise.all(found);
  const known = (tag: (address: string) => string | undefined) =>
    addresses.filter((address) => some.known(address, tag(address), 'name') !== undefined);
  expect(known(() => undefined)).toHaveLength(1024);
  expect(known((address) => `tag of ${address}`)).toHaveLength(4096);
});

describe('a pod that the table has, by its tag', () => {
  const API: PeerIdentity = { ...WEB, name: 'api' };

  afterEach(() => {
    vi.useRealTimers();
  });

  test('a flow that begins asks once, and its name stays after the pod is gone and its address has passed on', () => {
    const { asked, owners: some } = owners();
    some.meet(ADDRESS, 'web');
    some.meet(ADDRESS, 'web');
    expect(some.known(ADDRESS, 'web', 'name')).toBeUndefined();
    some.answer(ADDRESS, WEB, 'web');
    some.meet(ADDRESS, 'web');
    expect(asked).toEqual([ADDRESS]);
    some.answer(ADDRESS, API, 'api');
    some.outdated();
    expect(some.known(ADDRESS, 'web', 'name')).toBe(WEB);
    expect(some.known(ADDRESS, 'api', 'name')).toBe(API);
  });

  test('an answer about another pod names nobody', async () => {
    const { owners: some } = owners();
    const found = some.find(ADDRESS, 'web', 'name');
    some.answer(ADDRESS, API, 'api');
    expect(await found).toBeUndefined();
    expect(some.known(ADDRESS, 'web', 'name')).toBeUndefined();
    expect(some.known(ADDRESS, undefined, 'name')).toBe(API);
  });

  test('an answer that comes too late for its question still names the pod', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const { owners: some } = owners();
    some.meet(ADDRESS, 'web');
    await vi.advanceTimersByTimeAsync(1_000);
    some.answer(ADDRESS, WEB, 'web');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(some.known(ADDRESS, 'web', 'name')).toBe(WEB);
  });

  test('labels older than 5 s are asked again; where nobody answers, the older ones serve', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const { asked, owners: some } = owners();
    some.answer(ADDRESS, WEB, 'web');
    expect(await some.find(ADDRESS, 'web', 'labels')).toBe(WEB);
    await vi.advanceTimersByTimeAsync(5_000);
    const relabelled = { ...WEB, labels: { app: 'other' } };
    const again = some.find(ADDRESS, 'web', 'labels');
    some.answer(ADDRESS, relabelled, 'web');
    expect(await again).toBe(relabelled);
    await vi.advanceTimersByTimeAsync(5_000);
    const unanswered = some.find(ADDRESS, 'web', 'labels');
    await vi.advanceTimersByTimeAsync(250);
    expect(await unanswered).toBe(relabelled);
    expect(asked).toEqual([ADDRESS, ADDRESS]);
  });

  test('labels from before a change of the table are asked again, names are not', async () => {
    const { asked, owners: some } = owners();
    some.answer(ADDRESS, WEB, 'web');
    some.outdated(new Set(['10.0.0.2']));
    expect(some.known(ADDRESS, 'web', 'labels')).toBe(WEB);
    some.outdated(new Set([ADDRESS]));
    expect(await some.find(ADDRESS, 'web', 'name')).toBe(WEB);
    expect(asked).toEqual([]);
    const found = some.find(ADDRESS, 'web', 'labels');
    expect(asked).toEqual([ADDRESS]);
    some.answer(ADDRESS, { ...WEB }, 'web');
    expect(await found).toBe(WEB); // it says the same
  });
});
