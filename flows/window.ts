/**
 * What a sidecar has counted within some seconds, as it sends it to the injector. Peers are raw addresses: the injector puts in the
 * names, so that a sidecar cannot claim those of others.
 */
import { PROTOCOLS } from '../common/net.ts';
import { integer, list, object, oneOf, type Shape, type TypeOf, text } from '../common/shape.ts';

/**
 * What became of a flow. `allow`: it passed. `deny`: it was refused, or its packets were dropped. `cut`: it was live, and a change of
 * the table ended it. `audit`: it passed, and policies in audit would have denied it.
 */
export const OUTCOMES = ['allow', 'deny', 'cut', 'audit'] as const;

/** One of these. */
export type Outcome = (typeof OUTCOMES)[number];

/** Most entries of a window's `counts`. Some 300 bytes each on their way to the injector. */
export const MAX_COUNTS = 512;

/** Most entries of a window's `events`, and bytes of each in UTF-8. */
export const MAX_EVENTS = 64;
export const MAX_EVENT_BYTES = 4_096;

/** Milliseconds since 1970, or a count. */
const whole = integer(0, Number.MAX_SAFE_INTEGER);

/** The peer of flows that had no place of their own: addresses outside the cluster beyond the bound. */
export const OTHER_PEERS = 'other';

/** Flows of one window that are alike. */
const flowCount: Shape<FlowCount> = object(
  {
    direction: oneOf('ingress', 'egress'),
    outcome: oneOf(...OUTCOMES),
    protocol: oneOf(...PROTOCOLS),
    peer: text(),
    port: integer(0, 65_535),
    reason: text(),
    flows: whole,
    packets: whole,
    sent: whole,
    received: whole,
    millis: whole,
  },
  { policy: text(), rule: whole, service: text() },
);

/** Flows of one window that are alike. */
export interface FlowCount {
  /** At which end of the flow the pod is: `ingress` where it is the destination. */
  readonly direction: 'ingress' | 'egress';
  readonly outcome: Outcome;
  readonly protocol: (typeof PROTOCOLS)[number];
  /**
   * Canonical address of the other end; a network as `203.0.113.0/24`; or `OTHER_PEERS`. Of what a pod opens that egress policy does not
   * isolate, it is the address that the pod asked for: that of a Service, where it asked for one.
   */
  readonly peer: string;
  /** Of the destination: of a Service's backend, where the pod asked for a Service. */
  readonly port: number;
  /** As in a flow's record. */
  readonly reason: string;
  /** `namespace/name` of the policy whose rule admitted, or whose rule came nearest. */
  readonly policy?: string;
  /** Index of that rule in the policy's `spec.ingress` or `spec.egress`. */
  readonly rule?: number;
  /** `namespace/name` of the Service that the pod asked for. */
  readonly service?: string;
  /**
   * Flows that ended or were refused. Of drops: peers and ports whose drops were reported, not packets. 0 where there are only bytes, of
   * flows that an earlier window has counted.
   */
  readonly flows: number;
  /** Packets that the gate dropped. */
  readonly packets: number;
  /** Bytes to the flows' source, and from it. */
  readonly sent: number;
  readonly received: number;
  /** Durations of the flows added up, ms; 0 for those that only connection tracking has reported. */
  readonly millis: number;
}

/** Whether a text has at most `MAX_EVENT_BYTES`. */
export function fitsAsEvent(event: string): boolean {
  // A character has at least one byte: a text that is far too long is not encoded.
  return event.length <= MAX_EVENT_BYTES && new TextEncoder().encode(event).length <= MAX_EVENT_BYTES;
}

/** One window. A window without flows is not sent. */
export const flowWindow = object({
  /** Begin and end, ms since 1970, by the sidecar's clock. */
  from: whole,
  to: whole,
  /**
   * Flows that are not in `counts`: there was no place for them here, the kernel's reports of them were lost, or an earlier window could
   * not be sent. At most so many.
   */
  lost: whole,
  /** At most `MAX_COUNTS`. */
  counts: list(flowCount, MAX_COUNTS),
  /**
   * Single flows that were denied, cut or audited, as JSON of their records; the oldest first. At most `MAX_EVENTS`, of
   * `MAX_EVENT_BYTES` each.
   */
  events: list(
    text((event) => (fitsAsEvent(event) ? undefined : `must have at most ${MAX_EVENT_BYTES} bytes`)),
    MAX_EVENTS,
  ),
  /** Such flows that have no entry in `events`. */
  eventsLost: whole,
});

/** One window. */
export type FlowWindow = TypeOf<typeof flowWindow>;
