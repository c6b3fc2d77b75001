/** The real sidecar in a network namespace of its own, which goes with it. Needs root. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { SIDECAR_NODE_ENV, SIDECAR_NODE_FLAGS } from '../../../common/contract.ts';
import { lastLines, toolPath } from '../../../lab/index.ts';
import type { Pod } from '../../../policy/index.ts';
import { cpuSeconds, peakBytes, residentBytes, writtenBytes } from '../../process_usage.ts';
import { NODE_ADDRESS } from './shapes.ts';

/** The namespace has no name: when the last process in it ends, it is gone. `setpriv` ends that one with this process. */
const IN_OWN_NAMESPACE = ['setpriv', '--pdeathsig', 'KILL', '--', 'unshare', '--net', '--', 'sh', '-ec'];

/**
 * $1: the pod's address, $2: the node's; then the command line of the sidecar. As in a cluster, the node's link-layer address is known:
 * a sidecar looks for one that is not every two seconds, with tools.
 */
const START = `
  ip link set lo up
  ip link add eth0 type veth peer name node0
  ip address add "$1/32" dev eth0
  ip link set eth0 up
  ip link set node0 up
  ip route add "$2" dev eth0
  ip neighbour replace "$2" lladdr 02:00:00:00:00:01 dev eth0 nud permanent
  ip route add default via "$2" dev eth0
  shift 2
  "$@" redirect apply
  exec "$@" run`;

/** One sidecar, from its start until `stop`. */
export class RealSidecar {
  readonly #child: ChildProcess;
  readonly #pid: number;
  readonly #log: string;

  /**
   * Starts it.
   * @param main what Node runs: sidecar/main.ts, or its bundle
   * @param folder for its table and its log
   * @param socket where its injector listens
   */
  constructor(main: string, pod: Pod, folder: string, socket: string) {
    const state = join(folder, 'state');
    mkdirSync(state, { recursive: true });
    this.#log = join(folder, 'sidecar.log');
    const log = openSync(this.#log, 'a', 0o600);
    const argv = [...IN_OWN_NAMESPACE, START, 'sh', pod.ips[0] ?? '', NODE_ADDRESS];
    const [command = '', ...args] = [...argv, process.execPath, ...SIDECAR_NODE_FLAGS, main];
    this.#child = spawn(command, args, {
      stdio: ['ignore', log, log],
      env: {
        PATH: toolPath(),
        ...SIDECAR_NODE_ENV,
        SLUICE_POD_NAMESPACE: pod.namespace,
        SLUICE_POD_NAME: pod.name,
        SLUICE_SOURCE: `unix:${socket}`,
        SLUICE_STATE_DIR: state,
        SLUICE_NODE_IPS: NODE_ADDRESS,
      },
    });
    closeSync(log);
    if (this.#child.pid === undefined) throw new Error('the sidecar could not be started');
    this.#pid = this.#child.pid;
  }

  /** @throws Error with the end of its log, when it has ended */
  check(): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null) return;
    throw new Error(`the sidecar has ended: ${lastLines(this.#log)}`);
  }

  get cpuSeconds(): number {
    return cpuSeconds(this.#pid);
  }

  get residentBytes(): number {
    return residentBytes(this.#pid);
  }

  get peakBytes(): number {
    return peakBytes(this.#pid);
  }

  /** To files, its log among them, and to its injector. */
  get writtenBytes(): number {
    return writtenBytes(this.#pid);
  }

  /** Ends it at once, and its namespace. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.kill();
    await ended;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
