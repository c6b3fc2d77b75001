/** Every flow of a pod that no policy isolates is counted, in and out, on both paths: real packets, and what its sidecar sends of them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import type { FlowCount, FlowRecord } from '../../flows/index.ts';
import { labPaths } from '../../lab/names/index.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import { namespace, node, pod, policy } from '../builders/manifests.ts';
import { HeardInjector } from '../support/heard_injector.ts';
import { run } from './command.ts';
import { ANSWER, SILENCE, uniqueLabName, until, useLab } from './harness.ts';
import { usePackets } from './tools/packets.ts';

const FREE = ['10.1.1.10', 'fd00:1::10'] as const;
const OTHER = ['10.1.1.11', 'fd00:1::11'] as const;
const GUARDED = ['10.1.1.12', 'fd00:1::12'] as const;
const FAMILIES = [0, 1] as const;

const PROXY_PORT = 80;
const DIRECT_PORT = 8080;
const UDP_PORT = 53;
const SCTP_PORT = 3868;

/** A window has ten seconds; the kernel finds out within some more that an entry has expired. */
const COUNTED_MS = 40_000;

const name = uniqueLabName();
const folder = mkdtempSync(join(tmpdir(), 'sluice-counted-'));
const socket = join(folder, 'injector.sock');

let injector: HeardInjector;
beforeAll(() => {
  injector = new HeardInjector(socket, labPaths(name).injectorSocket);
});
const packets = usePackets();
const ports = [PROXY_PORT, DIRECT_PORT, `UDP/${UDP_PORT}`];
const net = useLab({
  name,
  sidecarEnv: {
    SLUICE_SOURCE: `unix:${socket}`,
    SLUICE_PATH: `proxy,${DIRECT_PORT}=direct`,
    SLUICE_FLOW_HISTORY: '2',
  },
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/free', { labels: { app: 'free' }, ips: [...FREE], ports }),
    pod('shop/other', { labels: { app: 'other' }, ips: [...OTHER], ports }),
    pod('shop/guarded', { labels: { app: 'guarded' }, ips: [...GUARDED], ports }),
    policy('shop/nobody', { podSelector: { matchLabels: { app: 'guarded' } }, policyTypes: ['Ingress'] }),
  ],
});
afterAll(() => {
  injector.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Entries of connection tracking go soon: it reports UDP, SCTP and bytes only then. */
const TIMEOUTS = [
  'tcp_timeout_time_wait',
  'tcp_timeout_close',
  'udp_timeout',
  'udp_timeout_stream',
  'sctp_timeout_established',
].map((timeout) => `net.netfilter.nf_conntrack_${timeout}=1`);

beforeAll(async () => {
  for (const target of ['shop/free', 'shop/other']) {
    await run(inNetns(net.lab.netns(target), ['sysctl', '-qw', ...TIMEOUTS]));
    await packets.tool.serveSctp(net.lab, target, [SCTP_PORT]);
  }
});
beforeEach(() => {
  injector.windows.clear();
  // Who lists entries has the kernel drop those that have expired; by itself it takes up to a minute.
  const listing = setInterval(() => {
    for (const target of ['shop/free', 'shop/other'])
      void run(inNetns(net.lab.netns(target), ['cat', '/proc/net/nf_conntrack']));
  }, 1_000);
  onTestFinished(() => clearInterval(listing));
});

interface Sum {
  flows: number;
  sent: number;
  received: number;
}

/** What the sidecar of a pod has sent: sums of all windows, by direction, outcome, protocol, port and peer. */
function sumsOf(target: string): ReadonlyMap<string, Sum> {
  const sums = new Map<string, Sum>();
  for (const { counts } of injector.windows.get(target) ?? [])
    for (const count of counts) {
      const sum = sums.get(keyOf(count)) ?? { flows: 0, sent: 0, received: 0 };
      sum.flows += count.flows;
      sum.sent += count.sent;
      sum.received += count.received;
      sums.set(keyOf(count), sum);
    }
  return sums;
}

type Key = Pick<FlowCount, 'direction' | 'outcome' | 'protocol' | 'port' | 'peer'>;

function keyOf({ direction, outcome, protocol, port, peer }: Key): string {
  return `${direction} ${outcome} ${protocol}/${port} ${peer}`;
}

/** How often each is done, so that no two numbers are the same. */
const TIMES = { proxy: 3, direct: 5, udp: 7, sctp: 2 } as const;

const LINE = 'x'.repeat(1_000);

/** Connects, and sends datagrams and SCTP chunks, over one family. */
async function converse(from: string, source: string, address: string): Promise<void> {
  for (const [port, times] of [
    [PROXY_PORT, TIMES.proxy],
    [DIRECT_PORT, TIMES.direct],
  ] as const)
    for (let time = 0; time < times; time += 1)
      expect(await net.connect(from, address, port, { send: `${LINE}\n` })).toMatchObject({ allowed: true });
  for (let time = 0; time < TIMES.udp; time += 1)
    expect(await net.datagram(from, address, UDP_PORT)).toMatchObject({ allowed: true });
  const probe = { source, address, port: SCTP_PORT, isWhole: true, ...ANSWER };
  for (let time = 0; time < TIMES.sctp; time += 1)
    expect(await packets.tool.probeSctp(net.lab, from, probe)).toBe(true);
}

/** What has to be counted of one end of that conversation. TCP bytes: payload where the sidecar has the connection, else packets. */
function expectedOf(
  direction: FlowCount['direction'],
  peer: string,
  source: string,
): ReadonlyMap<string, object> {
  const ip = peer.includes(':') ? 40 : 20;
  const of = (protocol: FlowCount['protocol'], port: number): string =>
    keyOf({ direction, outcome: 'allow', protocol, port, peer });
  const tcp = (flows: number): object =>
    direction === 'ingress'
      ? { flows, received: flows * (LINE.length + 1), sent: flows * (source.length + 1) }
      : {
          flows,
          received: expect.toSatisfy(isBetween(flows * 1_000, flows * 2_000)),
          sent: expect.toSatisfy(isBetween(1, flows * 1_000)),
        };
  const udp = (bytes: number): number => TIMES.udp * (bytes + 8 + ip);
  const sctp = (...chunks: readonly number[]): number =>
    TIMES.sctp * chunks.reduce((sum, bytes) => sum + bytes + 12 + ip, 0);
  return new Map([
    [of('TCP', PROXY_PORT), tcp(TIMES.proxy)],
    [of('TCP', DIRECT_PORT), tcp(TIMES.direct)],
    [
      of('UDP', UDP_PORT),
      { flows: TIMES.udp, received: udp('hello\n'.length), sent: udp(source.length + 1) },
    ],
    // INIT and COOKIE ECHO; INIT ACK and COOKIE ACK.
    [of('SCTP', SCTP_PORT), { flows: TIMES.sctp, received: sctp(20, 8), sent: sctp(28, 4) }],
  ]);
}

function isBetween(least: number, most: number): (value: number) => boolean {
  return (value) => value > least && value < most;
}

test('TCP by proxy and direct, UDP and SCTP, both ways, both families: the sums are what was sent', async () => {
  for (const family of FAMILIES) {
    await converse('shop/free', FREE[family], OTHER[family]);
    await converse('shop/other', OTHER[family], FREE[family]);
  }
  const patience = { timeout: COUNTED_MS, interval: 500 };
  const allowed = () => new Map([...sumsOf('shop/free')].filter(([key]) => key.includes(' allow ')));
  await expect
    .poll(allowed, patience)
    .toEqual(
      new Map(
        FAMILIES.flatMap((family) => [
          ...expectedOf('egress', OTHER[family], FREE[family]),
          ...expectedOf('ingress', OTHER[family], OTHER[family]),
        ]),
      ),
    );
  for (const { lost, eventsLost, counts } of injector.windows.get('shop/free') ?? []) {
    expect({ lost, eventsLost }).toEqual({ lost: 0, eventsLost: 0 });
    for (const { reason } of counts) expect(reason).toBe('not-isolated');
  }
  // The other end says the same of what came from this pod.
  for (const family of FAMILIES)
    for (const [key, value] of expectedOf('ingress', FREE[family], FREE[family]))
      await expect.poll(() => sumsOf('shop/other').get(key), patience).toEqual(value);
});

test('metrics count them too', async () => {
  const { body } = await net.admin('shop/free', '/metrics');
  const count = (direction: string) =>
    Number(
      new RegExp(
        `^sluice_connections_total{direction="${direction}",verdict="allow",reason="not-isolated"} (\\d+)$`,
        'm',
      ).exec(body)?.[1],
    );
  const all = 2 * Object.values(TIMES).reduce((sum, times) => sum + times, 0);
  expect([count('ingress'), count('egress')]).toEqual([all, all]);
});

test('a denial is a single event, is logged, and is not pushed out of /flows by what passes', async () => {
  expect(await net.connect('shop/free', GUARDED[0], PROXY_PORT, SILENCE)).toMatchObject({ allowed: false });
  const flows = async () => JSON.parse((await net.admin('shop/guarded', '/flows')).body) as FlowRecord[];
  await until('it is recorded', async () => (await flows()).length > 0);
  for (let time = 0; time < 4; time += 1) await net.connect('shop/guarded', GUARDED[0], PROXY_PORT); // itself
  await net.apply(
    policy('shop/nobody', {
      podSelector: { matchLabels: { app: 'guarded' } },
      policyTypes: ['Ingress'],
      ingress: [{}],
    }),
  );
  for (let time = 0; time < 4; time += 1)
    expect(await net.connect('shop/free', GUARDED[0], PROXY_PORT)).toMatchObject({ allowed: true });
  await until('two others are there', async () => (await flows()).length === 3);
  expect((await flows()).map(({ verdict }) => verdict)).toEqual(['deny', 'allow', 'allow']);
  const lines = net.sidecarLog('shop/guarded').filter(({ msg }) => String(msg).startsWith('flow '));
  expect(lines.map(({ msg }) => msg)).toEqual(['flow denied']);
  const window = await until(
    'it is sent',
    async () => injector.windows.get('shop/guarded')?.find(({ events }) => events.length > 0),
    COUNTED_MS,
    500,
  );
  expect(window.counts).toContainEqual(
    expect.objectContaining({ outcome: 'deny', peer: FREE[0], port: PROXY_PORT, flows: 1 }),
  );
  expect(JSON.parse(window.events[0] ?? '')).toMatchObject({ end: 'dropped', src: { addr: FREE[0] } });
});
