/**
 * What one injector process costs and how fast it is with 2,000 sidecars while pods come and go. The sidecars are
 * simulated in this process; the injector is another one. No root. Prints one JSON document; takes about a minute.
 *
 *     node bench/control_plane.ts [--tls] [--sidecars 2000] [--seconds 30] [--changes 100]
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type ClusterSize, namespaceName, POLICIES_PER_NAMESPACE, podAt } from './control_plane/cluster.ts';
import type { InjectorOrder, InjectorReport } from './control_plane/injector_process.ts';
import { SimulatedSidecar } from './control_plane/sidecars.ts';
import { tlsWay, type Way } from './control_plane/way.ts';

const NAMESPACES = 50;
/** Four fifths of the pods have a sidecar. */
const PODS_PER_SIDECAR = 1.25;
/** Until the injector's memory and the sockets are quiet. */
const SETTLE_MS = 3_000;
/** On loopback; outside the ephemeral range. */
const TLS_PORT = 15_010;
const MIB = 1024 * 1024;
const NS_PER_MS = 1e6;

const { values } = parseArgs({
  options: {
    sidecars: { type: 'string', default: '2000' },
    seconds: { type: 'string', default: '30' },
    changes: { type: 'string', default: '100' },
    tls: { type: 'boolean', default: false },
  },
});
const sidecarsPerNamespace = Math.ceil(Number(values.sidecars) / NAMESPACES);
const size: ClusterSize = {
  namespaces: NAMESPACES,
  sidecarsPerNamespace,
  podsPerNamespace: Math.ceil(sidecarsPerNamespace * PODS_PER_SIDECAR),
};
const wanted = NAMESPACES * sidecarsPerNamespace;

/** The injector, and what it reports. */
class Injector {
  readonly #child: ChildProcess;
  readonly changedAtMs = new Map<number, number>();
  readonly #reports: ((report: InjectorReport) => void)[] = [];

  constructor(way: Way) {
    const program = fileURLToPath(new URL('control_plane/injector_process.ts', import.meta.url));
    this.#child = fork(program, [JSON.stringify(way), JSON.stringify(size)]);
    this.#child.on('message', (report: InjectorReport) => {
      if (report.type === 'changed') this.changedAtMs.set(report.change, report.atMs);
      else this.#reports.shift()?.(report);
    });
  }

  next(): Promise<InjectorReport> {
    return new Promise((resolve) => this.#reports.push(resolve));
  }

  order(order: InjectorOrder): void {
    this.#child.send(order);
  }

  async usage(): Promise<{ residentBytes: number; cpuMs: number }> {
    this.order({ type: 'usage' });
    const report = await this.next();
    if (report.type !== 'usage') throw new Error(`the injector said ${report.type}`);
    return report;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}

async function loaded(injector: Injector): Promise<number> {
  const report = await injector.next();
  return report.type === 'ready' ? report.loadMs : Number.NaN;
}

/** Resolves when all sidecars have a snapshot. @returns how long that took, ms */
async function allServed(startMs: number): Promise<number> {
  while (snapshots < wanted) await sleep(5);
  return performance.now() - startMs;
}

function percentile(sorted: Float64Array | number[], share: number): number {
  return round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const way: Way = values.tls ? await tlsWay(TLS_PORT) : { kind: 'unix', path: join(folder, 'injector.sock') };
let injector = new Injector(way);
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const loadMs = await loaded(injector);

let snapshots = 0;
let snapshotBytes = 0;
let deltas = 0;
let deltaBytes = 0;
const received: { change: number; atMs: number }[] = [];
const connectMs = performance.now();
const sidecars: SimulatedSidecar[] = [];
for (let namespace = 0; namespace < NAMESPACES; namespace += 1) {
  for (let place = 0; place < sidecarsPerNamespace; place += 1) {
    const { name, uid } = podAt(namespace, place, 0, 0);
    const pod = { namespace: namespaceName(namespace), name, uid, number: sidecars.length };
    sidecars.push(
      new SimulatedSidecar(way, pod, {
        snapshot(bytes) {
          snapshots += 1;
          snapshotBytes += bytes;
        },
        change(bytes, changes) {
          deltas += 1;
          deltaBytes += bytes;
          const atMs = performance.timeOrigin + performance.now();
          for (const change of changes) received.push({ change, atMs });
        },
      }),
    );
  }
}
const firstMs = await allServed(connectMs);
const bytesPerSnapshot = snapshotBytes / snapshots;
await sleep(SETTLE_MS);
const idle = await injector.usage();

const seconds = Number(values.seconds);
injector.order({ type: 'churn', perSecond: Number(values.changes) });
const lag = monitorEventLoopDelay({ resolution: 1 });
lag.enable();
let peakBytes = idle.residentBytes;
for (let second = 0; second < seconds; second += 1) {
  await sleep(1_000);
  peakBytes = Math.max(peakBytes, (await injector.usage()).residentBytes);
}
injector.order({ type: 'rest' });
lag.disable();
const busy = await injector.usage();
await sleep(SETTLE_MS);
const delays = received.map(({ change, atMs }) => atMs - (injector.changedAtMs.get(change) ?? Number.NaN));
delays.sort((a, b) => a - b);
const pods = injector.changedAtMs.size;

await injector.kill();
snapshots = 0;
const restartMs = performance.now();
injector = new Injector(way);
await loaded(injector);
const readyMs = performance.now() - restartMs;
const reconnectMs = await allServed(restartMs);
await sleep(SETTLE_MS);
const again = await injector.usage();
for (const sidecar of sidecars) sidecar.close();
await injector.kill();

process.stdout.write(
  `${JSON.stringify(
    {
      sidecars: wanted,
      over: way.kind,
      pods: NAMESPACES * size.podsPerNamespace,
      namespaces: NAMESPACES,
      policies: NAMESPACES * POLICIES_PER_NAMESPACE,
      load_ms: round(loadMs),
      first_tables_ms: round(firstMs),
      snapshot_bytes: Math.round(bytesPerSnapshot),
      resident_mib: {
        idle: round(idle.residentBytes / MIB),
        churn: round(peakBytes / MIB),
        restarted: round(again.residentBytes / MIB),
      },
      churn: {
        seconds,
        changes_per_second: round((2 * pods) / seconds),
        cpu_percent: round((busy.cpuMs - idle.cpuMs) / (seconds * 10)),
        deltas_per_second: round(deltas / seconds),
        delta_bytes: Math.round(deltaBytes / deltas),
        bytes_per_sidecar_per_second: Math.round(deltaBytes / wanted / seconds),
        propagation_ms: {
          samples: delays.length,
          p50: percentile(delays, 0.5),
          p99: percentile(delays, 0.99),
          most: percentile(delays, 1),
        },
        // How late this process itself was, which reads for all sidecars: on a busy machine propagation is mostly that.
        reader_lag_ms: {
          p50: round(lag.percentile(50) / NS_PER_MS),
          p99: round(lag.percentile(99) / NS_PER_MS),
        },
      },
      // `cpu`: of the injector, from its start until all are served and it has settled.
      restart_ms: { ready: round(readyMs), all_served: round(reconnectMs), cpu: round(again.cpuMs) },
    },
    null,
    2,
  )}\n`,
);
