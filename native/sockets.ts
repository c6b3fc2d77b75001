/**
 * TCP sockets as file descriptors: transparent listeners that accept connections to any address, sockets bound to an
 * address that is not ours, marked sockets; and what Node does not offer of a socket that it has. The caller owns a
 * returned descriptor (handing it to a `net.Socket` or `net.Server` passes ownership on). Source: ip(7), ipv6(7), socket(7).
 */

import { errnoName } from '../common/errno.ts';
import { SluiceError } from '../common/errors.ts';
import { MAX_PORT } from '../common/net.ts';
import { type Addon, type Family, loadAddon } from './addon.ts';
import { errnoMeaning } from './errno_error.ts';

/** What `openSockets` gives: the calls, over one loaded addon. */
export interface Sockets {
  /**
   * A listening socket with IP_TRANSPARENT, for TPROXY to deliver to. IPv6 listeners take IPv6 only.
   * @param backlog pending connections, capped by net.core.somaxconn
   */
  listenTransparent(family: Family, address: string, port: number, backlog: number): number;
  /**
   * A socket bound to `address`:`port`, which need not be local, marked, not connected.
   * @param mark SO_MARK, 32 bit
   */
  bindTransparent(family: Family, address: string, port: number, mark: number): number;
  /** A marked socket, neither bound nor connected. */
  openMarked(family: Family, mark: number): number;
  /** Closes a descriptor that nobody else owns. */
  close(fd: number): void;
  /** Whether a connected socket has died: reset by its peer, or given up by keepalive. */
  isDead(fd: number): boolean;
  /** Name of the errno that waits at a socket, such as ETIMEDOUT, which this takes away; absent: there is none. */
  takeError(fd: number): string | undefined;
  /** Urgent data is read in the stream. Errors are ignored, as of `keepAlive`. */
  readInLine(fd: number): void;
  /** Keepalive probes at these times, tcp(7). Errors are ignored: only a socket that is going away has any. */
  keepAlive(fd: number, times: KeepAliveTimes): void;
  /**
   * Where an accepted connection was going before address translation in this network namespace sent it elsewhere; its local
   * address and port where nothing did. `undefined` when it has died.
   * @returns the address as the kernel has it, 4 or 16 bytes
   */
  originalDestination(
    fd: number,
    family: Family,
  ): { readonly address: Uint8Array; readonly port: number } | undefined;
  /** Makes the next close of `fd` send RST and drop unsent bytes. Errors are ignored: the socket is going away. */
  resetOnClose(fd: number): void;
}

/** TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT of tcp(7). */
export interface KeepAliveTimes {
  readonly idleSeconds: number;
  readonly intervalSeconds: number;
  readonly probes: number;
}

const IPV4_BYTES = 4;
const IPV6_BYTES = 16;

/** TCP_CLOSE of include/net/tcp_states.h. */
const TCP_CLOSE = 7;

/**
 * @throws SluiceError `NATIVE_ADDON_MISSING`. The calls that give a descriptor throw the `SOCKET_*` codes, and a RangeError
 * for a port that is none.
 */
export function openSockets(addon: Addon = loadAddon()): Sockets {
  return {
    listenTransparent(family, address, port, backlog) {
      return configured(addon, family, `listen on ${at(family, address, port)}`, (step) => {
        step('SO_REUSEADDR', (fd) => addon.setReuseAddress(fd));
        if (family === 6) step('IPV6_V6ONLY', (fd) => addon.setV6Only(fd));
        step(transparentOption(family), (fd) => addon.setTransparent(fd, family));
        step('bind', (fd) => addon.bind(fd, family, address, checkPort(port)));
        step('listen', (fd) => addon.listen(fd, backlog));
      });
    },
    bindTransparent(family, address, port, mark) {
      return configured(addon, family, `bind ${at(family, address, port)}`, (step) => {
        step('SO_REUSEADDR', (fd) => addon.setReuseAddress(fd));
        step(transparentOption(family), (fd) => addon.setTransparent(fd, family));
        step('SO_MARK', (fd) => addon.setMark(fd, mark));
        step('bind', (fd) => addon.bind(fd, family, address, checkPort(port)));
      });
    },
    openMarked(family, mark) {
      return configured(addon, family, 'open a marked socket', (step) =>
        step('SO_MARK', (fd) => addon.setMark(fd, mark)),
      );
    },
    close(fd) {
      addon.close(fd);
    },
    isDead(fd) {
      return addon.tcpState(fd) === TCP_CLOSE;
    },
    takeError(fd) {
      const error = addon.socketError(fd);
      return error > 0 ? errnoName(error) : undefined;
    },
    readInLine(fd) {
      addon.setOobInline(fd);
    },
    keepAlive(fd, { idleSeconds, intervalSeconds, probes }) {
      addon.setKeepAlive(fd, idleSeconds, intervalSeconds, probes);
    },
    originalDestination(fd, family) {
      const address = new Uint8Array(family === 6 ? IPV6_BYTES : IPV4_BYTES);
      const port = addon.originalDestination(fd, address);
      return port < 0 ? undefined : { address, port };
    },
    resetOnClose(fd) {
      addon.setLingerZero(fd);
    },
  };
}

type Step = (name: string, call: (fd: number) => number) => void;

/** Opens a socket, runs the steps on it, and closes it again when one fails. */
function configured(addon: Addon, family: Family, purpose: string, steps: (step: Step) => void): number {
  const fd = addon.tcpSocket(family);
  if (fd < 0) throw socketError('socket', fd, purpose, family);
  try {
    steps((name, call) => {
      const result = call(fd);
      if (result < 0) throw socketError(name, result, purpose, family);
    });
  } catch (error) {
    addon.close(fd);
    throw error;
  }
  return fd;
}

function socketError(step: string, result: number, purpose: string, family: Family): SluiceError {
  const name = errnoName(result);
  const { code, hint } = errnoMeaning(name, 'socket');
  return new SluiceError(code, `cannot ${purpose}: ${step} (IPv${family}) failed with ${name}: ${hint}`);
}

function transparentOption(family: Family): string {
  return family === 6 ? 'IPV6_TRANSPARENT' : 'IP_TRANSPARENT';
}

function at(family: Family, address: string, port: number): string {
  return family === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

function checkPort(port: number): number {
  if (!Number.isInteger(port) || port < 0 || port > MAX_PORT)
    throw new RangeError(`port ${port} is not 0-65535`);
  return port;
}
