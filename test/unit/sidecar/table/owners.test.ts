import { expect, test } from 'vitest';
import type { PeerIdentity } from '../../../../policy/index.ts';
import { Owners } from '../../../../sidecar/table/owners.ts';

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
  const both = Promise.all([some.find('10.0.0.1'), some.find('10.0.0.1')]);
  some.answer('10.0.0.1', WEB);
  expect(await both).toEqual([WEB, WEB]);
  expect(some.known('10.0.0.1')).toBe(WEB);
  expect(await some.find('10.0.0.1')).toBe(WEB);
  expect(asked).toEqual(['10.0.0.1']);
});

test('that an address is no pod’s is an answer too', async () => {
  const { owners: some } = owners();
  const found = some.find('203.0.113.7');
  some.answer('203.0.113.7', null);
  expect(await found).toBeNull();
  expect(some.known('203.0.113.7')).toBeNull();
});

test('nobody waits long for an answer, nor at all where there is nobody to ask', async () => {
  const { owners: silent } = owners();
  const startMs = performance.now();
  expect(await silent.find('10.0.0.1')).toBeUndefined();
  expect(performance.now() - startMs).toBeGreaterThan(200);
  expect(await owners(false).owners.find('10.0.0.1')).toBeUndefined();
});

test('a lost connection and the end settle what is being asked', async () => {
  const { asked, owners: some } = owners();
  const found = some.find('10.0.0.1');
  some.lost();
  expect(await found).toBeUndefined();
  const last = some.find('10.0.0.2');
  const closed = some.close();
  some.answer('10.0.0.2', WEB);
  await closed;
  expect(await last).toBe(WEB);
  expect(await some.find('10.0.0.3')).toBeUndefined();
  expect(asked).toEqual(['10.0.0.1', '10.0.0.2']);
});

test('peers from very many addresses cost neither memory nor questions without end', async () => {
  const { asked, owners: some } = owners();
  const addresses = Array.from({ length: 3_000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
  const found = addresses.map((address) => some.find(address));
  expect(asked).toHaveLength(64);
  for (const address of addresses) some.answer(address, WEB);
  await Promise.all(found);
  expect(addresses.filter((address) => some.known(address) !== undefined)).toHaveLength(1024);
});
