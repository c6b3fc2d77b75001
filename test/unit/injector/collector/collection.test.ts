/** What a collection makes of windows, without its thread. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type FlowCount,
  type FlowQuestion,
  type FlowWindow,
  MAX_EDGES,
  type ObservedFlow,
  OTHER_PEERS,
} from '../../../../flows/index.ts';
import { Collection, type CollectionLimits } from '../../../../injector/collector/worker/collection.ts';
import { flowsLine, type Pod } from '../../../../policy/index.ts';
import { flowCount, flowsWindow } from '../../../builders/flow_windows.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const NOON = Date.parse('2026-11-30T12:00:00Z');
const KEPT = { minutesHours: 24, hoursDays: 30, maxMegabytes: 100 };

let collection: Collection;
let badLines: string[];
let dir: string | undefined;

function open(limits: CollectionLimits = {}, startMs = NOON): void {
  badLines = [];
  collection = new Collection(
    { ...KEPT, ...(dir === undefined ? {} : { dir }) },
    { badLine: (pod, message) => badLines.push(`${pod}: ${message}`), storeChanged: () => undefined },
    startMs,
    limits,
  );
  collection.putPods([pod('web', '10.0.0.1'), pod('api', '10.0.0.2')], 'found', 0);
}

beforeEach(() => {
  dir = undefined;
  open();
});
afterEach(() => {
  collection.close(NOON);
  if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
});

function pod(name: string, ip: string): { key: string; object: Pod } {
  const object: Pod = {
    ...{ namespace: 'shop', name, uid: name, labels: {}, ips: [ip], hostIPs: [], hostNetwork: false },
    ...{ phase: 'Running', ports: [], workload: `deploy/${name}` },
  };
  return { key: `shop/${name}`, object };
}

function send(name: string, counts: readonly FlowCount[], atMs = NOON, rest: Partial<FlowWindow> = {}): void {
  const window = flowsWindow(counts, { to: atMs, ...rest });
  const sum = counts.reduce((flows, count) => flows + count.flows, window.lost);
  const line = Buffer.from(flowsLine(sum, JSON.stringify(window)));
  collection.take('shop', name, line, sum, atMs);
}

const ask = (question: Partial<FlowQuestion> = {}, nowMs = NOON) =>
  collection.ask({ since: NOON - HOUR_MS, until: nowMs, ...question }, nowMs);

/** Edges in short. */
const short = (flows: readonly ObservedFlow[]) =>
  flows.map(
    ({ src, dst, outcome, flows: count, reported_by }) =>
      `${src.workload ?? src.address} -> ${dst.workload ?? dst.address} ${outcome} ${count} ${reported_by}`,
  );

test('pods of one workload are one edge, which names a pod only where it was one', async () => {
  collection.putPods(
    [{ ...pod('web2', '10.0.0.3'), object: { ...pod('web2', '10.0.0.3').object, workload: 'deploy/web' } }],
    'seen',
    NOON - 30_000,
  );
  send('api', [flowCount({ peer: '10.0.0.1' })]);
  expect((await ask()).flows[0]?.src).toMatchObject({ workload: 'deploy/web', pod: 'web' });
  send('api', [flowCount({ peer: '10.0.0.3' })]);
  const { flows } = await ask();
  expect(short(flows)).toEqual(['deploy/web -> deploy/api allow 2 destination']);
  expect(flows[0]?.src.pod).toBeUndefined();
  expect(flows[0]?.dst.pod).toBe('api');
});

test('a Service that a pod asked for is the workload behind it, and else its own address with its name', async () => {
  const ports = [{ protocol: 'TCP', port: 80, targetPort: 8080 }] as const;
  const service = { namespace: 'shop', name: 'api', clusterIPs: ['10.96.0.1'], ports };
  const endpoint = (address: string) => ({ addresses: [address], ready: true });
  const slice = (...addresses: string[]) => ({
    ...{
      namespace: 'shop',
      name: 'api-1',
      service: 'api',
      ports: [{ protocol: 'TCP', port: 8080 } as const],
    },
    endpoints: addresses.map(endpoint),
  });
  collection.putServices([{ key: 'shop/api', object: service }]);
  collection.putSlices([{ key: 'shop/api-1', object: slice('10.0.0.2') }]);
  const asked = flowCount({ direction: 'egress', peer: '10.96.0.1', port: 80 });
  send('web', [asked]);
  send('api', [flowCount({ peer: '10.0.0.1' })]);
  const { flows } = await ask();
  expect(short(flows)).toEqual(['deploy/web -> deploy/api allow 1 both']);
  expect(flows[0]).toMatchObject({ service: 'shop/api', port: 8080 });

  collection.putSlices([{ key: 'shop/api-1', object: slice('10.0.0.2', '10.0.0.1') }]);
  send('web', [asked]);
  expect((await ask()).flows.find(({ dst }) => dst.kind === 'unknown')).toMatchObject({
    dst: { address: '10.96.0.1' },
    service: 'shop/api',
    port: 80,
  });

  collection.putSlices([{ key: 'shop/api-1' }]);
  collection.putServices([{ key: 'shop/api' }]);
  send('web', [asked]);
  expect((await ask()).flows.find(({ dst }) => dst.kind === 'external')?.dst.address).toBe('10.96.0.1');
});

test('what only the source reports is marked, and denials keep the word of the end that decided', async () => {
  send('web', [
    flowCount({ direction: 'egress', peer: '10.0.0.2', flows: 3 }),
    flowCount({ direction: 'egress', peer: '10.0.0.2', outcome: 'deny', reason: 'no-rule', flows: 4 }),
    flowCount({ direction: 'egress', peer: '203.0.113.1', flows: 5 }),
  ]);
  expect(short((await ask()).flows)).toEqual([
    'deploy/web -> 203.0.113.1 allow 5 source',
    'deploy/web -> deploy/api deny 4 source',
    'deploy/web -> deploy/api allow 3 source',
  ]);
  send('api', [flowCount({ peer: '10.0.0.1', flows: 3 })]);
  expect(short((await ask()).flows)).toContain('deploy/web -> deploy/api allow 3 both');
});

test('what the source let out and the destination denied is denied, also where only what is allowed is asked for', async () => {
  send('web', [flowCount({ direction: 'egress', peer: '10.0.0.2', flows: 5 })]);
  send('api', [flowCount({ peer: '10.0.0.1', outcome: 'deny', reason: 'no-rule', flows: 4 })]);
  expect(short((await ask()).flows)).toEqual([
    'deploy/web -> deploy/api deny 4 destination',
    'deploy/web -> deploy/api allow 1 source',
  ]);
  for (const only of [
    { outcomes: ['allow' as const] },
    { outcomes: ['deny' as const], not: ['outcomes' as const] },
  ])
    expect(short((await ask(only)).flows)).toEqual(['deploy/web -> deploy/api allow 1 source']);
  expect(short((await ask({ outcomes: ['deny'] })).flows)).toEqual([
    'deploy/web -> deploy/api deny 4 destination',
  ]);
});

test('a denial has the sentence, the policies and the nearest rules of its latest single flow', async () => {
  const near = [{ policy: 'shop/web', rule: 0, lacks: ['port 80 wanted, got 8080'] }];
  const record = {
    ...{ direction: 'ingress', verdict: 'deny', reason: 'no-rule', end: 'dropped', protocol: 'TCP' },
    ...{
      src: { addr: '10.0.0.1' },
      dst: { addr: '10.0.0.2', port: 8080 },
      explanation: 'web may not',
      isolating: ['shop/web'],
      near,
    },
  };
  send(
    'api',
    [flowCount({ outcome: 'deny', reason: 'no-rule', policy: 'shop/web', rule: 0 }), flowCount()],
    NOON,
    {
      events: [JSON.stringify(record)],
    },
  );
  const { flows } = await ask();
  expect(flows.find(({ outcome }) => outcome === 'deny')).toMatchObject({
    explanation: 'web may not',
    isolating: ['shop/web'],
    near,
  });
  expect(flows.find(({ outcome }) => outcome === 'allow')?.explanation).toBeUndefined();
});

test.each<[string, Partial<FlowCount>]>([
  ['a peer that is no address', { peer: 'evil' }],
  ['a policy of another namespace', { policy: 'bank/all', rule: 0 }],
  ['more flows than there can be', { flows: 1e12 }],
  ['a long reason', { reason: 'x'.repeat(100) }],
])('a window with %s is refused whole, and its flows are lost by its own word', async (_, wrong) => {
  send('web', [flowCount({ flows: 2 }), flowCount({ flows: 3, ...wrong })]);
  expect((await ask()).flows).toEqual([]);
  expect((await ask()).lost.map(({ why }) => why)).toEqual([
    'lines of sidecars were not of the form that this injector knows',
  ]);
  expect(badLines).toHaveLength(1);
});

test('a clock that is wrong does not put flows into another time', async () => {
  send('web', [flowCount()], NOON, { from: 5, to: 10_005 });
  send('web', [flowCount({ port: 81 })], NOON, { from: NOON + DAY_MS, to: NOON + DAY_MS + 10_000 });
  for (const { first, last } of (await ask()).flows)
    expect([Date.parse(first), Date.parse(last)]).toEqual([NOON - 10_000, NOON]);
  expect((await ask()).flows).toHaveLength(2);
});

describe('bounds', () => {
  test('of one pod, and of all: each flow is in the answer or lost', async () => {
    open({ maxPodCounts: 5, maxKinds: 8 });
    for (const name of ['web', 'api', 'third'])
      send(
        name,
        Array.from({ length: 7 }, (_, port) =>
          flowCount({ port: 1_000 + port, flows: 10, peer: '10.0.0.1' }),
        ),
      );
    const { flows, lost } = await ask();
    expect(flows.reduce((sum, edge) => sum + edge.flows, 0)).toBe(80);
    expect(lost).toEqual([{ flows: 130, why: 'there were too many kinds of flows at a time' }]);
    expect(collection.turn(NOON).lost).toEqual([['kinds', 130]]);
    expect(collection.turn(NOON).lost).toEqual([]);
  });

  test('outside addresses of one workload: the first by address, then by network, then as one', async () => {
    open({ maxPodCounts: 10_000 });
    const peers = Array.from({ length: 800 }, (_, one) => `198.${one >> 8}.${one & 255}.7`);
    for (let at = 0; at < peers.length; at += 100)
      send(
        'web',
        peers.slice(at, at + 100).map((peer) => flowCount({ direction: 'egress', peer })),
      );
    const { flows } = await ask({ limit: MAX_EDGES });
    const places = flows.map(({ dst }) => dst.address ?? '');
    expect(places.filter((place) => !place.includes('/') && place !== OTHER_PEERS)).toHaveLength(256);
    expect(places.filter((place) => place.includes('/'))).toHaveLength(256);
    expect(flows.find(({ dst }) => dst.address === OTHER_PEERS)?.flows).toBe(800 - 512);
  });

  test('the ring forgets what is older than 15 minutes, and says since when it knows', async () => {
    send('web', [flowCount()]);
    collection.turn(NOON + 20 * MINUTE_MS);
    const { flows, observed_since } = await ask({ since: 0 }, NOON + 20 * MINUTE_MS);
    expect(flows).toEqual([]);
    expect(Date.parse(observed_since)).toBeGreaterThan(NOON);
  });

  test('with too many kinds in all the ring becomes shorter, not wrong', async () => {
    open({ maxAll: 10 });
    for (let step = 0; step < 4; step += 1)
      send(
        'web',
        Array.from({ length: 4 }, (_, port) => flowCount({ port: 1_000 + port })),
        NOON + step * 10_000,
      );
    collection.turn(NOON + 40_000);
    const { flows, observed_since } = await ask({ since: 0 }, NOON + 40_000);
    expect(flows.reduce((sum, edge) => sum + edge.flows, 0)).toBe(8);
    expect(observed_since).toBe(new Date(NOON + 20_000).toISOString());
  });
});

describe('with a store', () => {
  beforeEach(() => {
    collection.close(NOON);
    dir = mkdtempSync(join(tmpdir(), 'sluice-flows-'));
    open({}, NOON - 3 * DAY_MS);
  });

  test('a span is answered by the finest steps that reach back to it, and no flow counts twice', async () => {
    let sent = 0;
    for (let atMs = NOON - 3 * DAY_MS; atMs <= NOON; atMs += 10 * MINUTE_MS) {
      send('web', [flowCount()], atMs);
      sent += 1;
      collection.turn(atMs);
    }
    const total = async (sinceMs: number) => (await ask({ since: sinceMs })).flows[0]?.flows ?? 0;
    expect(await total(0)).toBe(sent); // hours, then minutes
    expect(await total(NOON - DAY_MS)).toBe(6 * 24 + 1); // minutes
    expect(await total(NOON - 5 * MINUTE_MS)).toBe(1); // the ring
    expect(await total(NOON - 60 * HOUR_MS)).toBe(6 * 60 + 1);
    expect((await ask({ since: 0 })).observed_since).toBe(new Date(NOON - 3 * DAY_MS).toISOString());
  });

  test('files that cannot be opened, or were set aside, are named in answers of their time, and the others read', async () => {
    for (const atMs of [NOON - 2 * DAY_MS, NOON]) {
      send('web', [flowCount()], atMs);
      collection.turn(atMs);
    }
    mkdirSync(join(dir ?? '', 'hours-2026-11-29.db')); // not even root opens a folder as a file
    writeFileSync(join(dir ?? '', 'hours-2026-11-27.db'), 'x'.repeat(4_096));
    const answer = await ask({ since: NOON - 3 * DAY_MS });
    expect(answer.flows.map(({ flows }) => flows)).toEqual([2]);
    expect(answer.lost).toEqual([
      { flows: 0, why: expect.stringMatching(/^hours-2026-11-29\.db could not be read: ./) },
      { flows: 0, why: 'hours-2026-11-27.db could not be read, and was set aside' },
    ]);
    expect((await ask({ since: NOON - HOUR_MS })).lost).toEqual([]);
  });

  test('what was lost is said of its span alone', async () => {
    collection.lose('queue', 7, NOON - 2 * HOUR_MS);
    collection.turn(NOON);
    expect((await ask({ since: NOON - 3 * HOUR_MS })).lost).toEqual([
      { flows: 7, why: 'the collector was behind by 8 MB' },
    ]);
    expect((await ask({ since: NOON - HOUR_MS })).lost).toEqual([]);
  });
});

describe('who follows', () => {
  const all = { since: 0, until: 0 };

  test('gets what has come since the last turn, once, and what fits', () => {
    const got: string[] = [];
    collection.follow(1, { ...all, outcomes: ['deny'] }, (edges) => got.push(...short(edges)));
    send('api', [flowCount(), flowCount({ outcome: 'deny', flows: 2 })]);
    collection.turn(NOON);
    collection.turn(NOON + SECOND_MS);
    expect(got).toEqual(['deploy/web -> deploy/api deny 2 destination']);
    collection.unfollow(1);
    send('api', [flowCount({ outcome: 'deny' })]);
    collection.turn(NOON + 2 * SECOND_MS);
    expect(got).toHaveLength(1);
  });

  test('is sent no more than 1,000 edges a turn, and how many are left out is told', () => {
    const got: [number, number][] = [];
    collection.follow(1, all, (edges, missed) => got.push([edges.length, missed]));
    collection.follow(2, { ...all, ports: [1] }, (edges, missed) => got.push([edges.length, missed]));
    // Windows of several times, since one pod has a bound of kinds in ten seconds.
    for (const base of [1, 401, 801]) {
      const ports = Array.from({ length: 400 }, (_, index) => base + index);
      send(
        'api',
        ports.map((port) => flowCount({ port })),
        NOON - base * 100,
      );
    }
    collection.turn(NOON);
    expect(got).toEqual([
      [1_000, 200],
      [1, 0],
    ]);
  });

  test('does not get a flow twice when its ends report at different times', () => {
    const got: string[] = [];
    collection.follow(1, all, (edges) => got.push(...short(edges)));
    send('api', [flowCount({ peer: '10.0.0.1' })]);
    collection.turn(NOON);
    send('web', [flowCount({ direction: 'egress', peer: '10.0.0.2' })], NOON + SECOND_MS);
    collection.turn(NOON + SECOND_MS);
    expect(got).toEqual(['deploy/web -> deploy/api allow 1 destination']);
  });
});
