/**
 * The record of one flow, as a sidecar writes it once, when the flow ends or is refused: in its log, on `/flows`, and to the injector.
 * docs/reference/log-fields.md explains the fields. From the first release on, fields are only added. Readers
 * pass over those they do not know.
 */
import { PROTOCOLS } from '../common/net.ts';
import { flag, integer, list, number, oneOf, part, type TypeOf, text } from '../common/shape.ts';
import { nearRule } from './near_rule.ts';

/** Why policy allows or denies: the reasons of verdicts. */
export const VERDICT_REASONS = [
  'rule',
  'not-isolated',
  'self',
  'own-node',
  'not-a-pod',
  'no-rule',
  'no-table',
] as const;

/**
 * Reasons beyond the policy verdict's own. `capacity`: over the connection cap or out of file descriptors.
 * `reserved-port`: the destination is a port of the sidecar's own. `link-local`: the source is an IPv6 link-local address,
 * which the app leg cannot come from. `no-backend`: the Service that the pod asked for has no ready backend. `not-yet-allowed`: the
 * gate dropped a packet that the table in force by now admits; it passes when it is sent again.
 */
export const REFUSAL_REASONS = [
  'capacity',
  'reserved-port',
  'link-local',
  'no-backend',
  'not-yet-allowed',
] as const;

/** One of these. */
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** Ends that a change of the table brought about; see `FLOW_ENDS`. */
export const CUT_ENDS = ['policy-changed', 'peer-replaced', 'service-unresolved'] as const;

/**
 * How a flow ended.
 *
 * - `refused`: by verdict, before anything reached the app.
 * - `dropped`: by the gate, before any handshake.
 * - `peer-timeout`: nothing came back from one side, until the kernel gave it up.
 * - `stalled`: it stood still while the buffers of all flows were full.
 * - `idle-timeout`: nothing passed for `SLUICE_IDLE_SECONDS`.
 * - `policy-changed`, `peer-replaced`, `service-unresolved`: ended by a change of the table; see the sidecar's `Revocation`.
 *   `policy-changed` is also the end of a flow that the relay admitted from memory, or because the gate let it by, where the table
 *   denies it when the relay reports it.
 * - `reset`: of an outbound or direct flow, by whichever end; the kernel does not say which.
 */
export const FLOW_ENDS = [
  'closed',
  'reset',
  'reset-by-source',
  'reset-by-destination',
  'peer-timeout',
  'stalled',
  'idle-timeout',
  'refused',
  'dropped',
  ...CUT_ENDS,
  'app-unreachable',
  'drained',
] as const;

/** One of these. */
export type FlowEnd = (typeof FLOW_ENDS)[number];

const whole = integer(0, Number.MAX_SAFE_INTEGER);

const sideFields = { addr: text() };

/** `namespace`, `pod` and `workload` where the address is a pod's that the injector knows. */
const sideOptions = {
  /** Absent for the source of dropped packets, which may have used several. */
  port: integer(0, 65_535),
  namespace: text(),
  pod: text(),
  workload: text(),
};

const side = part(sideFields, sideOptions);

/** One side of a flow. */
export type FlowSide = TypeOf<typeof side>;

/** The form of `AllowedBefore`. */
export const allowedBefore = part(
  {
    /** Of the table that allowed it. What ended it came later, up to the record's own `revision`. */
    revision: whole,
  },
  {
    /** `namespace/name` of the policy whose rule allowed it, and the rule's index. */
    policy: text(),
    rule: whole,
    /** Where no rule did. */
    reason: oneOf(...VERDICT_REASONS),
  },
);

/** By what a flow that was cut had been allowed. */
export interface AllowedBefore extends TypeOf<typeof allowedBefore> {}

const recordFields = {
  /** When the flow ended or was refused; RFC 3339, UTC. */
  time: text(),
  /** At which end of the flow the record was written: `ingress` at the destination. */
  direction: oneOf('ingress', 'egress'),
  verdict: oneOf('allow', 'deny'),
  reason: oneOf(...VERDICT_REASONS, ...REFUSAL_REASONS),
  end: oneOf(...FLOW_ENDS),
  protocol: oneOf(...PROTOCOLS),
  src: side,
  dst: part(sideFields, {
    ...sideOptions,
    /** `namespace/name` of the Service that the pod asked for, and its address and port. */
    service: text(),
    virtual: text(),
  }),
  mode: oneOf('enforce'),
  /** Of the table in force when the record was written. */
  revision: whole,
};

const recordOptions = {
  /** `namespace/name` of the policy whose rule admitted the flow, and the rule's index. */
  policy: text(),
  rule: whole,
  /** Of denials by policy: all policies that isolate, and the rules that came nearest, the nearest first. */
  isolating: list(text()),
  near: list(nearRule),
  /** The denial in one sentence. */
  explanation: text(),
  /** Of flows that a change of the table ended. */
  was: allowedBefore,
  /**
   * Bytes sent to and received from the flow's source: payload, but for outbound flows that the sidecar did not end: of those
   * connection tracking counts the IP and transport headers of each packet too. Absent where nobody counted them.
   */
  bytes_sent: whole,
  bytes_recv: whole,
  /** Packets that the gate dropped since the last record of this peer and port; `dropped` only. */
  packets: whole,
  /** Absent where it is not known. */
  duration_ms: number,
  /** The app had the connection itself; absent otherwise. */
  path: oneOf('direct'),
};

/** The form of `FlowRecord`. */
export const flowRecord = part(recordFields, recordOptions);

/** The record of one flow. */
export interface FlowRecord extends TypeOf<typeof flowRecord> {}

/** The form of `NamedChange`. */
export const namedChange = part(
  {
    kind: text(),
    name: text(),
    /** When the API server took it, as far as it says, else when the injector saw it; RFC 3339, UTC. */
    at: text(),
  },
  {
    /** Absent of what is in no namespace. */
    namespace: text(),
    /** Of the object after the change. */
    generation: integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    /** The tool that made it, by `metadata.managedFields`. */
    manager: text(),
    /** The object is gone. */
    deleted: flag,
  },
);

/** A change of an object of the cluster. */
export interface NamedChange extends TypeOf<typeof namedChange> {}

/** The form of `KeptRecord`. */
export const keptRecord = part(recordFields, { ...recordOptions, change: namedChange });

/** A record as the injector keeps it: with the change that ended the flow, where it is known. */
export interface KeptRecord extends TypeOf<typeof keptRecord> {}
