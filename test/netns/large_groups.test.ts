/**
 * Groups of which a sidecar knows only the members that it has asked about, on real packets: whom it meets first, whom it has met,
 * and who is no member.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { labPaths } from '../../lab/names/index.ts';
import { allowApps, type Manifest, namespace, node, pod, policy, service } from '../builders/manifests.ts';
import { HeardInjector } from '../support/heard_injector.ts';
import { ANSWER, SILENCE, uniqueLabName, until, useLab, wallClockMs } from './harness.ts';
import { usePackets } from './tools/packets.ts';

const API = '10.1.1.10';
const API_V6 = 'fd00:1::10';
const FRONT = '10.1.1.11';
const FRONT_V6 = 'fd00:1::11';
const WORKER = '10.1.1.12';
const BATCH = '10.1.1.13';
const DB = '10.1.1.20';
const DB_V6 = 'fd00:1::20';
const DB_2 = '10.1.1.21';
const DB_SERVICE = '10.96.0.20';
const DNS_SERVICE = '10.96.0.10';
/** Nobody's: set aside for benchmarks, RFC 2544. */
const STRANGERS = '198.18.0.0/20';

/** A SYN is sent again after 1 s. The rest is for a busy machine. */
const FIRST_CONNECT_MS = 2_500;
const SECOND_SYN_MS = 900;
const AT_ONCE_MS = 900;

/** How long the sidecar waits for an answer. */
const ANSWER_MS = 500;

/** When a denial that has no record by then gets none: records are written every 2 s. */
const RECORDED_MS = 3_000;

const name = uniqueLabName();
const folder = mkdtempSync(join(tmpdir(), 'sluice-large-'));
const socket = join(folder, 'injector.sock');

// The lab's injector has no larger group.
process.env.SLUICE_LARGE_GROUP = '1';

let injector: HeardInjector;
beforeAll(() => {
  injector = new HeardInjector(socket, labPaths(name).injectorSocket);
});

const packets = usePackets();

/** Admits addresses, by blocks: no group has a say. */
const byBlock = (addresses: readonly string[]): Manifest =>
  policy('shop/allow', {
    podSelector: { matchLabels: { app: 'api' } },
    policyTypes: ['Ingress'],
    ingress: [
      { from: addresses.map((ip) => ({ ipBlock: { cidr: `${ip}/${ip.includes(':') ? 128 : 32}` } })) },
    ],
  });

/** What shop/out may reach. */
const reach = (...to: readonly object[]): Manifest =>
  policy('shop/out', {
    podSelector: { matchLabels: { app: 'out' } },
    policyTypes: ['Egress'],
    egress: [{ to }],
  });
const app = (label: string) => ({ podSelector: { matchLabels: { app: label } } });

const net = useLab({
  name,
  // A reset could not be taken back: where peers are asked about there is none.
  sidecarEnv: { SLUICE_SOURCE: `unix:${socket}`, SLUICE_DENY: 'reset', SLUICE_FLOW_HISTORY: '10000' },
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: [API, API_V6], ports: [80, 'UDP/53'] }),
    pod('shop/front', { labels: { app: 'front' }, ips: [FRONT, FRONT_V6] }),
    pod('shop/worker', { labels: { app: 'worker' }, ips: [WORKER, 'fd00:1::12'] }),
    pod('shop/batch', { labels: { app: 'batch' }, ips: [BATCH, 'fd00:1::13'] }),
    pod('shop/db', { labels: { app: 'db' }, ips: [DB, DB_V6], ports: [80, 'UDP/53'] }),
    pod('shop/db-2', { labels: { app: 'db' }, ips: [DB_2], ports: [80, 'UDP/53'] }),
    pod('shop/out', { labels: { app: 'out' }, ips: ['10.1.1.30', 'fd00:1::30'] }),
    service('shop/db', { ips: [DB_SERVICE], app: 'db' }),
    service('shop/names', { ips: [DNS_SERVICE], ports: ['UDP/53'], app: 'db' }),
    allowApps('shop/allow', 'api', ['front', 'worker']),
    reach(app('db')),
  ],
});
afterAll(() => {
  injector.close();
  rmSync(folder, { recursive: true, force: true });
});

const echo = { kind: 'echo', chunkBytes: 512, intervalMs: 100 } as const;
const open = (from: string, group: string, address = API) =>
  net.open(from, { group, count: 3, address, port: 80, work: echo });

const flowsOf = (of: string) => net.flows(of);
const dropsOf = async (of: string, side: 'src' | 'dst', address: string) =>
  (await flowsOf(of)).filter((flow) => flow.end === 'dropped' && flow[side].addr === address);
const askedBy = (of: string, address: string) =>
  (injector.asked.get(of) ?? []).filter((one) => one === address).length;

/** Sidecars forget whom they have met, and no question is open. */
async function strangersAgain(): Promise<void> {
  await net.apply(byBlock([]), reach({ ipBlock: { cidr: '192.0.2.1/32' } }));
  injector.disconnect();
  await net.lab.waitEnforced();
}

beforeEach(() => {
  injector.isSilent = false;
});

async function expectFirstConnect(from: string, address: string): Promise<void> {
  const first = await net.connect(from, address, 80);
  expect(first).toMatchObject({ allowed: true });
  expect(first.ms).toBeGreaterThan(SECOND_SYN_MS);
  expect(first.ms).toBeLessThan(FIRST_CONNECT_MS);
  const second = await net.connect(from, address, 80);
  expect(second).toMatchObject({ allowed: true });
  expect(second.ms).toBeLessThan(AT_ONCE_MS);
}

test('the first connect of a member takes a second, the next ones none, and neither was denied', async () => {
  await expectFirstConnect('shop/front', API);
  await new Promise((resolve) => setTimeout(resolve, RECORDED_MS));
  expect(await dropsOf('shop/api', 'src', FRONT)).toEqual([]);
});

test('the second datagram of a member gets through', async () => {
  expect(await net.datagram('shop/front', API_V6, 53, SILENCE)).toMatchObject({ allowed: false });
  expect(await net.datagram('shop/front', API_V6, 53)).toMatchObject({ allowed: true });
  const metrics = (await net.admin('shop/api', '/metrics')).body;
  expect(metrics).toContain('sluice_partial_groups 2\n');
  expect(metrics).toContain('sluice_met_addresses 2\n');
});

test('who is no member stays out, without a reset, and has a record that says why', async () => {
  const started = performance.now();
  const tried = await net.connect('shop/batch', API, 80, { timeoutMs: 2_000 });
  expect(tried).toMatchObject({ allowed: false, connected: false, timedOut: true });
  const [record] = await until('a record', async () => {
    const records = await dropsOf('shop/api', 'src', BATCH);
    return records.length > 0 && records;
  });
  expect(record).toMatchObject({
    reason: 'no-rule',
    src: { pod: 'batch' },
    explanation: expect.stringContaining('shop/allow'),
    near: [expect.anything()],
  });
  const seconds = (performance.now() - started) / 1000;
  expect(askedBy('shop/api', BATCH)).toBeGreaterThan(0);
  expect(askedBy('shop/api', BATCH)).toBeLessThanOrEqual(Math.ceil(seconds) + 2);
});

test('a pod reaches those that its egress policy names, and nobody else', async () => {
  await expectFirstConnect('shop/out', DB_V6);
  expect(await net.connect('shop/out', BATCH, 80, { timeoutMs: 2_000 })).toMatchObject({
    allowed: false,
    timedOut: true,
  });
  await until('a record', async () => (await dropsOf('shop/out', 'dst', BATCH)).length > 0);
  expect(await dropsOf('shop/out', 'dst', DB_V6)).toEqual([]);
});

test('the second lookup of a name gets through where the Service is not in resolv.conf, and all its backends are met', async () => {
  expect(await net.datagram('shop/out', DNS_SERVICE, 53, SILENCE)).toMatchObject({ allowed: false });
  expect(await net.datagram('shop/out', DNS_SERVICE, 53)).toMatchObject({ allowed: true });
  expect(await net.connect('shop/out', DB_SERVICE, 80, ANSWER)).toMatchObject({ allowed: true });
  expect([askedBy('shop/out', DB) > 0, askedBy('shop/out', DB_2) > 0]).toEqual([true, true]);
});

test('a Service whose backends nobody has met is reached a second later', async () => {
  await net.delete(service('shop/names', { ips: [DNS_SERVICE], ports: ['UDP/53'], app: 'db' }));
  await strangersAgain();
  await net.apply(reach(app('db')));
  const first = await net.connect('shop/out', DB_SERVICE, 80);
  expect(first).toMatchObject({ allowed: true });
  expect(first.ms).toBeGreaterThan(SECOND_SYN_MS);
  expect([askedBy('shop/out', DB) > 0, askedBy('shop/out', DB_2) > 0]).toEqual([true, true]);
});

test('a change after which only a partial group allows a flow leaves the flow alone', async () => {
  await strangersAgain();
  await net.apply(byBlock([WORKER]), reach({ ipBlock: { cidr: `${DB}/32` } }));
  await Promise.all([open('shop/worker', 'kept'), open('shop/out', 'kept', DB)]);
  await net.apply(allowApps('shop/allow', 'api', ['worker']), reach(app('db')));
  expect([askedBy('shop/api', WORKER) > 0, askedBy('shop/out', DB) > 0]).toEqual([true, true]);
  for (const flow of await Promise.all([
    net.finish('shop/worker', 'kept'),
    net.finish('shop/out', 'kept'),
  ]).then((all) => all.flat())) {
    expect(flow.state).toBe('ended');
    expect(flow.receivedSha256).toBe(flow.sentSha256);
  }
});

test('a flow whose peer is no member is reset at both ends before the table is acknowledged', async () => {
  await strangersAgain();
  await net.apply(byBlock([BATCH]), reach({ ipBlock: { cidr: `${BATCH}/32` } }));
  await Promise.all([open('shop/batch', 'cut'), open('shop/out', 'cut', BATCH)]);
  await net.apply(allowApps('shop/allow', 'api', ['front']), reach(app('db')));
  const acknowledgedAt = wallClockMs();
  const [inbound, outbound] = [await net.report('shop/batch', 'cut'), await net.report('shop/out', 'cut')];
  expect(inbound.map(({ error }) => error)).toEqual(inbound.map(() => 'ECONNRESET'));
  expect(outbound.map(({ error }) => error)).toEqual(outbound.map(() => 'ECONNABORTED')); // by its own kernel
  for (const { overAt } of [...inbound, ...outbound]) expect(overAt).toBeLessThan(acknowledgedAt);
  const ended = (await flowsOf('shop/api')).filter(
    ({ end, src }) => end === 'policy-changed' && src.addr === BATCH,
  );
  expect(ended.length).toBe(3);
});

test('where nobody answers, flows end after the time for an answer, and nobody is let in', async () => {
  await strangersAgain();
  await net.apply(byBlock([WORKER]));
  await open('shop/worker', 'unanswered');
  injector.isSilent = true;
  const changedAt = wallClockMs();
  net.lab.writeObjects(allowApps('shop/allow', 'api', ['worker', 'front']));
  const over = await net.allOver('shop/worker', 'unanswered');
  await net.lab.waitEnforced();
  for (const { error, overAt = 0 } of over) {
    expect(error).toBe('ECONNRESET');
    expect(overAt - changedAt).toBeGreaterThan(ANSWER_MS * 0.9);
    expect(overAt - changedAt).toBeLessThan(ANSWER_MS + 1_000);
  }
  const tried = await net.connect('shop/front', API, 80, { timeoutMs: 2_500 });
  expect(tried).toMatchObject({ allowed: false, connected: false, timedOut: true });
  injector.isSilent = false;
  expect(await net.connect('shop/front', API, 80)).toMatchObject({ allowed: true });
});

test('another connection loses nobody who was met', async () => {
  await net.apply(allowApps('shop/allow', 'api', ['front', 'worker']));
  await net.connect('shop/front', API, 80);
  await open('shop/front', 'survivor');
  injector.disconnect();
  await net.lab.waitEnforced();
  const again = await net.connect('shop/front', API, 80);
  expect(again).toMatchObject({ allowed: true });
  expect(again.ms).toBeLessThan(AT_ONCE_MS);
  for (const flow of await net.finish('shop/front', 'survivor')) expect(flow.state).toBe('ended');
});

test('where no partial group has a say, a denied connect is reset at once', async () => {
  await net.apply(byBlock([WORKER]));
  const refused = await net.connect('shop/batch', API, 80);
  expect(refused).toMatchObject({ allowed: false, error: expect.stringContaining('ECONNREFUSED') });
});

test('a scan from thousands of addresses leaves questions bounded, and members get in', async () => {
  await strangersAgain();
  await net.apply(allowApps('shop/allow', 'api', ['front', 'worker']));
  const before = injector.asked.get('shop/api')?.length ?? 0;
  const seconds = 5;
  const where = { sources: STRANGERS, address: API, port: 80, cpu: availableParallelism() - 1 };
  const scan = packets.tool.floodSyns(net.lab, 'node/node-1', { ...where, rate: 2_000, seconds });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const first = await net.connect('shop/front', API, 80);
  await scan;
  expect(first).toMatchObject({ allowed: true });
  const asked = (injector.asked.get('shop/api')?.length ?? 0) - before;
  console.info(
    `${asked} questions in a scan of ${seconds} s; a member got in after ${Math.round(first.ms)} ms`,
  );
  expect(asked).toBeGreaterThan(1_000);
  expect(asked).toBeLessThan(2_048 * (seconds + 3));
});
