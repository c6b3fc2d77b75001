/** Flows that end, or TCP flows that begin, as connection tracking reports them by itself. Source: linux/netfilter/nfnetlink_conntrack.h. */
import { readFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { hostUint16, hostUint32, NETLINK_PROTOCOLS, Netlink } from '../../native/index.ts';
import {
  ASSURED,
  readFlow,
  STATUS,
  TCP_STATE_PATH,
  TCP_STATES,
  type TrackedFlow,
  tcpFlows,
} from './conntrack.ts';
import { EventRows, ROW_WORDS } from './event_rows.ts';

/** What can be reported. */
const KINDS = {
  /** NFNLGRP_CONNTRACK_UPDATE, and of that a TCP connection that has ended; NFNLGRP_CONNTRACK_DESTROY. */
  ends: { groups: [2, 3], states: [TCP_STATES.TIME_WAIT, TCP_STATES.CLOSE], unassured: undefined },
  /**
   * NFNLGRP_CONNTRACK_UPDATE, and of that a TCP connection whose handshake is complete: before its socket can be closed. A client that
   * completes it with a FIN is never `ESTABLISHED`, nor assured, and the app has its connection all the same.
   */
  beginnings: {
    groups: [2],
    states: [TCP_STATES.ESTABLISHED, TCP_STATES.ESTABLISHED],
    unassured: TCP_STATES.FIN_WAIT,
  },
} as const;

/** IPCTNL_MSG_CT_DELETE, without the subsystem. */
const DELETED = 2;

/**
 * Room for events that wait, by kind: some 1,500 per MiB in the kernel's accounting. It takes memory only while they wait, and that
 * belongs to nobody's limit. Many ends come at once, as the kernel looks for entries that have expired once in a while.
 */
const BUFFER_BYTES = { ends: 16 * 1024 * 1024, beginnings: 4 * 1024 * 1024 } as const;

/** Whether bytes are counted: a setting of the network namespace, which takes hold of new flows. The gate switches it on. */
const ACCOUNTING = '/proc/sys/net/netfilter/nf_conntrack_acct';

/** An entry of connection tracking whose TCP connection has ended or begun, or that is gone. */
export interface FlowEvent {
  readonly flow: TrackedFlow;
  /** The entry is gone. That of a TCP connection outlives it by up to two minutes. */
  readonly gone: boolean;
}

/** Most rows that are taken at once. Where each has a record, which takes some 50 us, that is 13 ms. */
export const ROWS_AT_ONCE = 256;

/** Some events as rows. */
export interface TakenEvents {
  readonly rows: EventRows;
  /** How many were lost since the last time, because nobody took them. A connection may have had two. */
  readonly lost: number;
}

/** Reports flows that began after this was made. The caller closes it. */
export class ConntrackEvents {
  readonly #socket: Netlink;
  readonly #words = new Uint32Array(ROWS_AT_ONCE * ROW_WORDS);
  readonly #dropped = new Uint32Array(1);

  /** @throws SluiceError `NETLINK_*`, `SOCKET_*` or `NATIVE_ADDON_MISSING` */
  constructor(kind: keyof typeof KINDS = 'ends') {
    const { groups, states, unassured } = KINDS[kind];
    this.#socket = new Netlink(NETLINK_PROTOCOLS.NETFILTER);
    try {
      this.#socket.subscribe({ groups, filter: filter(states, unassured), bufferBytes: BUFFER_BYTES[kind] });
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  /**
   * Some events; `undefined` when none waits.
   * @throws SluiceError `NETLINK_OVERRUN` once after events were lost, `NETLINK_FAILED`
   */
  receive(): readonly FlowEvent[] | undefined {
    return this.#socket.receive()?.flatMap((message) => {
      const flow = readFlow(message);
      return flow === undefined ? [] : [{ flow, gone: (message.type & 0xff) === DELETED }];
    });
  }

  /**
   * The same as rows, in one call for many: valid until the next one. With fewer than `ROWS_AT_ONCE`, nothing waits any more.
   * @throws SluiceError `NETLINK_FAILED`
   */
  take(): TakenEvents {
    const [before = 0] = this.#dropped;
    const count = this.#socket.receiveRows(this.#words, this.#dropped);
    const [now = 0] = this.#dropped;
    return { rows: new EventRows(this.#words, count), lost: (now - before) >>> 0 };
  }

  /**
   * TCP flows with the bytes that were counted: an event about a change of state leaves them out.
   * @throws SluiceError `NETLINK_*` or `SOCKET_*`
   */
  async counted(flows: readonly TrackedFlow[]): Promise<readonly TrackedFlow[]> {
    if (flows.length === 0 || readFileSync(ACCOUNTING, 'latin1').trim() === '0') return flows;
    const now = await tcpFlows(flows);
    return flows.map((flow, index) => now[index] ?? flow);
  }

  /** Where they wait, for `Readiness`. */
  get fd(): number {
    return this.#socket.fd;
  }

  close(): void {
    this.#socket.close();
  }
}

/** Operations of classic BPF, and where it finds attributes; bpf_common.h and filter.h of linux. */
const LOAD = 0x00;
const LOAD_X = 0x01;
const LOAD_BYTE_AT = 0x30;
const LOAD_WORD_AT = 0x20;
const LOAD_BYTE_AT_X = 0x50;
const LOAD_WORD_AT_X = 0x40;
const TO_X = 0x07;
const IF_EQUAL = 0x15;
const IF_GREATER = 0x25;
const IF_AT_LEAST = 0x35;
const IF_ANY_BIT = 0x45;
const RETURN = 0x06;
const ATTRIBUTE = -0x1000 + 12;
const NESTED_ATTRIBUTE = -0x1000 + 16;

/** Offsets in a message: the low byte of its type, and its first attribute after header and fixed part. */
const TYPE_AT = endianness() === 'LE' ? 4 : 5;
const ATTRIBUTES_AT = 20;
const ATTRIBUTE_HEADER_BYTES = 4;

/**
 * Lets pass entries that are gone, and TCP connections in one of these states: of each one or two messages, not seven.
 * @param unassured another state, of those that are not assured
 */
function filter([first, last]: readonly [number, number], unassured: number | undefined): Uint8Array {
  const [info, tcp, state] = TCP_STATE_PATH;
  const [pass, drop] = [23, 24];
  const other = unassured === undefined ? drop : 15;
  const steps: readonly (readonly [code: number, value: number, ifTrue?: number, ifFalse?: number])[] = [
    [LOAD_BYTE_AT, TYPE_AT],
    [IF_EQUAL, DELETED, pass],
    [LOAD, ATTRIBUTES_AT],
    [LOAD_X, info],
    [LOAD_WORD_AT, ATTRIBUTE],
    [IF_EQUAL, 0, drop], // no such attribute
    [LOAD_X, tcp],
    [LOAD_WORD_AT, NESTED_ATTRIBUTE],
    [IF_EQUAL, 0, drop], // SCTP
    [LOAD_X, state],
    [LOAD_WORD_AT, NESTED_ATTRIBUTE],
    [TO_X, 0],
    [LOAD_BYTE_AT_X, ATTRIBUTE_HEADER_BYTES],
    [IF_AT_LEAST, first, 14, drop],
    [IF_GREATER, last, other, pass],
    [IF_EQUAL, unassured ?? 0, 16, drop],
    [LOAD, ATTRIBUTES_AT],
    [LOAD_X, STATUS],
    [LOAD_WORD_AT, ATTRIBUTE],
    [IF_EQUAL, 0, drop],
    [TO_X, 0],
    [LOAD_WORD_AT_X, ATTRIBUTE_HEADER_BYTES],
    [IF_ANY_BIT, ASSURED, drop, pass],
    [RETURN, -1],
    [RETURN, 0],
  ];
  return Buffer.concat(
    steps.map(([code, value, ifTrue, ifFalse], index) => {
      // `struct sock_filter`: jumps count from the next step.
      const jump = (to = index + 1): number => to - index - 1;
      return Buffer.concat([hostUint16(code), Uint8Array.of(jump(ifTrue), jump(ifFalse)), hostUint32(value)]);
    }),
  );
}
