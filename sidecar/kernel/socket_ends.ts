/**
 * TCP sockets that are gone, as the kernel reports them: one message for each, right when it goes, with what it has counted.
 * Source: sock_diag(7), SKNLGRP_INET_TCP_DESTROY of sock_diag.h.
 */
import {
  hostUint16,
  hostUint32,
  NETLINK_PROTOCOLS,
  Netlink,
  type NetlinkMessage,
  readHostUint64,
} from '../../native/index.ts';
import type { Side } from './conntrack.ts';
import { cookieAt, MESSAGE_BYTES, socketBytes, socketInfo, socketSides } from './tcp_sockets.ts';

/** SKNLGRP_INET_TCP_DESTROY and SKNLGRP_INET6_TCP_DESTROY. */
const GROUPS = [1, 3] as const;

/** Some thousands of messages in the kernel's accounting; it belongs to nobody's memory limit. */
const BUFFER_BYTES = 4 * 1024 * 1024;

/** Where things are in `struct tcp_info`. */
const RETRANSMITS_AT = 2;
const PROBES_AT = 3;
const BACKOFF_AT = 4;
const BYTES_ACKNOWLEDGED_AT = 120;

/** A socket that is gone. */
export interface EndedSocket {
  /** Perhaps without an address where the process has reset the connection. */
  readonly local: Side;
  /** With port 0 where the process has reset the connection: the kernel has forgotten port and bytes by then. */
  readonly remote: Side;
  /** What the kernel calls the socket; see `socketCookie`. */
  readonly cookie: number;
  /** Payload that was sent and received. The latter is one too low where the process closed before the other side did. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /**
   * - `closed`: in order, as the other side has acknowledged the end of the stream.
   * - `silent`: nothing came back from the other side.
   * - `reset`: by whichever side.
   */
  readonly end: 'closed' | 'silent' | 'reset';
}

/** Which sockets are reported, by their own port. */
export interface WantedPorts {
  readonly ports: readonly number[];
  /** Those ports, or all but those. */
  readonly are: 'wanted' | 'unwanted';
}

/** Reports sockets that go after this was made. The caller closes it. */
export class SocketEnds {
  readonly #socket: Netlink;
  readonly #isNews: (cookie: number) => boolean;

  /**
   * @param isNews asked for each socket, by its cookie, before more of it is read, which takes longer: false where its end is no news
   * @throws SluiceError `NETLINK_*`, `SOCKET_*` or `NATIVE_ADDON_MISSING`
   */
  constructor(wanted: WantedPorts, isNews: (cookie: number) => boolean = () => true) {
    this.#isNews = isNews;
    this.#socket = new Netlink(NETLINK_PROTOCOLS.SOCK_DIAG);
    try {
      this.#socket.subscribe({ groups: GROUPS, filter: filter(wanted), bufferBytes: BUFFER_BYTES });
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  /**
   * Some sockets; `undefined` when none waits.
   * @throws SluiceError `NETLINK_OVERRUN` once after messages were lost, `NETLINK_FAILED`
   */
  receive(): readonly EndedSocket[] | undefined {
    return this.#socket.receive()?.flatMap((message) => this.#read(message) ?? []);
  }

  /** Where they wait, for `Readiness`. */
  get fd(): number {
    return this.#socket.fd;
  }

  close(): void {
    this.#socket.close();
  }

  #read({ body }: NetlinkMessage): EndedSocket | undefined {
    if (body.length < MESSAGE_BYTES || !this.#isNews(cookieAt(body))) return undefined;
    return readEnd(body);
  }
}

function readEnd(body: Uint8Array): EndedSocket | undefined {
  const info = socketInfo(body);
  if (info === undefined) return undefined;
  const { sent, received } = socketBytes(info);
  // The end of the stream counts as a byte.
  const isClosed = readHostUint64(info, BYTES_ACKNOWLEDGED_AT) === sent + 1;
  const isSilent = [RETRANSMITS_AT, PROBES_AT, BACKOFF_AT].some((at) => (info[at] ?? 0) > 0);
  return {
    ...socketSides(body),
    cookie: cookieAt(body),
    bytesSent: sent,
    bytesReceived: isClosed && received > 0 ? received - 1 : received,
    end: isClosed ? 'closed' : isSilent ? 'silent' : 'reset',
  };
}

/** Operations of classic BPF; bpf_common.h of linux. */
const LOAD_HALF_AT = 0x28;
const IF_EQUAL = 0x15;
const RETURN = 0x06;

/** The own port in a message: after the header and the first four bytes of `inet_diag_msg`. */
const OWN_PORT_AT = 16 + 4;

/** Most ports that the filter looks for: a jump of classic BPF reaches 255 steps. With more, all pass. */
const PORTS_MAX = 250;

/** Spares the reader what is of no interest. Port 0 always passes: see `EndedSocket`. */
function filter({ ports, are }: WantedPorts): Uint8Array {
  const isWanted = are === 'wanted';
  const listed = ports.length > PORTS_MAX ? [] : isWanted ? [0, ...ports] : ports;
  const [ifListed, ifNot] = isWanted && listed.length > 0 ? [-1, 0] : [0, -1];
  const steps: readonly (readonly [code: number, ifTrue: number, value: number])[] = [
    [LOAD_HALF_AT, 0, OWN_PORT_AT],
    ...listed.map((port, index) => [IF_EQUAL, listed.length - index, port] as const),
    [RETURN, 0, ifNot],
    [RETURN, 0, ifListed],
  ];
  return Buffer.concat(
    steps.map(([code, ifTrue, value]) =>
      Buffer.concat([hostUint16(code), Uint8Array.of(ifTrue, 0), hostUint32(value)]),
    ),
  );
}
