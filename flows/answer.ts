/** What was observed, as commands and the dashboard get it: edges between workloads, added up over windows and pods. */
import { PROTOCOLS } from '../common/net.ts';
import { integer, list, object, oneOf, type Shape, type TypeOf, text } from '../common/shape.ts';
import { type NearRule, nearRule } from './near_rule.ts';
import { type AllowedBefore, allowedBefore, type NamedChange, namedChange } from './record.ts';
import { OUTCOMES, type Outcome } from './window.ts';

const whole = integer(0, Number.MAX_SAFE_INTEGER);

/** What an end of an edge is. */
export const END_KINDS = ['workload', 'node', 'external', 'unknown'] as const;

/** One end of an edge. */
export interface ObservedEnd {
  /** `unknown`: an address of the cluster's that no pod had when the flow was counted. */
  readonly kind: (typeof END_KINDS)[number];
  readonly namespace?: string;
  /** `deploy/web`, `sts/db`, `cronjob/backup`, `pod/x`; of a node its name. */
  readonly workload?: string;
  /** Where only one pod had these flows. */
  readonly pod?: string;
  /** Of an external end: an address, a network, or `other`. */
  readonly address?: string;
}

const observedEnd: Shape<ObservedEnd> = object(
  { kind: oneOf(...END_KINDS) },
  { namespace: text(), workload: text(), pod: text(), address: text() },
);

/** Flows between two workloads with the same port, outcome and reason, added up. */
export interface ObservedFlow {
  readonly src: ObservedEnd;
  readonly dst: ObservedEnd;
  /** `namespace/name` of the Service that the source asked for. */
  readonly service?: string;
  readonly protocol: (typeof PROTOCOLS)[number];
  readonly port: number;
  readonly outcome: Outcome;
  /** At which end it was decided. */
  readonly direction: 'ingress' | 'egress';
  readonly reason: string;
  readonly policy?: string;
  readonly rule?: number;
  /** Of denials and cuts: all policies that isolate, and the rules that came nearest. */
  readonly isolating?: readonly string[];
  readonly near?: readonly NearRule[];
  /** The latest of them in one sentence. */
  readonly explanation?: string;
  /** Of cuts, the latest of them: by what it had been allowed, and the change that ended it. */
  readonly was?: AllowedBefore;
  readonly change?: NamedChange;
  /** RFC 3339, UTC. */
  readonly first: string;
  readonly last: string;
  readonly flows: number;
  readonly packets: number;
  readonly bytes_sent: number;
  readonly bytes_received: number;
  /** Which ends' sidecars reported it. One alone where the other end has none. */
  readonly reported_by: 'both' | 'source' | 'destination';
}

/** One line of `observe -o ndjson`. */
export const observedFlow: Shape<ObservedFlow> = object(
  {
    src: observedEnd,
    dst: observedEnd,
    protocol: oneOf(...PROTOCOLS),
    port: integer(0, 65_535),
    outcome: oneOf(...OUTCOMES),
    direction: oneOf('ingress', 'egress'),
    reason: text(),
    first: text(),
    last: text(),
    flows: whole,
    packets: whole,
    bytes_sent: whole,
    bytes_received: whole,
    reported_by: oneOf('both', 'source', 'destination'),
  },
  {
    service: text(),
    policy: text(),
    rule: whole,
    isolating: list(text()),
    near: list(nearRule),
    explanation: text(),
    was: allowedBefore,
    change: namedChange,
  },
);

/** What is missing from an answer, and why. */
const lostFlows = object({ flows: whole, why: text() });

/** The answer to a question about a span of time. */
export const observedAnswer = object({
  /** The span that was asked about, and since when there are observations at all; RFC 3339, UTC. */
  since: text(),
  until: text(),
  observed_since: text(),
  lost: list(lostFlows),
  flows: list(observedFlow),
});

/** The answer to a question about a span of time. */
export type ObservedAnswer = TypeOf<typeof observedAnswer>;
