/**
 * How long the injector takes to start in a large cluster, and how much memory: the real program against a double of the API
 * server in another process. No root; where it may make a cgroup, the injector has 1 GiB. Prints one JSON document.
 *
 *     node bench/control_plane/start.ts [--pods 100000] [--old] [--heap-mib N]
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cpuSeconds, peakBytes } from '../process_usage.ts';

const ROOT = join(import.meta.dirname, '../..');

/** The double as a program. Nothing of the tests is imported here. */
const DOUBLE = join(ROOT, 'test/support/api_server/large_cluster.ts');
const INJECTOR = join(ROOT, 'injector/main.ts');

const POD_BYTES = 7_000;
const PODS_PER_NAMESPACE = 200;

/** The limit in manifests/base/deployment.yaml. */
const MEMORY_BYTES = 1024 ** 3;

/**
 * Without a cgroup the injector is given the heap that Node would take in one of 1 GiB: half of it. Source: V8,
 * `Heap::HeapSizeFromPhysicalMemory`.
 */
const HEAP_MIB = 512;

const GROUPS = '/sys/fs/cgroup';
const PORTS = { tables: 15_010, status: 15_014, webhook: 15_443 };

/** What is wanted at 100,000 pods. */
const WANTED_READY_MS = 60_000;

/** Between two questions to the injector: how late it answers is how long it was busy, ms. */
const ASK_MS = 10;
const GIVE_UP_MS = 600_000;
const MIB = 1024 ** 2;

/** The double holds what it sends only in part, and shared; this is enough for a million pods. */
const DOUBLE_FLAGS = ['--max-old-space-size=4096'];

const { values } = parseArgs({
  options: {
    pods: { type: 'string', default: '100000' },
    old: { type: 'boolean', default: false },
    'heap-mib': { type: 'string', default: String(HEAP_MIB) },
  },
});

/** A cgroup with a bound of memory. */
class MemoryGroup {
  readonly path = join(GROUPS, `sluice-bench-${process.pid}`);

  /** @throws Error where this machine has no cgroup v2 with memory, or it may not be written */
  constructor(bytes: number) {
    const controllers = readFileSync(join(GROUPS, 'cgroup.controllers'), 'utf8').split(/\s+/);
    if (!controllers.includes('memory')) throw new Error(`${GROUPS} has no memory controller`);
    mkdirSync(this.path);
    try {
      writeFileSync(join(this.path, 'memory.max'), String(bytes));
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** Since it was made, page cache included, bytes. */
  get peakBytes(): number {
    return Number(readFileSync(join(this.path, 'memory.peak'), 'utf8'));
  }

  remove(): void {
    rmdirSync(this.path);
  }
}

function makeGroup(): MemoryGroup | string {
  try {
    return new MemoryGroup(MEMORY_BYTES);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function startInjector(kubeconfig: string, group: MemoryGroup | string): ChildProcess {
  const heap = typeof group === 'string' ? [`--max-old-space-size=${values['heap-mib']}`] : [];
  const command = [process.execPath, ...heap, INJECTOR];
  // Into the group before it is the injector, so that all it takes counts.
  const [program = '', ...args] =
    typeof group === 'string'
      ? command
      : ['sh', '-c', 'echo $$ > "$0" && exec "$@"', join(group.path, 'cgroup.procs'), ...command];
  return spawn(program, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH,
      SLUICE_KUBERNETES: kubeconfig,
      SLUICE_TABLES_PORT: String(PORTS.tables),
      SLUICE_STATUS_PORT: String(PORTS.status),
      SLUICE_WEBHOOK_PORT: String(PORTS.webhook),
      SLUICE_SIDECAR_IMAGE: 'sluice:bench',
    },
  });
}

/** Status of a page of the injector; undefined while it does not listen. */
async function ask(page: string): Promise<number | undefined> {
  try {
    const response = await fetch(`http://127.0.0.1:${PORTS.status}${page}`);
    await response.arrayBuffer();
    return response.status;
  } catch {
    return undefined;
  }
}

function seconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}

const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const cluster = {
  pods: Number(values.pods),
  podsPerNamespace: PODS_PER_NAMESPACE,
  podBytes: POD_BYTES,
  watchLists: values.old ? 'refused' : 'served',
};
const double = fork(DOUBLE, [JSON.stringify(cluster)], { execArgv: DOUBLE_FLAGS });
const [{ kubeconfig, podBytes }] = (await once(double, 'message')) as [
  { readonly kubeconfig: unknown; readonly podBytes: number },
];
const file = join(folder, 'kubeconfig');
writeFileSync(file, JSON.stringify(kubeconfig));

const group = makeGroup();
const beganMs = performance.now();
const injector = startInjector(file, group);
const pid = injector.pid ?? 0;
let ended = false;
injector.on('exit', () => {
  ended = true;
});
const synced = new Map<string, number>();
let unread = '';
injector.stdout?.on('data', (chunk: Buffer) => {
  const lines = (unread + chunk.toString()).split('\n');
  unread = lines.pop() ?? '';
  for (const line of lines) {
    const path = /"path":"([^"]+)".*synced with the API server/.exec(line)?.[1];
    if (path !== undefined) synced.set(path, performance.now() - beganMs);
  }
});

let readyMs: number | undefined;
let latestMs = 0;
while (!ended && readyMs === undefined && performance.now() - beganMs < GIVE_UP_MS) {
  await sleep(ASK_MS);
  const askedMs = performance.now();
  const status = await ask('/readyz');
  if (status !== undefined) latestMs = Math.max(latestMs, performance.now() - askedMs);
  if (status === 200) readyMs = performance.now() - beganMs;
}

const result = {
  pods: cluster.pods,
  pod_bytes: podBytes,
  lists: values.old ? 'from the cache' : 'streamed',
  limited: typeof group === 'string' ? `heap of ${values['heap-mib']} MiB only: ${group}` : '1 GiB (cgroup)',
  ready: readyMs !== undefined,
  synced_seconds: seconds(Math.max(...synced.values())),
  ready_seconds: readyMs === undefined ? null : seconds(readyMs),
  peak_mib: ended ? null : Math.round((typeof group === 'string' ? peakBytes(pid) : group.peakBytes) / MIB),
  cpu_seconds: ended ? null : Math.round(cpuSeconds(pid) * 10) / 10,
  longest_answer_ms: Math.round(latestMs),
};
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
if (!ended) {
  injector.kill('SIGKILL');
  await once(injector, 'exit');
}
if (typeof group !== 'string') group.remove();
double.disconnect();
const isSmall = result.peak_mib !== null && result.peak_mib * MIB <= MEMORY_BYTES;
const isWell = readyMs !== undefined && readyMs < WANTED_READY_MS && isSmall;
process.exitCode = isWell ? 0 : 1;
