/**
 * A flood of SYNs that the gate denies, beside a flow that it allows.
 *
 * The flood's sender is on the same machine as the flow: on two processors, making the packets and taking them to the
 * pod costs the flow several times what the gate does. So the yardstick is the same flood to a pod where the first
 * rule of all drops it: the difference is the gate, and the sidecar's reading of what was denied. What the flow gets
 * without any flood is printed beside it. The sender runs in the pods' node, one hop away, and on one processor, as the
 * interrupts of a network card's queue would. Slices of each kind alternate, and the median of their ratios counts: a
 * busy moment of the machine does not.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { inNetns } from '../../cli/lab/processes.ts';
import { DENIED_SIZE } from '../../sidecar/gate/ruleset.ts';
import { run } from './command.ts';
import { until, useLab } from './harness.ts';
import { allowApps, namespace, node, pod } from './objects.ts';
import { type FloodResult, usePackets } from './tools/packets.ts';

const APP = '10.1.1.10';
/** Drops the flood before anything looks at it. */
const WALL = '10.1.1.12';
/** Nobody's: set aside for benchmarks, RFC 2544. */
const SOURCES = '198.18.0.0/15';

/** Denied SYNs a second. */
const RATE = 50_000;
/** What the sender has to reach, at least, for the figures to mean something. */
const RATE_MIN = 25_000;
/** Each has a slice of every kind: ten seconds of denied flood. A slice is as long as the sidecar's reading interval. */
const ROUNDS = 5;
const SLICE_SECONDS = 2;

/** Share of its throughput that the flow may lose to the gate. */
const LOSS_MAX = 0.2;

/** Most that the flood may add to the sidecar's resident memory: readings of a full set that wait to be collected. */
const GROWTH_BYTES = 160 * 1024 ** 2;

/** Each reading of the denied set logs 50 peers and one line for the others, every 2 s. */
const LINES_PER_READING = 51;
const READING_MS = 2_000;

const packets = usePackets();
const net = useLab({
  // Neighbours' multicast would count as dropped too.
  sidecarEnv: { SLUICE_OTHER_PROTOCOLS: 'accept' },
  objects: [
    node(1),
    namespace('x'),
    pod('x/app', { labels: { app: 'app' }, ips: [APP] }),
    pod('x/client', { labels: { app: 'client' }, ips: ['10.1.1.11'] }),
    pod('x/wall', { ips: [WALL] }),
    allowApps('x/allow', 'app', ['client']),
  ],
});

test('a flood of denied SYNs costs an allowed flow little, and the sidecar no memory or log without bound', async () => {
  const { pid } = net.lab.process('x/app', 'sidecar');
  const endless = { kind: 'receive', bytes: Number.MAX_SAFE_INTEGER } as const;
  await net.open('x/client', { group: 'flow', count: 1, address: APP, port: 80, work: endless });
  const wall = `table inet wall { chain in { type filter hook prerouting priority raw; ip saddr ${SOURCES} drop; }; }`;
  await run(inNetns(net.lab.netns('x/wall'), ['nft', wall]));
  await throughput(() => sleep(SLICE_SECONDS * 1000)); // code gets compiled, windows grow
  const startedAt = performance.now();
  const linesBefore = net.sidecarLog('x/app').length;
  const memoryBefore = residentBytes(pid);
  let memoryPeak = memoryBefore;
  const timer = setInterval(() => {
    memoryPeak = Math.max(memoryPeak, residentBytes(pid));
  }, 50);
  onTestFinished(() => clearInterval(timer));

  const rounds: { calm: number; walled: number; flooded: number; flood: FloodResult }[] = [];
  let sent = 0;
  while (rounds.length < ROUNDS) {
    // Every packet is counted, though the set has no room for all their sources; and no other slice pays for it.
    const total = sent;
    await until('every drop is counted', async () => (await gateDrops()) >= total);
    const calm = await throughput(() => sleep(SLICE_SECONDS * 1000));
    const walled = await throughput(() => flood(WALL));
    const flooded = await throughput(() => flood(APP));
    rounds.push({
      calm: calm.bytesPerSecond,
      walled: walled.bytesPerSecond,
      flooded: flooded.bytesPerSecond,
      flood: flooded.result,
    });
    sent += flooded.result.sent;
  }
  const rate = sent / rounds.reduce((sum, { flood }) => sum + flood.seconds, 0);
  const kept = median(rounds.map(({ walled, flooded }) => flooded / walled));
  const keptOfCalm = median(rounds.map(({ calm, flooded }) => flooded / calm));

  await until('every drop is counted', async () => (await gateDrops()) >= sent);
  clearInterval(timer);
  const denied = await deniedPeers();
  const readings = Math.ceil((performance.now() - startedAt) / READING_MS) + 1;
  const lines = net.sidecarLog('x/app').length - linesBefore;
  console.info(
    [
      `denied SYNs: ${sent}, ${Math.round(rate)}/s, by ${denied} peers in the set`,
      `allowed flow, MB/s: ${figures(rounds.map(({ calm }) => calm))} calm; ` +
        `${figures(rounds.map(({ walled }) => walled))} with the flood to another pod; ` +
        `${figures(rounds.map(({ flooded }) => flooded))} with the flood denied`,
      `kept: ${Math.round(100 * kept)} % of the former, ${Math.round(100 * keptOfCalm)} % of calm`,
      `sidecar: ${megabytes(memoryPeak - memoryBefore)} MB more at the peak, ${lines} log lines`,
    ].join('\n'),
  );
  expect(rate).toBeGreaterThan(RATE_MIN);
  expect(1 - kept).toBeLessThan(LOSS_MAX);
  expect(await gateDrops()).toBe(sent);
  expect(denied).toBeLessThanOrEqual(DENIED_SIZE);
  expect(memoryPeak - memoryBefore).toBeLessThan(GROWTH_BYTES);
  expect(lines).toBeLessThanOrEqual(readings * LINES_PER_READING);
  expect((await net.report('x/client', 'flow'))[0]).toMatchObject({ state: 'open' });
  expect((await net.admin('x/app', '/readyz')).status).toBe(200);

  // What got no line of its own is in the lines for the others: no packet is left out.
  await net.agent('x/client').ask({ do: 'close', group: 'flow' });
  await net.lab.stopProcess('x/app', 'sidecar', 'SIGTERM');
  const logged = net
    .sidecarLog('x/app')
    .filter(({ msg, end }) => msg === 'more packets dropped' || end === 'dropped')
    .reduce((sum, line) => sum + Number(line.packets), 0);
  expect(logged).toBeGreaterThanOrEqual(sent);
}, 120_000);

function flood(address: string): Promise<FloodResult> {
  const where = { sources: SOURCES, address, port: 80, cpu: availableParallelism() - 1 };
  return packets.tool.floodSyns(net.lab, 'node/node-1', { ...where, rate: RATE, seconds: SLICE_SECONDS });
}

/** What the flow gets while something happens. */
async function throughput<T>(
  work: () => Promise<T>,
): Promise<{ readonly bytesPerSecond: number; readonly result: T }> {
  const received = async () => (await net.report('x/client', 'flow'))[0]?.receivedBytes ?? Number.NaN;
  const before = await received();
  const startedAt = performance.now();
  const result = await work();
  const bytes = (await received()) - before;
  return { bytesPerSecond: (bytes / (performance.now() - startedAt)) * 1000, result };
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

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Resident memory, proc(5). */
function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}

/** The median, and from where to where: in MB. */
function figures(bytes: readonly number[]): string {
  return `${megabytes(median(bytes))} (${megabytes(Math.min(...bytes))} to ${megabytes(Math.max(...bytes))})`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed();
}
