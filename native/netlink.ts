/**
 * Netlink sockets: questions and orders to the kernel. The kernel answers while it takes a message, so nobody has to wait: once
 * the message is sent, the answer is there, or the next datagram of it comes when the one before is received. What the kernel reports to
 * groups of its own accord waits in a buffer until it is received. Source: netlink(7).
 */
import { close } from 'node:fs';
import { errnoName } from '../common/errno.ts';
import { SluiceError } from '../common/errors.ts';
import { type Addon, loadAddon } from './addon.ts';
import { errnoMeaning } from './errno_error.ts';
import { type NetlinkMessage, readMessages } from './netlink_message.ts';

/** Which part of the kernel a socket talks to; linux/netlink.h. */
export const NETLINK_PROTOCOLS = { ROUTE: 0, SOCK_DIAG: 4, NETFILTER: 12 } as const;

/** Joins a group. */
const NETLINK_ADD_MEMBERSHIP = 1;
/** Acknowledgements repeat the header of a message only. */
const NETLINK_CAP_ACK = 10;

/** The kernel fills datagrams up to this in a dump when the reader has room for them. */
const DATAGRAM_BYTES = 32 * 1024;

/** No descriptor. */
const CLOSED = -1;

/** Names of errors of recv(2) that mean something here. */
const NOTHING_THERE = 'EAGAIN';

/** Messages that a socket gets without having asked. */
export interface Subscription {
  /** Numbers of multicast groups of the protocol. */
  readonly groups: readonly number[];
  /** A program of `struct sock_filter` that picks the messages; bpf(4), linux/filter.h. */
  readonly filter: Uint8Array;
  /** Room for what was not received yet. The kernel takes twice as much, as it counts its own overhead. */
  readonly bufferBytes: number;
}

/** A socket of one protocol. The caller closes it. */
export class Netlink {
  readonly #addon: Addon;
  #fd: number;
  readonly #buffer = new Uint8Array(DATAGRAM_BYTES);

  /** @throws SluiceError `NATIVE_ADDON_MISSING`, `NETLINK_UNAVAILABLE` or `SOCKET_*` */
  constructor(protocol: number, addon: Addon = loadAddon()) {
    this.#addon = addon;
    this.#fd = checkedNetlink('open', addon.netlinkSocket(protocol));
    addon.netlinkOption(this.#fd, NETLINK_CAP_ACK, 1); // only spares bytes
  }

  /** The descriptor, for `Readiness`; the socket stays its owner. */
  get fd(): number {
    return this.#fd;
  }

  /**
   * One datagram of one or more whole messages. The kernel has done what they ask for when this returns.
   * @throws SluiceError `NETLINK_FAILED`
   */
  send(datagram: Uint8Array): void {
    checkedNetlink('send', this.#addon.netlinkSend(this.#fd, datagram));
  }

  /**
   * `send` on another thread, for what the kernel takes its time for: a change of nftables waits for a grace period of
   * RCU, some 10 ms. Until this resolves the socket and the datagram must not be used otherwise.
   * @throws SluiceError `NETLINK_FAILED`
   */
  async sendAside(datagram: Uint8Array): Promise<void> {
    checkedNetlink('send', await this.#addon.netlinkSendAside(this.#fd, datagram));
  }

  /**
   * Gives room for answers that are not received yet. The kernel takes twice as much, as it counts its own overhead.
   * @throws SluiceError `NETLINK_FAILED` or `SOCKET_*`
   */
  makeRoom(bytes: number): void {
    checkedNetlink('give room to', this.#addon.netlinkBuffer(this.#fd, bytes));
  }

  /**
   * From now on the kernel reports what happens; reports that come while the buffer is full are lost.
   * @throws SluiceError `NETLINK_FAILED` or `SOCKET_*`
   */
  subscribe({ groups, filter, bufferBytes }: Subscription): void {
    this.makeRoom(bufferBytes);
    checkedNetlink('filter', this.#addon.netlinkFilter(this.#fd, filter));
    for (const group of groups) {
      checkedNetlink('subscribe', this.#addon.netlinkOption(this.#fd, NETLINK_ADD_MEMBERSHIP, group));
    }
  }

  /**
   * The messages of the next datagram; `undefined` when none waits. They are valid until the next call. In a dump this
   * call makes the kernel go on.
   * @throws SluiceError `NETLINK_OVERRUN` when messages were lost because nobody took them, `NETLINK_FAILED`
   */
  receive(): readonly NetlinkMessage[] | undefined {
    const length = this.#addon.netlinkReceive(this.#fd, this.#buffer);
    if (length < 0 && errnoName(length) === NOTHING_THERE) return undefined;
    checkedNetlink('receive', length);
    if (length > DATAGRAM_BYTES)
      throw new SluiceError('NETLINK_FAILED', `a netlink datagram of ${length} bytes; please report it`);
    return readMessages(this.#buffer.subarray(0, length));
  }

  /**
   * What waits of connection tracking's reports, as rows of numbers: see conntrack_ends.c, which has their form. The rest stays where
   * it is when `rows` is full.
   * @param dropped its first place gets how many reports were lost until now because nobody took them in time; it wraps at 2^32
   * @returns how many rows there are now; fewer than have place: nothing waits any more
   * @throws SluiceError `NETLINK_FAILED`
   */
  receiveRows(rows: Uint32Array, dropped: Uint32Array): number {
    return checkedNetlink('receive from', this.#addon.conntrackRows(this.#fd, rows, dropped));
  }

  /**
   * Nothing may be done with it any more. Another thread closes it: where nftables were changed shortly before, also by others, the
   * kernel has the thread that closes a socket wait for a grace period of RCU, some 10 ms.
   */
  close(): void {
    if (this.#fd === CLOSED) return;
    close(this.#fd, () => {}); // the descriptor is gone in any case
    this.#fd = CLOSED;
  }
}

/**
 * What a call gave, or its error.
 * @param step what was to be done, as in `send`
 * @throws SluiceError `NETLINK_*` or `SOCKET_*` for a negative error number
 */
export function checkedNetlink(step: string, result: number): number {
  if (result >= 0) return result;
  const name = errnoName(result);
  const { code, hint } = errnoMeaning(name, 'netlink');
  throw new SluiceError(code, `cannot ${step} a netlink socket: ${name}: ${hint}`);
}
