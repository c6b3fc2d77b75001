/**
 * Outbound flows that end. They do not pass the proxy, so connection tracking has to report them. The cutter records what it ends;
 * what the gate reset before the cutter came to it is recorded here. Fails static: without this, flows go on, unrecorded.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { asError } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import { Recent } from '../../common/recent.ts';
import type { FlowEnd } from '../../flows/index.ts';
import type { Judge } from '../../policy/index.ts';
import { ConntrackEvents, type FlowEvent, type Side, TCP_STATES, type TrackedFlow } from '../kernel/index.ts';
import type { EndedOutbound } from '../records/index.ts';
import { allowedBefore } from '../table/index.ts';
import type { OutboundClaims } from './cutter.ts';
import {
  countedBytes,
  endedOutbound,
  type Interfaces,
  isToOthers,
  ownAddressesOf,
  revoked,
} from './outbound_flow.ts';

/** How often events are looked for. They wait in the kernel meanwhile, some 6,000 of them. */
const READ_INTERVAL_MS = 250;

/** Events taken at a time: a record takes some 50 us. */
const EVENTS_AT_ONCE = 50;

/** Most recorded TCP flows that are remembered while connection tracking has them: it may report an end twice. */
const RECORDED_MAX = 4096;

/** Where ends go. */
export interface OutboundEndsSink {
  ended(flow: EndedOutbound): void;
  /** More flows ended at once than could be taken note of. */
  overrun(): void;
  /** Nothing is recorded until the pod stops being isolated and is isolated again. */
  failed(error: Error): void;
}

/** The part of `ConntrackEvents` that is used here. */
export type FlowEvents = Pick<ConntrackEvents, 'receive' | 'counted' | 'close'>;

/** Reports flows that end, while the pod is isolated. Else it does not listen to the kernel. */
export class OutboundEnds implements OutboundClaims {
  readonly #judge: () => Judge | undefined;
  readonly #sink: OutboundEndsSink;
  readonly #injector: Side | undefined;
  readonly #interfaces: Interfaces;
  readonly #before: () => Judge | undefined;
  readonly #open: () => FlowEvents;
  #events: FlowEvents | undefined;
  #wanted = false;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | undefined;
  readonly #recorded = new Recent<string, true>(RECORDED_MAX);

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
    this.#interfaces = options.interfaces ?? (() => []);
    this.#before = options.before ?? (() => undefined);
    this.#open = options.open ?? (() => new ConntrackEvents());
  }

  /** To be called when a table is in force: begins with the isolation of the pod, and stops with it. */
  follow(): void {
    const isolated = (this.#judge()?.table.egress.isolating.length ?? 0) > 0;
    if (isolated === this.#wanted) return;
    this.#wanted = isolated;
    if (!isolated) return this.#stop();
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

  #later(): void {
    this.#timer = setTimeout(() => {
      this.#reading = this.#read().then(() => {
        if (this.#events !== undefined) this.#later();
      });
    }, READ_INTERVAL_MS);
  }

  /** Never rejects. */
  async #read(): Promise<void> {
    const events = this.#events;
    try {
      while (events !== undefined && this.#events === events) {
        const some = this.#receive(events);
        if (some === undefined) return;
        await this.#report(some, events);
        await turn();
      }
    } catch (error) {
      if (this.#events !== events) return;
      this.#stop();
      this.#sink.failed(asError(error));
    }
  }

  #receive(events: FlowEvents): readonly FlowEvent[] | undefined {
    const taken: FlowEvent[] = [];
    for (let count = 0; count < EVENTS_AT_ONCE; count += 1) {
      try {
        const some = events.receive();
        if (some === undefined) return count === 0 ? undefined : taken;
        taken.push(...some);
      } catch (error) {
        if (!(error instanceof SluiceError) || error.code !== 'NETLINK_OVERRUN') throw error;
        this.#sink.overrun();
      }
    }
    return taken;
  }

  async #report(some: readonly FlowEvent[], events: FlowEvents): Promise<void> {
    const judge = this.#judge();
    if (judge === undefined) return;
    const own = ownAddressesOf(judge, this.#interfaces);
    const ended = some
      .filter(({ flow }) => isToOthers(flow, own, this.#injector))
      .filter((event) => this.#hasEnded(event));
    const stillThere = ended.filter(({ gone }) => !gone).map(({ flow }) => flow);
    const counted = await events.counted(stillThere);
    for (const { flow, gone } of ended) {
      const bytes = countedBytes((gone ? undefined : counted[stillThere.indexOf(flow)]) ?? flow);
      const revocation = revoked(flow, judge);
      // Denied by the table of now, and ended in order: no record here. If its packets were dropped, that has a record.
      if (revocation !== undefined && endOf(flow) !== 'reset') continue;
      const { protocol, answering } = flow;
      const verdict =
        revocation?.verdict ?? judge.judge('egress', answering.address, protocol, answering.port);
      const was =
        revocation && allowedBefore(this.#before(), 'egress', answering.address, protocol, answering.port);
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

function endOf({ protocol, tcpState }: TrackedFlow): FlowEnd {
  return protocol === 'TCP' && tcpState === TCP_STATES.CLOSE ? 'reset' : 'closed';
}

function keyOf(source: Side, destination: Side): string {
  return `${source.address} ${source.port} ${destination.address} ${destination.port}`;
}
