/**
 * Case 18. Given 2,000 sidecars, when the controller restarts and all come at once, and 5 % never read their sockets, then all
 * others have their tables within 5 s, and memory is bounded. Real sockets; the injector is a process of its own, as it is in
 * production but for the cluster, which is in its memory; all sidecars are in this process.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { namespaceName, podAt } from '../../bench/control_plane/cluster.ts';
import type { InjectorOrder, InjectorReport } from '../../bench/control_plane/injector_process.ts';
import { SimulatedSidecar } from '../../bench/control_plane/sidecars.ts';
import type { Way } from '../../bench/control_plane/way.ts';
import { until } from '../netns/harness.ts';

const PROGRAM = join(import.meta.dirname, '../../bench/control_plane/injector_process.ts');

/** Twenty namespaces of a hundred pods with sidecars, and 25 that come and go. */
const SIZE = { namespaces: 20, sidecarsPerNamespace: 100, podsPerNamespace: 125 };
const SIDECARS = SIZE.namespaces * SIZE.sidecarsPerNamespace;

/** One in so many never reads. */
const NEVER_READS = 20;

/** From the moment the injector listens again: how soon that is, is the cluster's affair. */
const CONVERGED_MS = 5_000;

/** The best of these counts: one machine of two processors is injector and 2,000 pods, and has other work too. */
const ROUNDS = 3;

/** Snapshots on the way are bounded by 32 MiB; what V8 has not collected yet comes on top, bytes. */
const MEMORY_BYTES = 192 * 1024 * 1024;

/** Waiting for what may take long on a busy machine, ms. */
const PATIENCE_MS = 60_000;

const CHANGES_PER_SECOND = 50;

const folder = mkdtempSync(join(tmpdir(), 'sluice-herd-'));
const way: Way = { kind: 'unix', path: join(folder, 'injector.sock') };

let child: ChildProcess | undefined;
const sidecars: SimulatedSidecar[] = [];

afterEach(() => {
  for (const sidecar of sidecars) sidecar.close();
  child?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** The injector, listening. */
class Injector {
  readonly #child: ChildProcess;
  readonly #usages: ((bytes: number) => void)[] = [];

  private constructor(process: ChildProcess) {
    this.#child = process;
    process.on('message', (report: InjectorReport) => {
      if (report.type === 'usage') this.#usages.shift()?.(report.residentBytes);
    });
  }

  static async start(): Promise<Injector> {
    child = fork(PROGRAM, [JSON.stringify(way), JSON.stringify(SIZE)]);
    const ready = new Promise((resolve) => {
      child?.on('message', (report: InjectorReport) => report.type === 'ready' && resolve(report));
    });
    await ready;
    return new Injector(child);
  }

  order(order: InjectorOrder): void {
    this.#child.send(order);
  }

  residentBytes(): Promise<number> {
    const answer = new Promise<number>((resolve) => this.#usages.push(resolve));
    this.order({ type: 'usage' });
    return answer;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}

test('2,000 sidecars at once, one in twenty of which never reads: the others have their tables in 5 s', async () => {
  let served = new Set<number>();
  const start = (number: number): SimulatedSidecar => {
    const namespace = Math.floor(number / SIZE.sidecarsPerNamespace);
    const { name, uid } = podAt(namespace, number % SIZE.sidecarsPerNamespace, 0, 0);
    const pod = { namespace: namespaceName(namespace), name, uid, number };
    const reads = number % NEVER_READS !== 0;
    return new SimulatedSidecar(
      way,
      pod,
      { snapshot: () => void served.add(number), change: () => {} },
      reads,
    );
  };
  const readers = SIDECARS - SIDECARS / NEVER_READS;
  let injector = await Injector.start();
  for (let number = 0; number < SIDECARS; number += 1) sidecars.push(start(number));
  await until('all that read have their first table', () => served.size === readers, PATIENCE_MS);
  const idleBytes = await injector.residentBytes();

  const tookMs: number[] = [];
  let peakBytes = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    await injector.kill();
    served = new Set();
    injector = await Injector.start();
    const readyMs = performance.now();
    injector.order({ type: 'churn', perSecond: CHANGES_PER_SECOND });
    // Who never reads does not notice the end of its connection either: such a process is started again.
    for (let number = 0; number < SIDECARS; number += NEVER_READS) {
      sidecars[number]?.close();
      sidecars[number] = start(number);
    }
    await until(
      'all that read have their tables again',
      async () => {
        peakBytes = Math.max(peakBytes, await injector.residentBytes());
        return served.size === readers;
      },
      PATIENCE_MS,
    );
    tookMs.push(Math.round(performance.now() - readyMs));
  }
  const bytes = { idle: idleBytes, peak: peakBytes };
  process.stdout.write(`converged in ${tookMs.join(', ')} ms; resident bytes ${JSON.stringify(bytes)}\n`);
  expect(Math.min(...tookMs)).toBeLessThanOrEqual(CONVERGED_MS);
  expect(peakBytes - idleBytes).toBeLessThanOrEqual(MEMORY_BYTES);
});
