/** The direct path of a running sidecar: connections that go straight to the app are judged, recorded and ended like the proxy's. */
import type { Logger } from 'pino';
import { PATH_MESSAGE, type PathReason } from '../../common/contract.ts';
import { isInboundPort } from '../../common/inbound_ports.ts';
import { OncePer } from '../../common/pacing.ts';
import type { SidecarConfig } from '../config.ts';
import { DirectFlows, type DirectPorts, type DirectSink } from '../direct/index.ts';
import type { Guard } from '../guard/index.ts';
import { InboundAcceptor, type InboundContext, InboundFailures } from '../inbound/index.ts';
import { whyNotDirect } from '../kernel/index.ts';
import type { Recorder, SidecarMetrics } from '../records/index.ts';
import {
  type AppliedRedirect,
  asksFor,
  hasDirect,
  hasFallenBack,
  isDirect,
  type Paths,
  pathsInForce,
  pathsText,
} from '../redirect/index.ts';
import type { Owners } from '../table/index.ts';
import { exemptFrom } from './exempt.ts';
import { ERROR_LOG_MS } from './log_intervals.ts';
import { withPathsRead } from './paths_read.ts';
import type { WatchedRedirect } from './redirect.ts';
import type { State } from './state.ts';

/** A SYN cookie that was sent before a change may complete a handshake a round trip after it, ms. */
const COOKIES_MS = 100;

/** Which paths are in use, and why. */
export interface PathsInUse {
  readonly paths: Paths;
  readonly reason: PathReason;
  /** What the kernel lacks, where this process has tried it already. */
  readonly notDirect: string | undefined;
}

/**
 * Reads from the rules which paths the redirect step has decided on.
 * @param applied what this process has put in force itself: then nothing is read
 * @throws SluiceError where they cannot be read, or are others: a sidecar that does not know which connections are direct could not end
 * these. It is then not to start: the gate keeps its last rules
 */
export async function readPathsInUse(config: SidecarConfig, applied?: AppliedRedirect): Promise<PathsInUse> {
  const paths = applied?.redirect.paths ?? (await withPathsRead(() => pathsInForce(config)));
  const notDirect = applied?.redirect.notDirect;
  if (hasFallenBack(config, paths)) return { paths, reason: 'fell-back', notDirect };
  return { paths, reason: asksFor('auto', config) ? 'probed' : 'set', notDirect };
}

/** What the kernel lacks for a direct path that is asked for, or in use on excluded ports. Trying that may take seconds. */
async function lackingFor(
  config: SidecarConfig,
  { paths, reason, notDirect }: PathsInUse,
): Promise<string | undefined> {
  if (reason === 'fell-back')
    return notDirect ?? (await whyNotDirect()) ?? 'there was no gate when the redirect was applied';
  // Where it was asked for the redirect step has tried it. Excluded ports are direct on any kernel that has a gate.
  const isTried = reason === 'probed' || asksFor('direct', config);
  return isTried || !hasDirect(paths) ? undefined : await whyNotDirect();
}

/** What the direct path works with. */
export interface DirectParts {
  readonly state: State;
  readonly guard: Guard;
  readonly redirect: WatchedRedirect;
  readonly recorder: Recorder;
  readonly owners: Owners;
  readonly metrics: SidecarMetrics;
  readonly log: Logger;
}

/** Follows and ends direct connections by the table in force; where no port is direct it does nothing. */
export class Direct implements DirectSink {
  readonly inUse: PathsInUse;
  readonly #config: SidecarConfig;
  readonly #parts: DirectParts;
  #flows: DirectFlows | undefined;
  #lacking: string | undefined;
  readonly #metrics: SidecarMetrics;
  readonly #log: Logger;
  readonly #overruns = new OncePer(ERROR_LOG_MS);
  readonly #failures = new OncePer(ERROR_LOG_MS);
  #cookies: NodeJS.Timeout | undefined;
  #unrecorded: string | undefined;

  constructor(config: SidecarConfig, inUse: PathsInUse, parts: DirectParts) {
    this.inUse = inUse;
    this.#config = config;
    this.#parts = parts;
    this.#metrics = parts.metrics;
    this.#log = parts.log;
  }

  /** Tries the kernel, where nobody has; before that, nothing is followed. To be called before any table is brought into force. */
  async prepare(): Promise<void> {
    const { paths, reason } = this.inUse;
    const problem = await lackingFor(this.#config, this.inUse);
    this.#lacking = problem;
    this.#log.info({ path: pathsText(paths), reason, problem }, PATH_MESSAGE);
    if (!hasDirect(paths)) return;
    const { state, metrics, log } = this.#parts;
    const ports = portsOf(this.#config, paths, this.#parts);
    const failures = new InboundFailures(metrics, log);
    const acceptor = new InboundAcceptor(contextOf(this.#config, this.#parts, failures), failures);
    // On a kernel that is known not to end connections, no acknowledgement waits for that.
    const mustEnd = problem === undefined;
    this.#flows = new DirectFlows(ports, acceptor, () => state.enforcement.judge, this, mustEnd);
  }

  /** What is not as it should be; for people. */
  get problem(): string | undefined {
    return this.#unrecorded ?? this.#lacking;
  }

  /** How denied connections end; for people. */
  get cut(): string | undefined {
    if (this.#flows === undefined) return undefined;
    return this.#flows.problem ?? this.#lacking ?? 'at once';
  }

  /** Begins to follow connections; those that are there are taken over. */
  async start(): Promise<void> {
    await this.#flows?.start();
  }

  /** To be called when another table is in force: what has begun before it is judged by it, even if nobody knows of it yet. */
  tableChanged(): void {
    void this.#flows?.read();
  }

  /** Ends what the table in force forbids, when the gate is shut to it, and once more a moment later. Never rejects. */
  async cutAll(): Promise<void> {
    if (this.#flows === undefined) return;
    await this.#flows.sweep();
    clearTimeout(this.#cookies);
    this.#cookies = setTimeout(() => void this.#flows?.sweep(), COOKIES_MS);
  }

  /** Asks how far connections are, for who looks at them. Never rejects. */
  async count(): Promise<void> {
    await this.#flows?.count().catch(() => undefined);
  }

  /** Records what has ended by now, and stops; connections go on. */
  async close(): Promise<void> {
    clearTimeout(this.#cookies);
    await this.#flows?.close();
  }

  overrun(): void {
    this.#metrics.directOverrun();
    if (this.#overruns.isDue())
      this.#log.warn('more direct connections than could be taken note of: some have no record');
  }

  unknownEnded(): void {
    this.#metrics.directUnknownEnded();
  }

  failed(err: Error): void {
    this.#unrecorded = `direct connections have no record: ${err.message}`;
    this.#log.error({ err }, 'direct connections have no record');
  }

  notEnded(problem: string): void {
    if (this.#failures.isDue()) this.#log.error({ problem }, 'direct connections were not ended');
  }
}

function contextOf(config: SidecarConfig, parts: DirectParts, failures: InboundFailures): InboundContext {
  const { state, redirect, recorder, owners, metrics } = parts;
  return {
    path: 'direct',
    enforcement: state.enforcement,
    live: state.live,
    owners,
    connectionLimit: Number.POSITIVE_INFINITY, // they cost no descriptors; `DirectFlows` has a bound of its own
    inboundPort: config.inboundPort,
    canaryPort: config.canaryPort,
    adminPort: config.adminPort,
    canary: redirect.canary,
    recorder,
    metrics,
    backlogs: { dialled() {} }, // the app's queue takes them itself
    failures,
  };
}

function portsOf(config: SidecarConfig, paths: Paths, { guard, redirect }: DirectParts): DirectPorts {
  const { adminPort, canaryPort } = config;
  const isOwn = (port: number): boolean =>
    isInboundPort(redirect.inboundPort, port) || port === adminPort || port === canaryPort;
  return {
    isDirect: (port) => isDirect(paths, port) && !isOwn(port),
    wanted: { ports: paths.others, are: paths.usual === 'direct' ? 'unwanted' : 'wanted' },
    isOwn,
    isExempt: exemptFrom(config, guard),
  };
}
