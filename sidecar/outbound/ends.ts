/**
 * Flows that end and do not pass the proxy: connection tracking has to report them. Those of an isolated pod to others have a record
 * each; the cutter records what it ends, and what the gate reset before the cutter came to it is recorded here. What a pod that is not
 * isolated opens, and what comes in by UDP and SCTP, is added up. Fails static: without this, flows go on, uncounted.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { asError } from '../../common/errno.ts';
import { Recent } from '../../common/recent.ts';
import type { FlowEnd } from '../../flows/index.ts';
import type { Judge } from '../../policy/index.ts';
import {
  ConntrackEvents,
  type EventRows,
  type FlowEvent,
  ROW,
  ROWS_AT_ONCE,
  type Side,
  TCP_STATES,
  type TrackedFlow,
} from '../kernel/index.ts';
import type { EndedOutbound, TrackedSums } from '../records/index.ts';
import { formerVerdict } from '../table/index.ts';
import type { OutboundClaims } from './cutter.ts';
import { countedBytes, endedOutbound, type Interfaces, ownAddressesOf, revoked } from './outbound_flow.ts';
import { RowAddresses } from './row_addresses.ts';
import { RowSums } from './row_sums.ts';

/** How often events are looked for; and how often while there are many. They wait in the kernel meanwhile, some 24,000 of them. */
const READ_INTERVAL_MS = 100;
const BUSY_INTERVAL_MS = 20;

/** Most recorded TCP flows that are remembered while connection tracking has them: it may report an end twice. */
const RECORDED_MAX = 4096;

/** Where ends go. */
export interface OutboundEndsSink {
  ended(flow: EndedOutbound): void;
  /** Flows without records, or bytes of such as were counted before. */
  counted(sums: TrackedSums): void;
  /** More flows ended at once than could be taken note of. @param events that were lost; a flow may have had two */
  overrun(events: number): void;
  /** Nothing is counted or recorded until the pod is isolated, or stops being it. */
  failed(error: Error): void;
}

/** The part of `ConntrackEvents` that is used here. */
export type FlowEvents = Pick<ConntrackEvents, 'take' | 'counted' | 'close'>;

/** Reports flows that end, from the first table on. */
export class OutboundEnds implements OutboundClaims {
  readonly #judge: () => Judge | undefined;
  readonly #sink: OutboundEndsSink;
  readonly #injector: Side | undefined;
  readonly #injectorAddress: RowAddresses;
  readonly #interfaces: Interfaces;
  readonly #before: () => Judge | undefined;
  readonly #open: () => FlowEvents;
  #events: FlowEvents | undefined;
  /** Whether the pod was isolated when `follow` was called last; `undefined` before the first table. */
  #isolated: boolean | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | undefined;
  readonly #recorded = new Recent<string, true>(RECORDED_MAX);
  readonly #sums = new RowSums();

  /**
   * @param judge the one in force
   * @param options `injector`: connections to it are the sidecar's own. `interfaces`: whose addresses are the pod's before the table
   * has any. `before`: the judge of the table before, for records
   */
  constructor(
    judge: () => Judge | undefined,
    sink: OutboundEndsSink,
    options: {
      readonly injector?: Side | undefined;
      readonly interfaces?: Interfaces;
      readonly before?: () => Judge | undefined;
      readonly open?: () => FlowEvents;
    } = {},
  ) {
    this.#judge = judge;
    this.#sink = sink;
    this.#injector = options.injector;
    this.#injectorAddress = new RowAddresses(
      options.injector === undefined ? [] : [options.injector.address],
    );
    this.#interfaces = options.interfaces ?? (() => []);
    this.#before = options.before ?? (() => undefined);
    this.#open = options.open ?? (() => new ConntrackEvents());
  }

  /** To be called when a table is in force. With the first one this begins; after a failure, when the pod's isolation has changed. */
  follow(): void {
    const judge = this.#judge();
    const isolated = judge === undefined ? undefined : isIsolated(judge);
    if (isolated === this.#isolated) return;
    this.#isolated = isolated;
    if (this.#events !== undefined) return;
    try {
      this.#events = this.#open();
    } catch (error) {
      return this.#sink.failed(asError(error));
    }
    this.#later();
  }

  /** See `OutboundClaims`: the cutter's. */
  claim({ local, remote }: EndedOutbound): boolean {
    const key = keyOf(local, remote);
    if (this.#recorded.has(key)) return false;
    if (this.#events !== undefined) this.#recorded.keep(key, true);
    return true;
  }

  release({ local, remote }: EndedOutbound): void {
    this.#recorded.delete(keyOf(local, remote));
  }

  /** Reports what has ended by now, and stops. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#reading;
    await this.#read();
    this.#stop();
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#events?.close();
    this.#events = undefined;
    this.#recorded.clear();
  }

  #later(waitMs = READ_INTERVAL_MS): void {
    this.#timer = setTimeout(() => {
      this.#reading = this.#read().then((wereMany) => {
        if (this.#events !== undefined) this.#later(wereMany ? BUSY_INTERVAL_MS : READ_INTERVAL_MS);
      });
    }, waitMs);
  }

  /** Never rejects. @returns whether there were many */
  async #read(): Promise<boolean> {
    const events = this.#events;
    let wereMany = false;
    try {
      while (events !== undefined && this.#events === events) {
        const { rows, lost } = events.take();
        if (lost > 0) this.#sink.overrun(lost);
        await this.#report(rows, events);
        if (rows.count < ROWS_AT_ONCE) break;
        wereMany = true;
        await turn();
      }
    } catch (error) {
      if (this.#events !== events) return false;
      this.#stop();
      this.#sink.failed(asError(error));
    }
    return wereMany;
  }

  async #report(rows: EventRows, events: FlowEvents): Promise<void> {
    const judge = this.#judge();
    if (judge === undefined || rows.count === 0) return;
    const single = this.#sort(rows, judge);
    for (const sums of this.#sums.take()) this.#sink.counted(sums);
    if (single.length > 0) await this.#record(single, judge, events);
  }

  /** Adds up what has no record. @returns the others */
  #sort(rows: EventRows, judge: Judge): readonly FlowEvent[] {
    const own = new RowAddresses(ownAddressesOf(judge, this.#interfaces));
    const isolated = isIsolated(judge);
    const single: FlowEvent[] = [];
    for (let row = 0; row < rows.count; row += 1) {
      const isTcp = rows.protocol(row) === 'TCP';
      const [fromOwn, toOwn] = [own.has(rows, row, ROW.source), own.has(rows, row, ROW.answering)];
      if (fromOwn === toOwn || (fromOwn && this.#isToInjector(rows, row))) continue;
      if (toOwn) {
        if (!isTcp) this.#sums.addOther('ingress', rows, row);
      } else if (isolated && !(isTcp && this.#sums.hasCounted(rows, row))) {
        const flow = rows.flow(row);
        if (flow !== undefined) single.push({ flow, gone: rows.isGone(row) });
      } else if (isTcp) this.#sums.addTcp(rows, row, this.#wasRecorded(rows, row));
      else this.#sums.addOther('egress', rows, row);
    }
    return single;
  }

  /** Connections to the injector are the sidecar's own. */
  #isToInjector(rows: EventRows, row: number): boolean {
    return (
      this.#injector !== undefined &&
      rows.word(row, ROW.destinationPort) === this.#injector.port &&
      this.#injectorAddress.has(rows, row, ROW.destination)
    );
  }

  /** Whether the end of a TCP connection has a record, from when the pod was isolated. */
  #wasRecorded(rows: EventRows, row: number): boolean {
    if (this.#recorded.size === 0 || !rows.isGone(row)) return false;
    const flow = rows.flow(row);
    const key = flow && keyOf(flow.source, flow.destination);
    if (key === undefined || !this.#recorded.has(key)) return false;
    this.#recorded.delete(key);
    return true;
  }

  async #record(some: readonly FlowEvent[], judge: Judge, events: FlowEvents): Promise<void> {
    const ended = some.filter((event) => this.#hasEnded(event));
    const stillThere = ended.filter(({ gone }) => !gone).map(({ flow }) => flow);
    const counted = await events.counted(stillThere);
    for (const { flow, gone } of ended) {
      const bytes = countedBytes((gone ? undefined : counted[stillThere.indexOf(flow)]) ?? flow);
      const revocation = revoked(flow, judge);
      const { protocol, answering } = flow;
      // Denied by the table of now, and ended in order: no record here. If its packets were dropped, that has a record.
      if (revocation !== undefined && endOf(flow) !== 'reset') {
        const { bytesSent: received = 0, bytesReceived: sent = 0 } = bytes ?? {};
        this.#sink.counted({ direction: 'egress', protocol, ...answering, flows: 1, sent, received });
        continue;
      }
      const verdict =
        revocation?.verdict ?? judge.judge('egress', answering.address, protocol, answering.port);
      const was =
        revocation && formerVerdict(this.#before(), 'egress', answering.address, protocol, answering.port);
      const end = revocation?.cause ?? endOf(flow);
      this.#sink.ended(endedOutbound(flow, judge, { bytes, verdict, end, was }));
    }
  }

  /**
   * Whether an event is the end of its flow; true once for each flow. A TCP connection ends before its entry goes, unless its other
   * end has vanished.
   */
  #hasEnded({ flow, gone }: FlowEvent): boolean {
    const { protocol, tcpState = 0 } = flow;
    if (protocol !== 'TCP') return gone && (protocol === 'UDP' || flow.isAssured);
    const key = keyOf(flow.source, flow.destination);
    const isKnown = this.#recorded.has(key);
    if (gone) {
      this.#recorded.delete(key);
      const wasOpen = tcpState >= TCP_STATES.ESTABLISHED && tcpState <= TCP_STATES.LAST_ACK;
      return wasOpen && flow.isAssured && !isKnown;
    }
    if (!flow.isAssured || isKnown) return false;
    this.#recorded.keep(key, true);
    return true;
  }
}

function isIsolated({ table }: Judge): boolean {
  return table.egress.isolating.length > 0;
}

function endOf({ protocol, tcpState }: TrackedFlow): FlowEnd {
  return protocol === 'TCP' && tcpState === TCP_STATES.CLOSE ? 'reset' : 'closed';
}

function keyOf(source: Side, destination: Side): string {
  return `${source.address} ${source.port} ${destination.address} ${destination.port}`;
}
