/**
 * A flood of SYNs that the gate denies, beside a flow that it allows.
 *
 * The flood's sender is on the same machine as the flow: making the packets and taking them to the pod costs the flow as
 * well, more than the gate does. The sender runs in the pods' node, one hop away, and on one processor, as the
 * interrupts of a network card's queue would. Slices with and without the flood alternate: a slice alone says little.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Readable } from 'node:stream';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { IPERF_SERVER, iperfClient, readBulk } from '../../bench/load/iperf3.ts';
import { installTools } from '../../bench/tools.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import { type ProcessId, signalProcess, waitGone } from '../../lab/processes/process.ts';
import { DENIED_SIZE } from '../../sidecar/gate/kernel/ruleset.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { run } from './command.ts';
import { until, useLab } from './harness.ts';
import { type FloodResult, usePackets } from './tools/packets.ts';

const APP = '10.1.1.10';
/** Nobody's: set aside for benchmarks, RFC 2544. */
const SOURCES = '198.18.0.0/15';

/** Denied SYNs a second. */
const RATE = 50_000;
/** What the sender has to reach, at least, for the figures to mean something. */
const RATE_MIN = 25_000;
/** Each has a slice of either kind. A slice is as long as the sidecar's reading interval. */
const ROUNDS = 12;
const SLICE_SECONDS = 2;

/** Share of its throughput that the flow may lose to the flood. */
const LOSS_MAX = 0.2;

/** Most that the flood may add to the sidecar's resident memory: readings of a full set that wait to be collected. */
const GROWTH_BYTES = 160 * 1024 ** 2;

/** Each reading of the denied set logs 50 peers and one line for the others, every 2 s. */
const LINES_PER_READING = 51;
const READING_MS = 2_000;
/** How long the last one may take, of a full set, with the sidecar's end. */
const LAST_READING_MS = 20_000;

const packets = usePackets();
const net = useLab({
  // Neighbours' multicast would count as dropped too.
  sidecarEnv: { SLUICE_OTHER_PROTOCOLS: 'accept' },
  objects: [
    node(1),
    namespace('x'),
    pod('x/app', { labels: { app: 'app' }, ips: [APP] }),
    pod('x/client', { labels: { app: 'client' }, ips: ['10.1.1.11'] }),
    allowApps('x/allow', 'app', ['client']),
  ],
});

beforeAll(() => installTools(['iperf3']));

test('a flood of denied SYNs costs an allowed flow little, and the sidecar no memory or log without bound', async () => {
  const { pid } = net.lab.process('x/app', 'sidecar');
  const endless = { kind: 'receive', bytes: Number.MAX_SAFE_INTEGER, sentBytesPerSecond: 10_000 } as const;
  await net.open('x/client', { group: 'flow', count: 1, address: APP, port: 80, work: endless });
  await throughput(); // code gets compiled
  const startedAt = performance.now();
  const linesBefore = net.sidecarLog('x/app').length;
  const memoryBefore = residentBytes(pid);
  let memoryPeak = memoryBefore;
  const timer = setInterval(() => {
    memoryPeak = Math.max(memoryPeak, residentBytes(pid));
  }, 50);
  onTestFinished(() => clearInterval(timer));

  const rounds: { calm: number; flooded: number; flood: FloodResult }[] = [];
  const lostBefore = lostPackets();
  let sent = 0;
  const counted = async () => (await gateDrops()) + lostPackets() - lostBefore >= sent;
  while (rounds.length < ROUNDS) {
    // Every packet is counted, though the set has no room for all their sources; and no other slice pays for it.
    await until('every drop is counted', counted);
    const calm = await throughput();
    const [flooded, result] = await Promise.all([throughput(), flood()]);
    rounds.push({ calm, flooded, flood: result });
    sent += result.sent;
  }
  const rate = sent / sum(rounds.map(({ flood }) => flood.seconds));
  const kept = sum(rounds.map(({ flooded }) => flooded)) / sum(rounds.map(({ calm }) => calm));

  await until('every drop is counted', counted);
  clearInterval(timer);
  const denied = await deniedPeers();
  const readings = Math.ceil((performance.now() - startedAt) / READING_MS) + 1;
  const lines = net.sidecarLog('x/app').length - linesBefore;
  console.info(
    [
      `denied SYNs: ${sent}, ${Math.round(rate)}/s, by ${denied} peers in the set`,
      `allowed flow, MB/s: ${figures(rounds.map(({ calm }) => calm))} calm; ` +
        `${figures(rounds.map(({ flooded }) => flooded))} with the flood`,
      `kept, %: ${percent(kept)}; by round ${rounds.map(({ calm, flooded }) => percent(flooded / calm)).join(', ')}`,
      `sidecar: ${megabytes(memoryPeak - memoryBefore)} MB more at the peak, ${lines} log lines`,
    ].join('\n'),
  );
  expect(rate).toBeGreaterThan(RATE_MIN);
  expect(1 - kept).toBeLessThan(LOSS_MAX);
  expect(await gateDrops()).toBeLessThanOrEqual(sent);
  expect(denied).toBeLessThanOrEqual(DENIED_SIZE);
  expect(memoryPeak - memoryBefore).toBeLessThan(GROWTH_BYTES);
  expect(lines).toBeLessThanOrEqual(readings * LINES_PER_READING);
  expect((await net.report('x/client', 'flow'))[0]).toMatchObject({ state: 'open' });
  expect((await net.admin('x/app', '/readyz')).status).toBe(200);

  // What got no line of its own is in the lines for the others: no packet is left out.
  await net.agent('x/client').ask({ do: 'close', group: 'flow' });
  await ended(net.lab.process('x/app', 'sidecar'));
  const logged = net
    .sidecarLog('x/app')
    .filter(({ msg, end }) => msg === 'more packets dropped' || end === 'dropped')
    .map((line) => Number(line.packets));
  expect(sum(logged) + lostPackets() - lostBefore).toBeGreaterThanOrEqual(sent);
}, 240_000);

/** Ends a sidecar that has a full set of denied peers to report. */
async function ended(sidecar: ProcessId): Promise<void> {
  signalProcess(sidecar, 'SIGTERM');
  await waitGone([sidecar], LAST_READING_MS);
}

function flood(): Promise<FloodResult> {
  const where = { sources: SOURCES, address: APP, port: 80, cpu: availableParallelism() - 1 };
  return packets.tool.floodSyns(net.lab, 'node/node-1', { ...where, rate: RATE, seconds: SLICE_SECONDS });
}

/** What a flow gets during a slice, bytes a second. */
async function throughput(): Promise<number> {
  const argv = [...IPERF_SERVER, '--one-off', '--forceflush'];
  const server = net.lab.spawnIn('x/app', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void server.kill());
  await listening(server.stdout);
  const load = { streams: 1, direction: 'up', seconds: SLICE_SECONDS } as const;
  const moved = readBulk(await run(inNetns(net.lab.netns('x/client'), iperfClient(APP, load))));
  return (moved?.bitsPerSecond ?? Number.NaN) / 8;
}

/** Until iperf3 has said so; the rest of what it says is read and dropped. */
function listening(output: Readable | null): Promise<void> {
  return new Promise((resolve, reject) => {
    output?.on('data', (text: Buffer) => {
      if (text.includes('listening')) resolve();
    });
    output?.on('end', () => reject(new Error('iperf3 does not listen')));
  });
}

async function gateDrops(): Promise<number> {
  const { body } = await net.admin('x/app', '/metrics');
  return Number(/^sluice_gate_drops_total\{direction="ingress"\} (\d+)$/m.exec(body)?.[1] ?? 0);
}

/** Elements of the kernel's set of denied peers. */
async function deniedPeers(): Promise<number> {
  // Counted by the shell: the listing has megabytes.
  const command = "nft list set inet sluice in_denied4 | grep -o 'counter packets' | wc -l";
  return Number(await run(inNetns(net.lab.netns('x/app'), ['sh', '-c', command])));
}

/** What the kernel could not take in time, on the whole machine; the second column of /proc/net/softnet_stat. */
function lostPackets(): number {
  const lines = readFileSync('/proc/net/softnet_stat', 'utf8').trim().split('\n');
  return sum(lines.map((line) => Number.parseInt(line.split(' ')[1] ?? '', 16)));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Resident memory, proc(5). */
function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}

/** The mean, and from where to where: in MB. */
function figures(bytes: readonly number[]): string {
  return `${megabytes(sum(bytes) / bytes.length)} (${megabytes(Math.min(...bytes))} to ${megabytes(Math.max(...bytes))})`;
}

function percent(share: number): string {
  return (100 * share).toFixed();
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed();
}
