/** Loads the addon, and says which calls it has. Only the other files of this room make them. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { messageOf } from '../common/errno.ts';
import { SluiceError } from '../common/errors.ts';
import type { Family } from '../common/net.ts';

export type { Family };

/** The addon's functions of relay_addon.c, which says what each is. */
export interface RelayAddon {
  relayStart(options: Uint32Array, notify: () => void): object | number;
  relayTake(handle: object, events: Uint8Array): number;
  relaySubmit(handle: object, commands: Uint32Array, count: number): void;
  relayForget(handle: object): number;
  relayTrustGate(handle: object, inForce: number): void;
  relayBytes(handle: object, slot: number, generation: number, out: Float64Array): number;
  relayStopAccepting(handle: object): void;
  relayClose(handle: object): void;
}

/** All of the addon's functions. Those of sockets.c, netlink.c, conntrack_ends.c and diag_addon.c give a value >= 0, or a negative errno. */
export interface Addon extends RelayAddon {
  tcpSocket(family: Family): number;
  setTransparent(fd: number, family: Family): number;
  setMark(fd: number, mark: number): number;
  setReuseAddress(fd: number): number;
  setV6Only(fd: number): number;
  setLingerZero(fd: number): number;
  setKeepAlive(fd: number, idleSeconds: number, intervalSeconds: number, probes: number): number;
  setOobInline(fd: number): number;
  socketError(fd: number): number;
  bind(fd: number, family: Family, address: string, port: number): number;
  listen(fd: number, backlog: number): number;
  tcpState(fd: number): number;
  originalDestination(fd: number, address: Uint8Array): number;
  close(fd: number): number;
  netlinkSocket(protocol: number): number;
  netlinkSend(fd: number, bytes: Uint8Array): number;
  netlinkSendAside(fd: number, bytes: Uint8Array): Promise<number> | number;
  netlinkReceive(fd: number, bytes: Uint8Array): number;
  netlinkOption(fd: number, option: number, value: number): number;
  netlinkBuffer(fd: number, bytes: number): number;
  netlinkFilter(fd: number, program: Uint8Array): number;
  conntrackRows(fd: number, rows: Uint32Array, dropped: Uint32Array): number;
  readinessStart(fds: Int32Array, notify: () => void): object | number;
  readinessArm(handle: object): void;
  readinessClose(handle: object): void;
  lookUpSockets(list: Uint8Array, facts: Float64Array): number;
  destroySockets(list: Uint8Array, results: Int32Array): Promise<number> | number;
  destroyFound(
    list: Uint8Array,
    facts: Float64Array,
    results: Int32Array,
    always: number,
    left: number,
  ): Promise<number> | number;
}

/** Where the addon is: beside the sources as `native/build.sh` leaves it, or beside a bundle. */
const PATHS = ['./build/sluice.node', './sluice.node'];

/** @throws SluiceError `NATIVE_ADDON_MISSING` when it is not built or does not load. */
export function loadAddon(paths: readonly string[] = PATHS): Addon {
  const require = createRequire(import.meta.url);
  const path = paths.find((candidate) => existsSync(new URL(candidate, import.meta.url))) ?? paths[0] ?? '';
  try {
    return require(path) as Addon;
  } catch (cause) {
    throw new SluiceError(
      'NATIVE_ADDON_MISSING',
      `the native addon does not load (${messageOf(cause).split('\n')[0]}): run 'npm run build'`,
      { cause },
    );
  }
}
