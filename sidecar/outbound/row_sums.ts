/**
 * Adds up flows that connection tracking reports, by direction, protocol, peer and port: those that have no records. All that is done for
 * one of thousands is an addition; who they were of is asked once for each sum.
 */
import type { Direction } from '../../policy/index.ts';
import { type EventRows, ROW, TCP_STATES } from '../kernel/index.ts';
import type { TrackedSums } from '../records/index.ts';

/** Ids of entries whose ends were counted lately, in a table of so many places: 64 KiB. A power of two. */
const IDS = 16_384;

const PORTS = 2 ** 16;
/** Of a direction and a protocol. */
const KINDS = 2 ** 3;

type Sum = { -readonly [Field in keyof TrackedSums]: TrackedSums[Field] };

/** The sums of some rows. */
export class RowSums {
  readonly #ended = new Uint32Array(IDS);
  readonly #sums = new Map<number | string, Sum>();

  /**
   * Whether the end of a TCP connection was counted a moment ago. An entry reports a second one when a reset comes after the end.
   * Best effort: one that a later entry has taken the place of is not known any more.
   */
  hasCounted(rows: EventRows, row: number): boolean {
    const id = rows.word(row, ROW.id);
    return id !== 0 && this.#ended[id % IDS] === id;
  }

  /**
   * A TCP connection that the pod opened. It counts when it ends; what it has carried is known only when its entry goes, up to two
   * minutes later, and is added then.
   * @param hasBytes the bytes were counted when it ended
   */
  addTcp(rows: EventRows, row: number, hasBytes: boolean): void {
    if (!rows.isAssured(row)) return; // it never came about
    const id = rows.word(row, ROW.id);
    if (!rows.isGone(row)) {
      if (this.hasCounted(rows, row)) return;
      this.#ended[id % IDS] = id;
      return this.#add('egress', rows, row, 1);
    }
    if (this.hasCounted(rows, row)) this.#ended[id % IDS] = 0;
    const state = rows.word(row, ROW.tcpState);
    // The other end vanished, so that it never ended.
    const wasOpen = state >= TCP_STATES.ESTABLISHED && state <= TCP_STATES.LAST_ACK;
    if (wasOpen) this.#add('egress', rows, row, 1);
    else if (!hasBytes) this.#add('egress', rows, row, 0);
  }

  /** A flow of UDP or SCTP whose entry is gone. */
  addOther(direction: Direction, rows: EventRows, row: number): void {
    if (!rows.isGone(row)) return;
    if (rows.protocol(row) === 'UDP' || rows.isAssured(row)) this.#add(direction, rows, row, 1);
  }

  /** Hands over the sums, and begins at zero. */
  take(): Iterable<TrackedSums> {
    const sums = [...this.#sums.values()];
    this.#sums.clear();
    return sums;
  }

  #add(direction: Direction, rows: EventRows, row: number, flows: number): void {
    const address = direction === 'ingress' ? ROW.source : ROW.answering;
    const key = keyOf(rows, row, direction, address);
    const sum = this.#sums.get(key) ?? this.#make(key, direction, rows, row, address);
    if (sum === undefined) return;
    sum.flows += flows;
    sum.sent += rows.bytes(row, ROW.received); // to the source, who has received it
    sum.received += rows.bytes(row, ROW.sent);
  }

  #make(
    key: number | string,
    direction: Direction,
    rows: EventRows,
    row: number,
    address: number,
  ): Sum | undefined {
    const protocol = rows.protocol(row);
    if (protocol === undefined) return undefined;
    const sum = {
      direction,
      protocol,
      address: rows.address(row, address),
      port: rows.word(row, ROW.answeringPort),
      flows: 0,
      sent: 0,
      received: 0,
    };
    this.#sums.set(key, sum);
    return sum;
  }
}

/** What flows have in common: a number where the address has 32 bits, as a text takes longer. */
function keyOf(rows: EventRows, row: number, direction: Direction, address: number): number | string {
  const protocol = rows.protocol(row);
  const kind = (protocol === 'TCP' ? 0 : protocol === 'UDP' ? 2 : 4) + (direction === 'ingress' ? 0 : 1);
  const rest = rows.word(row, ROW.answeringPort) * KINDS + kind;
  const first = rows.word(row, address);
  if (!rows.isIPv6(row)) return first * PORTS * KINDS + rest;
  const second = rows.word(row, address + 1);
  const third = rows.word(row, address + 2);
  return `${first} ${second} ${third} ${rows.word(row, address + 3)} ${rest}`;
}
