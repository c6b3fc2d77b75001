/**
 * One namespace does what it can to the injector, beside others that live as usual: policies of each costly shape, as large
 * as they may be and larger, edited without end, and clients that say nothing or too much. Measured is what the others notice.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type ClusterSize, namespaceName, podAt } from './cluster.ts';
import type { HostileClients } from './hostile_clients.ts';
import { type HostileShape, hostilePolicy } from './hostile_policies.ts';
import type { InjectorOrder, InjectorReport } from './injector_process.ts';
import { SimulatedSidecar } from './sidecars.ts';
import { tlsWay, type Way } from './way.ts';
import { WebhookCaller } from './webhook.ts';

/** How much of each. */
export interface HostileOptions {
  /** Sidecars of all other namespaces together. */
  readonly quiet: number;
  /** Pods of the whole cluster, about. */
  readonly pods: number;
  readonly hostilePods: number;
  readonly pipelining: number;
  readonly silent: number;
  readonly editsPerSecond: number;
  /** Changes of pods of the other namespaces. */
  readonly changesPerSecond: number;
  readonly seconds: number;
}

/** Of a sample, ms. */
export interface Spread {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly most: number;
}

/** What the others noticed. */
export interface HostileResult {
  /** From a change of the cluster until a quiet sidecar has read it. */
  readonly quietMs: Spread;
  /** The same before the hostile namespace began: what the machine takes. */
  readonly aloneMs: Spread;
  /** How late the process that measures was itself, 99 of 100 times at most, ms: it has the quiet sidecars, and other work. */
  readonly lateMs: number;
  /** Changes that a quiet sidecar never heard of. */
  readonly missed: number;
  /** Answers of the webhook. */
  readonly webhookMs: Spread;
  readonly webhookFailures: number;
  /** Processor time of the longest turn of the injector's event loop, ms. */
  readonly longestTurnMs: number;
  readonly residentBytes: { readonly before: number; readonly most: number };
  /** Of the injector, ms. */
  readonly cpuMs: number;
  /** How much longer things took because other processes had the processor: 1 on a machine that does nothing else. */
  readonly stretch: number;
  /** Policies of the hostile namespace beyond a bound, at the end. */
  readonly refused: number;
  /** Edits that were made. */
  readonly edits: number;
  readonly isAlive: boolean;
  /** Quiet sidecars that had to connect again. */
  readonly reconnects: number;
}

/** Of other namespaces. */
const QUIET_NAMESPACES = 20;

/**
 * The policies: of each shape one that is within bounds by itself, as far as the cluster's size lets it, and one beyond, of
 * about the 1.5 MB that an API server takes.
 */
const POLICIES: readonly { readonly shape: HostileShape; readonly size: number }[] = [
  { shape: 'selectors', size: 15 },
  { shape: 'selectors', size: 100 },
  { shape: 'rules', size: 3_300 },
  { shape: 'rules', size: 15_000 },
  { shape: 'ports', size: 470 },
  { shape: 'ports', size: 4_000 },
  { shape: 'exceptions', size: 9_900 },
  { shape: 'exceptions', size: 60_000 },
  { shape: 'overlap', size: 2_400 },
  { shape: 'overlap', size: 10_000 },
];

/** Wordings of each policy that edits go round: made before, for the process that edits is also the one that measures. */
const WORDINGS = 4;

/** How long the others are watched alone, ms. */
const ALONE_MS = 5_000;

/** Between looks whether all changes have been read, ms. */
const POLL_MS = 50;

const WEBHOOK_PAUSE_MS = 100;

const LATE_RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;

/** Waiting for what may take long on a busy machine, ms. */
const PATIENCE_MS = 60_000;

/** Runs it; ports are on loopback. */
export async function runHostile(
  options: HostileOptions,
  ports: { readonly tables: number; readonly webhook: number },
): Promise<HostileResult> {
  const way = await tlsWay(ports.tables, ports.webhook);
  const size: ClusterSize = {
    namespaces: QUIET_NAMESPACES + 1,
    sidecarsPerNamespace: Math.ceil(options.quiet / QUIET_NAMESPACES),
    podsPerNamespace: Math.max(Math.ceil(options.pods / (QUIET_NAMESPACES + 1)), options.hostilePods),
  };
  const injector = new InjectorProcess(way, size);
  const webhook = new WebhookCaller(ports.webhook, way.ca);
  const quiet = new QuietSidecars();
  const policies = wordings();
  let hostile: ChildProcess | undefined;
  try {
    await injector.ready;
    await quiet.start(way, size);
    const churn = {
      type: 'churn',
      perSecond: options.changesPerSecond,
      namespaces: QUIET_NAMESPACES,
    } as const;
    injector.order(churn);
    await sleep(ALONE_MS);
    injector.order({ type: 'rest' });
    const alone = await quiet.delays(injector.takeChanges(), size);
    const before = await injector.usage();
    const clients: HostileClients = { ...options, namespace: QUIET_NAMESPACES, pods: options.hostilePods };
    hostile = fork(fileURLToPath(new URL('hostile_clients.ts', import.meta.url)), [
      JSON.stringify(way),
      JSON.stringify(clients),
    ]);
    await once(hostile, 'message');
    const endMs = performance.now() + options.seconds * 1000;
    injector.order(churn);
    const late = monitorEventLoopDelay({ resolution: LATE_RESOLUTION_MS });
    late.enable();
    const [edits, answers, usage] = await Promise.all([
      edit(injector, policies, options.editsPerSecond, endMs),
      askOften(webhook, endMs),
      watch(injector, endMs),
    ]);
    late.disable();
    injector.order({ type: 'rest' });
    const { delays, missed } = await quiet.delays(injector.takeChanges(), size);
    return {
      quietMs: spread(delays),
      aloneMs: spread(alone.delays),
      lateMs: Math.round(late.percentile(99) / NS_PER_MS) - LATE_RESOLUTION_MS,
      missed,
      webhookMs: spread(answers.tookMs),
      webhookFailures: answers.failures,
      longestTurnMs: usage.longestTurnMs,
      residentBytes: { before: before.residentBytes, most: usage.residentBytes },
      cpuMs: Math.round(usage.cpuMs - before.cpuMs),
      stretch: 1 + (usage.waitedMs - before.waitedMs) / (usage.cpuMs - before.cpuMs),
      refused: injector.isAlive ? (await injector.usage()).refused : 0,
      edits,
      isAlive: injector.isAlive,
      reconnects: quiet.reconnects,
    };
  } finally {
    hostile?.kill('SIGKILL');
    quiet.close();
    webhook.close();
    injector.kill();
  }
}

class InjectorProcess {
  readonly ready: Promise<unknown>;
  #changedAtMs = new Map<number, number>();
  readonly #child: ChildProcess;
  readonly #usages: ((usage: Extract<InjectorReport, { readonly type: 'usage' }>) => void)[] = [];

  constructor(way: Way, size: ClusterSize) {
    const program = fileURLToPath(new URL('injector_process.ts', import.meta.url));
    // Policies of a megabyte come as they are, and not as JSON within JSON.
    this.#child = fork(program, [JSON.stringify(way), JSON.stringify(size)], { serialization: 'advanced' });
    this.ready = new Promise((resolve) => {
      this.#child.on('message', (report: InjectorReport) => {
        if (report.type === 'ready') resolve(report);
        else if (report.type === 'changed') this.#changedAtMs.set(report.change, report.atMs);
        else this.#usages.shift()?.(report);
      });
    });
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** When each change was made, of those since the last call. */
  takeChanges(): ReadonlyMap<number, number> {
    const taken = this.#changedAtMs;
    this.#changedAtMs = new Map();
    return taken;
  }

  order(order: InjectorOrder): void {
    if (this.#child.connected) this.#child.send(order);
  }

  usage(): Promise<Extract<InjectorReport, { readonly type: 'usage' }>> {
    const answer = new Promise<Extract<InjectorReport, { readonly type: 'usage' }>>((resolve) =>
      this.#usages.push(resolve),
    );
    this.order({ type: 'usage' });
    return answer;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** Sidecars of the other namespaces, and when each of them heard of which change. */
class QuietSidecars {
  readonly #sidecars: SimulatedSidecar[] = [];
  /** By change: how many have heard of it, and when. */
  readonly #heardAtMs = new Map<number, number[]>();
  #snapshots = 0;

  async start(way: Way, { sidecarsPerNamespace }: ClusterSize): Promise<void> {
    for (let namespace = 0; namespace < QUIET_NAMESPACES; namespace += 1) {
      for (let place = 0; place < sidecarsPerNamespace; place += 1) {
        const { name, uid } = podAt(namespace, place, 0, 0);
        const pod = { namespace: namespaceName(namespace), name, uid, number: this.#sidecars.length };
        this.#sidecars.push(
          new SimulatedSidecar(way, pod, {
            snapshot: () => {
              this.#snapshots += 1;
            },
            change: (_, changes) => this.#heard(changes),
          }),
        );
      }
    }
    const endMs = performance.now() + PATIENCE_MS;
    while (this.#snapshots < this.#sidecars.length) {
      if (performance.now() > endMs) throw new Error('the quiet sidecars have no tables');
      await sleep(10);
    }
  }

  get reconnects(): number {
    return this.#snapshots - this.#sidecars.length;
  }

  #heard(changes: readonly number[]): void {
    const atMs = performance.timeOrigin + performance.now();
    for (const change of changes) {
      const heard = this.#heardAtMs.get(change) ?? [];
      heard.push(atMs);
      this.#heardAtMs.set(change, heard);
    }
  }

  /** Every sidecar of the namespace that a pod came to hears of it. Waits until all have, or for a minute. */
  async delays(
    changedAtMs: ReadonlyMap<number, number>,
    { sidecarsPerNamespace }: ClusterSize,
  ): Promise<{ delays: number[]; missed: number }> {
    const heard = (change: number) => this.#heardAtMs.get(change) ?? [];
    const missed = () =>
      [...changedAtMs.keys()].reduce(
        (sum, change) => sum + Math.max(0, sidecarsPerNamespace - heard(change).length),
        0,
      );
    const endMs = performance.now() + PATIENCE_MS;
    while (missed() > 0 && performance.now() < endMs) await sleep(POLL_MS);
    const delays = [...changedAtMs].flatMap(([change, atMs]) =>
      heard(change).map((heardMs) => heardMs - atMs),
    );
    return { delays, missed: missed() };
  }

  close(): void {
    for (const sidecar of this.#sidecars) sidecar.close();
  }
}

/** All policies in one wording after the other, as JSON. */
function wordings(): string[] {
  const namespace = namespaceName(QUIET_NAMESPACES);
  return Array.from({ length: WORDINGS }, (_, edit) =>
    POLICIES.map(({ shape, size }) =>
      JSON.stringify(hostilePolicy(namespace, `${shape}-${size}`, shape, size, edit)),
    ),
  ).flat();
}

async function edit(
  injector: InjectorProcess,
  policies: readonly string[],
  perSecond: number,
  endMs: number,
): Promise<number> {
  const beganMs = performance.now();
  let edits = 0;
  for (; performance.now() < endMs; edits += 1) {
    injector.order({ type: 'policy', json: policies[edits % policies.length] ?? '' });
    await sleep(Math.max(0, beganMs + ((edits + 1) * 1000) / perSecond - performance.now()));
  }
  return edits;
}

async function askOften(
  webhook: WebhookCaller,
  endMs: number,
): Promise<{ tookMs: number[]; failures: number }> {
  const tookMs: number[] = [];
  let failures = 0;
  while (performance.now() < endMs) {
    try {
      tookMs.push(await webhook.ask(namespaceName(0)));
    } catch {
      failures += 1;
    }
    await sleep(WEBHOOK_PAUSE_MS);
  }
  return { tookMs, failures };
}

async function watch(injector: InjectorProcess, endMs: number) {
  const most = { residentBytes: 0, longestTurnMs: 0, cpuMs: 0, waitedMs: 0 };
  while (performance.now() < endMs && injector.isAlive) {
    const { residentBytes, longestTurnMs, cpuMs, waitedMs } = await Promise.race([
      injector.usage(),
      sleep(
        PATIENCE_MS,
        { residentBytes: 0, longestTurnMs: PATIENCE_MS, cpuMs: 0, waitedMs: 0 },
        { ref: false },
      ),
    ]);
    most.residentBytes = Math.max(most.residentBytes, residentBytes);
    most.longestTurnMs = Math.max(most.longestTurnMs, longestTurnMs);
    Object.assign(most, { cpuMs, waitedMs });
    await sleep(200);
  }
  return most;
}

function spread(values: readonly number[]): Spread {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN) * 10) /
    10;
  return { count: values.length, p50: at(0.5), p99: at(0.99), most: at(1) };
}

/** Whether others noticed little, given what other processes took of the machine. */
export function isLittle(
  { quietMs, aloneMs, lateMs, webhookMs, stretch }: HostileResult,
  most: { readonly quietP99Ms: number; readonly webhookMs: number },
): boolean {
  const own = Math.max(aloneMs.p99, lateMs);
  return quietMs.p99 - own < most.quietP99Ms * stretch && webhookMs.most - own < most.webhookMs * stretch;
}
