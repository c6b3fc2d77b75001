/**
 * What connection tracking has reported, as rows of numbers that native/conntrack_ends.c writes: a call reads a thousand reports, and an
 * object is made only of those that somebody wants as one. The places of a row are those of the C file.
 */
import { formatAddress, type Protocol, socketAddress } from '../../policy/index.ts';
import type { Side, TrackedFlow } from './conntrack.ts';
import { PROTOCOL_BY_NUMBER } from './protocols.ts';

/** Words of a row. */
export const ROW_WORDS = 29;

/** Where the fields of a row are. An address has four words, an IPv4 address only the first of them. */
export const ROW = {
  flags: 0,
  protocol: 1,
  status: 2,
  tcpState: 3,
  id: 4,
  sourcePort: 5,
  destinationPort: 6,
  answeringPort: 7,
  answeredPort: 8,
  source: 9,
  destination: 13,
  answering: 17,
  answered: 21,
  sent: 25,
  received: 27,
} as const;

/** Bits of `ROW.flags`: the entry is gone; its addresses are IPv6. */
export const GONE = 1;
export const IS_IPV6 = 2;

/** In `ROW.tcpState`: the kernel does not say it. */
export const NO_STATE = 255;

/** IPS_ASSURED. */
const ASSURED = 1 << 2;

const WORD = 2 ** 32;
const WORDS_OF_ADDRESS = 4;

/** Rows in one array. */
export class EventRows {
  /** Of all rows, one after the other. */
  readonly words: Uint32Array;
  /** How many there are. */
  readonly count: number;

  constructor(words: Uint32Array, count: number) {
    this.words = words;
    this.count = count;
  }

  /** @param field where the field begins, one of `ROW` */
  word(row: number, field: number): number {
    return this.words[row * ROW_WORDS + field] ?? 0;
  }

  isGone(row: number): boolean {
    return (this.word(row, ROW.flags) & GONE) !== 0;
  }

  isIPv6(row: number): boolean {
    return (this.word(row, ROW.flags) & IS_IPV6) !== 0;
  }

  /** See `TrackedFlow`. */
  isAssured(row: number): boolean {
    return (this.word(row, ROW.status) & ASSURED) !== 0;
  }

  protocol(row: number): Protocol | undefined {
    return PROTOCOL_BY_NUMBER[this.word(row, ROW.protocol)];
  }

  /** Bytes: `ROW.sent` by who opened the flow, or `ROW.received`. */
  bytes(row: number, field: number): number {
    return this.word(row, field) * WORD + this.word(row, field + 1);
  }

  /** The canonical text of an address. */
  address(row: number, field: number): string {
    const at = row * ROW_WORDS + field;
    const [first = 0, ...others] = this.words.subarray(at, at + WORDS_OF_ADDRESS);
    return this.isIPv6(row) ? socketAddress(formatAddress([first, ...others])) : formatAddress([first]);
  }

  /** The row as an object; `undefined` for another protocol. */
  flow(row: number): TrackedFlow | undefined {
    const protocol = this.protocol(row);
    if (protocol === undefined) return undefined;
    const side = (address: number, port: number): Side => ({
      address: this.address(row, address),
      port: this.word(row, port),
    });
    const tcpState = this.word(row, ROW.tcpState);
    return {
      protocol,
      source: side(ROW.source, ROW.sourcePort),
      destination: side(ROW.destination, ROW.destinationPort),
      answering: side(ROW.answering, ROW.answeringPort),
      answered: side(ROW.answered, ROW.answeredPort),
      isAssured: this.isAssured(row),
      tcpState: tcpState === NO_STATE ? undefined : tcpState,
      bytesSent: this.bytes(row, ROW.sent),
      bytesReceived: this.bytes(row, ROW.received),
    };
  }
}
