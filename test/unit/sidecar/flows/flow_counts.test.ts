/** What is added up in a window, and what its bounds do. */
import { expect, test } from 'vitest';
import {
  type FlowWindow,
  flowWindow,
  MAX_COUNTS,
  MAX_EVENT_BYTES,
  MAX_EVENTS,
  OTHER_PEERS,
} from '../../../../flows/index.ts';
import {
  type CountedFlow,
  DENIED_KEYS_MAX,
  EXACT_PEERS_MAX,
  FlowCounts,
  NETWORKS_MAX,
  OTHER_KEYS,
} from '../../../../sidecar/flows/flow_counts.ts';

const FLOW: CountedFlow = {
  direction: 'ingress',
  outcome: 'allow',
  protocol: 'TCP',
  peer: '10.0.0.1',
  isPod: false,
  port: 80,
  reason: 'not-isolated',
  flows: 1,
  packets: 0,
  sent: 10,
  received: 1,
  millis: 0.4,
};

/** Counts of flows that differ from `FLOW` in this. */
function counted(...flows: readonly Partial<CountedFlow>[]): FlowCounts {
  const counts = new FlowCounts(0);
  for (const flow of flows) counts.add({ ...FLOW, ...flow });
  return counts;
}

/** Some that are alike but for this. */
const many = (count: number, of: (index: number) => Partial<CountedFlow>) =>
  Array.from({ length: count }, (_, index) => of(index));

/** Addresses outside the cluster: of one network each 256. */
const outside = (index: number) => `198.${18 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;
/** Addresses outside the cluster, each of another network. */
const scattered = (index: number) => `198.18.${index}.1`;

const taken = (counts: FlowCounts): FlowWindow => counts.take(1) ?? expect.fail('nothing was counted');

/** All flows of a window, lost ones included. */
const sum = ({ counts, lost }: FlowWindow): number => counts.reduce((all, { flows }) => all + flows, lost);

test('flows that are alike are one entry with their sums', () => {
  const window = taken(counted({}, { sent: 5, millis: 0.8 }, { flows: 3, packets: 2 }));
  const { isPod, ...alike } = FLOW;
  expect(window.counts).toEqual([{ ...alike, flows: 5, packets: 2, sent: 25, received: 3, millis: 2 }]);
});

test.each([
  { direction: 'egress' },
  { outcome: 'cut' },
  { protocol: 'UDP' },
  { peer: '10.0.0.2' },
  { port: 81 },
  { reason: 'self' },
  { policy: 'shop/in' },
  { policy: 'shop/in', rule: 0 },
  { service: 'shop/web' },
] as const)('flows that differ in %o are two entries', (difference) => {
  expect(taken(counted({}, difference)).counts).toEqual([
    expect.objectContaining({ flows: 1 }),
    expect.objectContaining({ flows: 1, ...difference }),
  ]);
});

test('a window has the form that is sent, and the next one begins where it ends', () => {
  const counts = counted({ policy: 'shop/in', rule: 1, service: 'shop/web' });
  counts.event({});
  const first = counts.take(7);
  expect(first).toMatchObject({ from: 0, to: 7 });
  expect(flowWindow.check(JSON.parse(JSON.stringify(first)))).toBeUndefined();
  expect(counts.take(8)).toBeUndefined();
  counts.add(FLOW);
  expect(counts.take(20)).toMatchObject({ from: 8, to: 20 });
});

test('a clock that is set back makes no window that ends before it begins', () => {
  const counts = counted({});
  counts.take(1_000);
  counts.add(FLOW);
  expect(counts.take(500)).toMatchObject({ from: 500, to: 500 });
});

test('peers outside the cluster are exact up to a number, then by network, then `other`', () => {
  const networks = EXACT_PEERS_MAX + NETWORKS_MAX;
  const window = taken(counted(...many(networks + 9, (index) => ({ peer: scattered(index) }))));
  const peers = window.counts.map(({ peer }) => peer);
  expect(peers.slice(0, EXACT_PEERS_MAX)).toEqual(
    Array.from({ length: EXACT_PEERS_MAX }, (_, index) => scattered(index)),
  );
  expect(peers[EXACT_PEERS_MAX]).toBe(`198.18.${EXACT_PEERS_MAX}.0/24`);
  expect(peers.slice(networks)).toEqual([OTHER_PEERS]);
  expect(window.counts.at(-1)).toMatchObject({ flows: 9, sent: 90 });
  expect(window.lost).toBe(0);
});

test('a network of IPv6 has 56 bits', () => {
  const window = taken(
    counted(
      ...many(EXACT_PEERS_MAX + 2, (index) => ({ peer: `2001:db8:1:2${index % 10}${index % 7}::${index}` })),
    ),
  );
  expect(window.counts.at(-1)).toMatchObject({ peer: '2001:db8:1:200::/56' });
  expect(sum(window)).toBe(EXACT_PEERS_MAX + 2);
});

test.each([
  ['the table has', { isPod: true }, outside],
  ['may be by their private addresses', {}, (index: number) => `10.1.${index >> 8}.${index & 255}`],
  ['may be by their unique local addresses', {}, (index: number) => `fd00::${index.toString(16)}`],
])('pods that %s are never put together; those without a place are lost', (_, more, address) => {
  const window = taken(counted(...many(MAX_COUNTS + 5, (index) => ({ ...more, peer: address(index) }))));
  expect(window.counts).toHaveLength(MAX_COUNTS - OTHER_KEYS);
  expect(window.lost).toBe(OTHER_KEYS + 5);
});

test('when pods have taken all places, others still have one together', () => {
  const counts = counted(...many(MAX_COUNTS, (index) => ({ isPod: true, peer: outside(index) })));
  for (const port of [1, 2]) counts.add({ ...FLOW, peer: '203.0.113.7', port });
  const window = taken(counts);
  expect(window.counts.slice(-2)).toMatchObject([
    { peer: OTHER_PEERS, port: 1 },
    { peer: OTHER_PEERS, port: 2 },
  ]);
});

test('denials from everywhere leave places for what is allowed', () => {
  const denied = many(
    MAX_COUNTS,
    (index) => ({ outcome: 'deny', peer: `10.1.${index >> 8}.${index & 255}` }) as const,
  );
  const window = taken(counted(...denied, { peer: '10.9.0.1' }));
  expect(window.counts).toHaveLength(DENIED_KEYS_MAX + 1);
  expect(window.counts.at(-1)).toMatchObject({ peer: '10.9.0.1', outcome: 'allow' });
  expect(window.lost).toBe(MAX_COUNTS - DENIED_KEYS_MAX);
});

test('ports cannot make a window larger than its bound, and each flow is counted somewhere', () => {
  const flows = many(5_000, (index) => ({ peer: outside(index % 300), port: index }));
  const window = taken(counted(...flows));
  expect(window.counts.length).toBeLessThanOrEqual(MAX_COUNTS);
  expect(sum(window)).toBe(5_000);
});

test('bytes of flows that were counted before are added, and lose nothing where they have no place', () => {
  expect(taken(counted({ flows: 0, sent: 7 })).counts).toMatchObject([{ flows: 0, sent: 7 }]);
  const full = counted(...many(MAX_COUNTS, (index) => ({ isPod: true, peer: outside(index) })));
  full.add({ ...FLOW, flows: 0, peer: '10.0.0.1' });
  expect(taken(full).lost).toBe(OTHER_KEYS);
});

test('a window that was put back goes with the next one, with all that it had', () => {
  const peers = [
    ...many(100, (index) => ({ isPod: true, peer: `203.0.113.${index}` })),
    ...many(EXACT_PEERS_MAX + NETWORKS_MAX + 9, (index) => ({ peer: scattered(index) })),
  ];
  const counts = counted(...peers);
  counts.lose(4);
  const first = taken(counts);
  counts.putBack(first);
  expect(counts.take(9)).toEqual({ ...first, to: 9 });
  counts.putBack({ ...first, to: 9 });
  counts.add({ ...FLOW, peer: scattered(0) });
  const second = counts.take(20);
  expect(second).toMatchObject({ from: 0, to: 20, lost: 4 });
  expect(second?.counts).toHaveLength(first.counts.length);
  expect(sum(second ?? first)).toBe(sum(first) + 1);
});

test('windows that are put back again and again stay within the bounds, and no flow is forgotten', () => {
  const counts = new FlowCounts(0);
  for (let round = 0; round < 20; round += 1) {
    for (const flow of many(100, (index) => ({ peer: outside(round * 100 + index), port: index })))
      counts.add({ ...FLOW, ...flow });
    counts.putBack(counts.take(round) ?? expect.fail());
  }
  const window = taken(counts);
  expect(window.counts.length).toBeLessThanOrEqual(MAX_COUNTS);
  expect(sum(window)).toBe(2_000);
});

test('single events are bounded in number and length; the oldest stay', () => {
  const counts = new FlowCounts(0);
  counts.event({ long: 'x'.repeat(MAX_EVENT_BYTES) });
  counts.event({ long: 'é'.repeat(MAX_EVENT_BYTES / 2) });
  for (let index = 0; index < MAX_EVENTS + 2; index += 1) counts.event({ index });
  const window = taken(counts);
  expect(window.eventsLost).toBe(4);
  expect(window.events[0]).toBe('{"index":0}');
  expect(window.events).toHaveLength(MAX_EVENTS);
  counts.event({ later: true });
  counts.putBack(window);
  expect(taken(counts)).toMatchObject({ events: window.events, eventsLost: 5 });
});
