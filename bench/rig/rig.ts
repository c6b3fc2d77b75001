/**
 * Everything that the figures are measured on: a lab with the client, and one pod for each path with the same app in
 * it. All paths are there at once, so that runs can alternate; a proxy that is not being measured is stopped.
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SIDECAR_PORTS } from '../../common/contract.ts';
import { unreachable } from '../../common/errors.ts';
import {
  Agent,
  APP_SERVER,
  guardLab,
  isAlive,
  killProcesses,
  Lab,
  labPaths,
  lastLines,
  type ProcessId,
  signalProcess,
  startProcess,
} from '../../lab/index.ts';
import { connectionLimit, descriptorLimit, memoryLimit } from '../../sidecar/inbound/index.ts';
import { APP_LEG_PORTS } from '../../sidecar/kernel/index.ts';
import { IPERF_PORT, IPERF_SERVER } from '../load/iperf3.ts';
import { SOCKPERF_PORT, SOCKPERF_SERVER } from '../load/sockperf.ts';
import { HTTP_PORT, webServer } from '../load/web_server.ts';
import { runInNetns } from './commands.ts';
import { type Permission, permitCongestionControl, setCongestionControl } from './congestion.ts';
import { listens } from './listens.ts';
import { writeManifests } from './manifest_folder.ts';
import { CLIENT, CLIENT_ADDRESS, manifests, pathAddress } from './manifests.ts';
import { type Path, podOf } from './path.ts';

/** Port of the lab's app server in each pod: it answers each line, and holds what is open. */
export const APP_PORT = 9000;

/** Most flows at once that any figure opens. */
const MAX_FLOWS = 10_000;

/** Kept free of what a sidecar can take, for connections that only look whether it answers. */
const SPARE_FLOWS = 50;

/** All flows are a round number. */
const ROUND_TO = 100;

/** Ports of the proxies' own connections: those of Sluice's app legs, apart from the client's. */
const PROXY_PORTS = `${APP_LEG_PORTS.first} ${APP_LEG_PORTS.last}`;

/** After a stopped proxy goes on: its overdue timers fire, in milliseconds. */
const SETTLE_MS = 100;

/** How long a path may take to answer, in milliseconds. */
const ANSWER_TIMEOUT_MS = 30_000;

/** Status of a sidecar's /readyz that is at work. */
const READY = 200;

/** How long one attempt may take, and the pause between two, in milliseconds. */
const ATTEMPT_MS = 500;
const POLL_MS = 20;

/** What to build. */
export interface RigSpec {
  readonly name: string;
  readonly paths: readonly Path[];
  /** The bundled sidecar; absent: its sources. */
  readonly sidecarMain?: string | undefined;
  readonly signal: AbortSignal;
  /** Is called with what is being done, a line each. */
  readonly progress: (line: string) => void;
}

/** Standard servers that a figure may need in the pods. */
export type Server = 'iperf3' | 'sockperf' | 'nginx';

/** The lab of the benchmarks. The caller closes it; a watchdog does if this process dies before. */
export class Rig {
  readonly lab: Lab;
  readonly client = CLIENT;
  readonly agent: Agent;
  readonly sidecarMain: string | undefined;
  readonly signal: AbortSignal;
  /** For the files of tools; gone with the lab. */
  readonly folder: string;
  /** Most flows that a figure may open at once; a proxy takes a few more. */
  readonly maxFlows = mostFlows();
  /** The limit of flows that proxies are configured with. */
  readonly proxyFlows = this.maxFlows + SPARE_FLOWS;
  readonly #paths: readonly Path[];
  readonly #proxies = new Map<string, ProcessId>();
  readonly #servers = new Map<string, Promise<void>>();
  readonly #webServer: (name: string) => readonly string[];
  readonly #release: () => void;
  readonly #congestion: Permission;
  /** The TCP congestion control of the client and of all pods. */
  congestionControl = '';

  private constructor(lab: Lab, spec: RigSpec, release: () => void, congestion: Permission) {
    this.lab = lab;
    this.#congestion = congestion;
    this.sidecarMain = spec.sidecarMain;
    this.signal = spec.signal;
    this.folder = join(labPaths(lab.name).folder, 'bench');
    mkdirSync(this.folder);
    this.agent = new Agent(lab, this.client);
    this.#paths = spec.paths;
    this.#webServer = webServer(this.folder);
    this.#release = release;
  }

  /** Builds everything; returns when each path answers. What was built is gone if this fails. */
  static async open(spec: RigSpec): Promise<Rig> {
    const release = guardLab(spec.name);
    const { folder, remove } = writeManifests(manifests(spec.paths));
    const congestion = permitCongestionControl();
    let rig: Rig | undefined;
    try {
      const { name, signal, progress } = spec;
      const lab = await Lab.up({ name, paths: [folder], bare: true, signal, progress });
      rig = new Rig(lab, spec, release, congestion);
      rig.congestionControl = await setCongestionControl(lab, CLIENT, progress);
      for (const path of spec.paths) {
        progress(`path ${path.name}`);
        await rig.#bringUp(path);
      }
      return rig;
    } catch (error) {
      await rig?.close();
      await congestion.release();
      release();
      throw error;
    } finally {
      remove();
    }
  }

  address(path: Path): string {
    return pathAddress(this.#paths.indexOf(path));
  }

  /** The process in the way; undefined where there is none. */
  proxy(path: Path): ProcessId | undefined {
    return this.#proxies.get(path.name);
  }

  /** Starts a standard server in a path's pod, once; it listens when this returns. */
  serve(path: Path, server: Server): Promise<void> {
    const key = `${path.name} ${server}`;
    const known = this.#servers.get(key);
    if (known !== undefined) return known;
    const started = this.#startServer(path, server);
    this.#servers.set(key, started);
    return started;
  }

  /** Lets one proxy run and stops the others. */
  async measureOnly(path: Path): Promise<void> {
    this.#requireAlive(path);
    for (const [name, id] of this.#proxies) signalProcess(id, name === path.name ? 'SIGCONT' : 'SIGSTOP');
    await delay(SETTLE_MS, undefined, { signal: this.signal });
  }

  /**
   * Ends a path's proxy and starts it again; it may not answer yet.
   * @returns when the start began, by `performance.now`
   */
  async restart(path: Path): Promise<number> {
    const old = this.#proxies.get(path.name);
    if (old !== undefined) await killProcesses([old]);
    const startedAt = performance.now();
    const id = await path.start?.(this);
    if (id !== undefined) this.#proxies.set(path.name, id);
    return startedAt;
  }

  /**
   * Waits until the app answers through a path, and sees who asks.
   * @throws Error when it does not in time, or sees somebody else: paths would not do the same work
   */
  async untilAnswers(path: Path): Promise<void> {
    const giveUpAt = Date.now() + ANSWER_TIMEOUT_MS;
    for (;;) {
      const answer = await this.agent.ask({
        do: 'connect',
        address: this.address(path),
        port: APP_PORT,
        timeoutMs: ATTEMPT_MS,
      });
      if (answer.allowed && answer.seenAddress === CLIENT_ADDRESS && (await this.#isAtWork(path))) return;
      if (answer.allowed && answer.seenAddress !== CLIENT_ADDRESS)
        throw new Error(`${path.name} hides the client: the app sees ${answer.seenAddress ?? answer.reply}`);
      this.signal.throwIfAborted();
      this.#requireAlive(path);
      if (Date.now() > giveUpAt)
        throw new Error(`${path.name} does not answer: ${answer.error ?? 'no reply'}${this.#log(path)}`);
      await delay(POLL_MS);
    }
  }

  /**
   * A connection through a proxy shows that it is at work. On a direct path, where connections come and go also without its sidecar, the
   * sidecar has to say so: one that has just been started ends what it does not yet know to be allowed.
   */
  async #isAtWork(path: Path): Promise<boolean> {
    if (!path.isDirect) return true;
    const address = this.address(path);
    const asked = this.agent.ask({ do: 'http', address, port: SIDECAR_PORTS.admin, path: '/readyz' });
    return await asked.then(
      ({ status }) => status === READY,
      () => false,
    );
  }

  async close(): Promise<void> {
    this.agent.close();
    await this.lab.down();
    await this.#congestion.release();
    this.#release();
  }

  async #bringUp(path: Path): Promise<void> {
    const pod = podOf(path);
    await runInNetns(this.lab, pod, [
      'sh',
      '-c',
      `echo ${PROXY_PORTS} >/proc/sys/net/ipv4/ip_local_port_range`,
    ]);
    const congestion = await setCongestionControl(this.lab, pod);
    if (congestion !== this.congestionControl)
      throw new Error(`the pod of ${path.name} has ${congestion}, the client ${this.congestionControl}`);
    await this.#spawnServer(path, 'app', [process.execPath, APP_SERVER, `TCP/${APP_PORT}`]);
    await path.prepare(this);
    await this.restart(path);
    await this.untilAnswers(path);
  }

  async #startServer(path: Path, server: Server): Promise<void> {
    switch (server) {
      case 'iperf3':
        return await this.#spawnServer(path, server, IPERF_SERVER, IPERF_PORT);
      case 'sockperf':
        return await this.#spawnServer(path, server, SOCKPERF_SERVER, SOCKPERF_PORT);
      case 'nginx':
        return await this.#spawnServer(path, server, this.#webServer(path.name), HTTP_PORT);
      default:
        return unreachable(server);
    }
  }

  /** @param port absent: the server says itself when it is ready */
  async #spawnServer(path: Path, name: string, argv: readonly string[], port?: number): Promise<void> {
    const { id } = await startProcess({
      lab: this.lab.name,
      netns: this.lab.netns(podOf(path)),
      argv,
      env: {},
      logFile: join(this.folder, `${path.name}.${name}.log`),
      waitReady: port === undefined,
    });
    const giveUpAt = Date.now() + ANSWER_TIMEOUT_MS;
    while (port !== undefined && !listens(id.pid, port)) {
      this.signal.throwIfAborted();
      if (!isAlive(id) || Date.now() > giveUpAt)
        throw new Error(
          `${name} does not listen: ${lastLines(join(this.folder, `${path.name}.${name}.log`))}`,
        );
      await delay(POLL_MS);
    }
  }

  #requireAlive(path: Path): void {
    const proxy = this.#proxies.get(path.name);
    if (proxy !== undefined && !isAlive(proxy))
      throw new Error(`the proxy of ${path.name} has ended${this.#log(path)}`);
  }

  #log(path: Path): string {
    return path.start === undefined ? '' : `: ${lastLines(this.lab.logFile(podOf(path), 'sidecar'))}`;
  }
}

/** Most flows at once: 10,000, or what a sidecar takes with this machine's limit of open files. */
function mostFlows(): number {
  const room = connectionLimit(0, descriptorLimit(), memoryLimit()).flows - SPARE_FLOWS;
  return Math.min(MAX_FLOWS, Math.floor(room / ROUND_TO) * ROUND_TO);
}
