/**
 * What enforcing egress costs at the source: a pod without a sidecar, one that no egress policy isolates and an isolated one,
 * each to another pod and to the same through a Service. Rounds take them in turn; each is compared with the pod without a
 * sidecar on the same way. Needs root, iperf3, sockperf, ab and nginx. Prints one JSON document.
 */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { guardLab, Lab, labPaths } from '../lab/index.ts';
import type { RawManifest } from '../sources/index.ts';
import { abClient, readConnections } from './load/ab.ts';
import { IPERF_SERVER, iperfClient, readBulk } from './load/iperf3.ts';
import { readRoundTrip, SOCKPERF_SERVER, sockperfClient } from './load/sockperf.ts';
import { fileUrl, SMALL_RESPONSE_BYTES, webServer } from './load/web_server.ts';
import { writeManifests } from './rig/manifest_folder.ts';
import { ratioOf, summarize } from './statistics.ts';

const ROUNDS = 7;
const SECONDS = 2;
/** More than this takes no load. */
const PATIENCE_MS = 20_000;

const SERVER = '10.1.1.10';
const VIRTUAL = '10.96.0.10';
/** TCP ports of iperf3, sockperf and nginx. */
const PORTS = [5201, 11_111, 8080];

/** Connections a run: few enough that ports and conntrack entries of the runs before are not in their way. */
const CONNECTIONS = 500;

const PODS = [
  { name: 'no-sidecar', pod: 'bench/none' },
  { name: 'not-isolated', pod: 'bench/open' },
  { name: 'isolated', pod: 'bench/isolated' },
] as const;

/** Ways to the server; each has one for every pod, and the first of them is what the others are compared with. */
const WAYS = [
  { suffix: '', address: SERVER },
  { suffix: '-service', address: VIRTUAL },
].flatMap(({ suffix, address }) =>
  PODS.map(({ name, pod }) => ({ name: `${name}${suffix}`, pod, address, base: `${PODS[0].name}${suffix}` })),
);

type Figures = Record<'bulk_gbps' | 'round_trip_p50_us' | 'connection_p50_ms', number>;

function pod(name: string, address: string): RawManifest {
  const status = { phase: 'Running', hostIP: '10.0.0.1', podIP: address, podIPs: [{ ip: address }] };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'bench', name, labels: { app: name } },
    spec: { nodeName: 'node-1', containers: [{ name: 'app', image: 'app' }] },
    status,
  };
}

const servicePorts = PORTS.map((port) => ({ name: `p${port}`, protocol: 'TCP', port, targetPort: port }));
const OBJECTS: readonly RawManifest[] = [
  {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'node-1' },
    status: { addresses: [{ type: 'InternalIP', address: '10.0.0.1' }] },
  },
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'bench' } },
  pod('server', SERVER),
  pod('none', '10.1.1.11'),
  pod('open', '10.1.1.12'),
  pod('isolated', '10.1.1.13'),
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'bench', name: 'server' },
    spec: {
      clusterIP: VIRTUAL,
      clusterIPs: [VIRTUAL],
      ports: servicePorts,
      selector: { app: 'server' },
    },
  },
  {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace: 'bench', name: 'isolated' },
    spec: {
      podSelector: { matchLabels: { app: 'isolated' } },
      policyTypes: ['Egress'],
      egress: [{ to: [{ podSelector: { matchLabels: { app: 'server' } } }] }],
    },
  },
];

/** A tool in a pod, to its end. */
function output(lab: Lab, target: string, argv: readonly string[]): Promise<string> {
  const child = lab.spawnIn(target, argv, { stdio: ['ignore', 'pipe', 'inherit'], timeout: PATIENCE_MS });
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve(text) : reject(new Error(`${argv.join(' ')}: ${text}`)),
    );
  });
}

/** Takes the sidecar and its rules out of a pod. */
async function release(lab: Lab, target: string): Promise<void> {
  await lab.stopProcess(target, 'sidecar', 'SIGTERM');
  const sidecar = join(import.meta.dirname, '../sidecar/main.ts');
  await output(lab, target, [process.execPath, sidecar, 'redirect', 'remove', '--node-ips', '10.0.0.1']);
}

async function measure(
  lab: Lab,
  { pod: from, address }: { readonly pod: string; readonly address: string },
  csv: string,
): Promise<Figures> {
  const bulk = iperfClient(address, { streams: 1, direction: 'up', seconds: SECONDS });
  let moved = readBulk(await output(lab, from, bulk));
  while (moved === undefined) {
    await delay(100); // the server is still busy with the end of the run before
    moved = readBulk(await output(lab, from, bulk));
  }
  const small = sockperfClient(address, { bytes: 64, seconds: SECONDS });
  const trip = readRoundTrip(await output(lab, from, small));
  const url = fileUrl(address, SMALL_RESPONSE_BYTES);
  const requests = await output(
    lab,
    from,
    abClient(url, { concurrency: 1, seconds: SECONDS, requests: CONNECTIONS, csv }),
  );
  return {
    bulk_gbps: moved.bitsPerSecond / 1e9,
    round_trip_p50_us: trip.p50,
    connection_p50_ms: readConnections(requests, readFileSync(csv, 'utf8')).p50Ms,
  };
}

const name = `b-${process.pid}-${randomBytes(3).toString('hex')}`;
const unguard = guardLab(name);
const { folder, remove } = writeManifests(OBJECTS);
const servers: ChildProcess[] = [];
let lab: Lab | undefined;
try {
  lab = await Lab.up({ name, paths: [folder] });
  await release(lab, 'bench/server'); // what is measured is the source
  await release(lab, 'bench/none');
  const files = join(labPaths(name).folder, 'bench');
  mkdirSync(files);
  for (const argv of [IPERF_SERVER, SOCKPERF_SERVER, webServer(files)('server')]) {
    servers.push(lab.spawnIn('bench/server', argv, { stdio: ['ignore', 'ignore', 'ignore'] }));
  }
  await delay(1_000); // they listen
  const runs = new Map<string, Figures[]>(WAYS.map(({ name: way }) => [way, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const way of WAYS) {
      runs.get(way.name)?.push(await measure(lab, way, join(files, 'ab.csv')));
      process.stderr.write(`round ${round + 1} of ${ROUNDS}: ${way.name}\n`);
    }
  }
  const figure = (way: string, id: keyof Figures) => summarize((runs.get(way) ?? []).map((one) => one[id]));
  const result = WAYS.map(({ name: way, base }) => ({
    way,
    ...Object.fromEntries(
      (['bulk_gbps', 'round_trip_p50_us', 'connection_p50_ms'] as const).map((id) => [
        id,
        { ...figure(way, id), [`to_${base}`]: ratioOf(figure(way, id), figure(base, id)) },
      ]),
    ),
  }));
  const machine = { processors: availableParallelism(), load_average: loadavg()[0] };
  const kernel = spawnSync('uname', ['-r'], { encoding: 'utf8' }).stdout.trim();
  process.stdout.write(
    `${JSON.stringify({ rounds: ROUNDS, seconds: SECONDS, kernel, machine, result }, null, 2)}\n`,
  );
} finally {
  for (const server of servers) server.kill();
  await lab?.down();
  unguard();
  remove();
}
