/**
 * What is known of a flow that ended or was refused, and the record that is made of it: for the log line, and for the history behind
 * /flows.
 */
import { unreachable } from '../../common/errors.ts';
import type { AddressPort } from '../../common/net.ts';
import type { ConnectionPath } from '../../common/path.ts';
import type { Outcome } from '../../flows/index.ts';
import type { Direction, NearMiss, PeerIdentity, PolicyRef, Protocol, Verdict } from '../../policy/index.ts';
import { describeFlow } from '../../policy/index.ts';

/**
 * Why a flow ended.
 *
 * - `refused`: by verdict, before anything reached the app.
 * - `dropped`: by the gate, before any handshake.
 * - `peer-timeout`: nothing came back from one side, until the kernel gave it up.
 * - `stalled`: it stood still while the buffers of all flows were full.
 * - `idle-timeout`: nothing passed for `SLUICE_IDLE_SECONDS`.
 * - `policy-changed`, `peer-replaced`, `service-unresolved`: ended by a change of the table; see `Revocation`. `policy-changed` is
 *   also the end of a flow that the relay admitted from memory, or because the gate let it by, where the table denies it when the relay
 *   reports it.
 * - `reset`: of an outbound or direct flow, by whichever end; the kernel does not say which.
 */
export type FlowEnd =
  | 'closed'
  | 'reset'
  | 'reset-by-source'
  | 'reset-by-destination'
  | 'peer-timeout'
  | 'stalled'
  | 'idle-timeout'
  | 'refused'
  | 'dropped'
  | 'policy-changed'
  | 'peer-replaced'
  | 'service-unresolved'
  | 'app-unreachable'
  | 'drained';

/**
 * Reasons beyond the policy verdict's own. `capacity`: over the connection cap or out of file descriptors.
 * `reserved-port`: the destination is a port of the sidecar's own. `link-local`: the source is an IPv6 link-local address,
 * which the app leg cannot come from. `no-backend`: the Service that the pod asked for has no ready backend. `not-yet-allowed`: the
 * gate dropped a packet that the table in force by now admits; it passes when it is sent again.
 */
export type RefusalReason = 'capacity' | 'reserved-port' | 'link-local' | 'no-backend' | 'not-yet-allowed';

/** One side of a flow. `namespace`, `pod` and `workload` where the address is a pod's that the injector knows. */
export interface FlowSide {
  readonly addr: string;
  /** Absent for the source of dropped packets, which may have used several. */
  readonly port?: number;
  readonly namespace?: string;
  readonly pod?: string;
  readonly workload?: string;
}

/** The log line's fields beyond time, level and msg; /flows shows the same. docs/reference/log-fields.md explains them. */
export interface FlowRecord {
  readonly time: string;
  readonly direction: Direction;
  readonly verdict: 'allow' | 'deny';
  readonly reason: Verdict['reason'] | RefusalReason;
  readonly end: FlowEnd;
  /** The policy whose rule admitted the flow, or the first of those that isolate its subject. */
  readonly policy?: string;
  readonly rule?: number;
  readonly isolating?: readonly string[];
  readonly near_miss?: {
    readonly policy: string;
    readonly rule: number;
    readonly failed: string;
    readonly wanted: string;
    readonly got: string;
  };
  readonly explanation?: string;
  readonly protocol: Protocol;
  readonly src: FlowSide;
  /** `service` and its `virtual` address where the pod asked for a Service. */
  readonly dst: FlowSide & { readonly service?: string; readonly virtual?: string };
  /**
   * Bytes sent to and received from the flow's source: payload, but for outbound flows that the sidecar did not end: of those
   * connection tracking counts the IP and transport headers of each packet too.
   */
  readonly bytes_sent: number;
  readonly bytes_recv: number;
  /** Packets that the gate dropped since the last record of this peer and port; `dropped` only. */
  readonly packets?: number;
  readonly duration_ms: number;
  /** The app had the connection itself; absent otherwise. */
  readonly path?: 'direct';
  readonly mode: 'enforce';
  readonly revision: number;
}

/** Every field of a flow's log line; a test keeps the reference page equal to it. */
export const FLOW_LOG_FIELDS: readonly string[] = [
  'level',
  'time',
  'msg',
  'direction',
  'verdict',
  'reason',
  'end',
  'policy',
  'rule',
  'isolating',
  'near_miss',
  'explanation',
  'protocol',
  'src',
  'dst',
  'bytes_sent',
  'bytes_recv',
  'packets',
  'duration_ms',
  'path',
  'mode',
  'revision',
];

/** One side of a flow, as the data path knows it. */
export interface FactsSide {
  readonly address: string;
  readonly port?: number;
  /** The pod that has the address, where that is known: the pod itself. Who the other side is has to be asked. */
  readonly identity: Pick<PeerIdentity, 'namespace' | 'name' | 'workload'> | undefined;
  /** Of the pod that had the address when the flow began, where the table says it. */
  readonly tag?: string | undefined;
}

/** What a record is made of. */
export interface FlowFacts {
  /** Who had an inbound connection: the relay, or the app itself. */
  readonly path?: ConnectionPath;
  readonly verdict: Verdict;
  /** Set when the refusal is not policy's. */
  readonly refusal?: RefusalReason;
  readonly end: FlowEnd;
  readonly protocol: Protocol;
  readonly source: FactsSide;
  readonly destination: FactsSide & { readonly port: number };
  /** The Service that was asked for; `destination` is then the backend. */
  readonly service?: {
    readonly namespace: string;
    readonly name: string;
    readonly virtual: AddressPort;
  };
  readonly packets?: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly durationMs: number;
  readonly revision: number;
}

/** Ends that a change of the table brought about. */
export const CUTS: readonly FlowEnd[] = ['policy-changed', 'peer-replaced', 'service-unresolved'];

/** The other side, as policy sees the flow. */
export function peerOf({ verdict, source, destination }: FlowFacts): FactsSide {
  return verdict.direction === 'ingress' ? source : destination;
}

/** Whether a flow was refused or dropped, by policy or for another reason, or does not agree with the table. */
export function isDenied({ refusal, verdict }: FlowFacts): boolean {
  return refusal !== undefined || verdict.verdict === 'deny';
}

/** What became of a flow, as it is counted. */
export function outcomeOf(facts: FlowFacts): Exclude<Outcome, 'audit'> {
  if (CUTS.includes(facts.end)) return 'cut';
  return isDenied(facts) ? 'deny' : 'allow';
}

/**
 * Makes the record of a flow.
 * @param verdict that of `facts`, explained
 * @param owner who the other side is
 */
export function flowRecord(
  facts: FlowFacts,
  verdict: Verdict,
  owner: FactsSide['identity'],
  now: Date,
): FlowRecord {
  const { refusal } = facts;
  const ingress = verdict.direction === 'ingress';
  const source = ingress ? identified(facts.source, owner) : facts.source;
  const destination = ingress ? facts.destination : identified(facts.destination, owner);
  const question = { peer: ingress ? source : destination, protocol: facts.protocol, port: destination.port };
  return {
    time: now.toISOString(),
    direction: verdict.direction,
    verdict: isDenied(facts) ? 'deny' : 'allow',
    reason: refusal ?? verdict.reason,
    end: facts.end,
    ...(refusal === undefined ? policyFields(verdict, question) : {}),
    protocol: facts.protocol,
    src: side(source),
    dst:
      facts.service === undefined
        ? side(destination)
        : { ...side(destination), ...serviceFields(facts.service) },
    bytes_sent: facts.bytesSent,
    bytes_recv: facts.bytesReceived,
    ...(facts.packets === undefined ? {} : { packets: facts.packets }),
    duration_ms: Math.round(facts.durationMs * 1000) / 1000,
    ...(facts.path === 'direct' ? { path: facts.path } : {}),
    mode: 'enforce',
    revision: facts.revision,
  };
}

function identified<T extends FactsSide>(side: T, owner: FactsSide['identity']): T {
  return side.identity !== undefined || owner === undefined ? side : { ...side, identity: owner };
}

/** @param question what policy was asked: the source of what comes in, the destination of what goes out */
function policyFields(verdict: Verdict, question: Parameters<typeof describeFlow>[1]): Partial<FlowRecord> {
  switch (verdict.reason) {
    case 'rule':
      return { policy: name(verdict.policy), rule: verdict.rule };
    case 'no-rule': {
      const first = verdict.isolating[0];
      return {
        ...(first === undefined ? {} : { policy: name(first) }),
        isolating: verdict.isolating.map(name),
        ...(verdict.nearMiss === undefined ? {} : { near_miss: nearMiss(verdict.nearMiss) }),
        explanation: describeFlow(verdict, question),
      };
    }
    case 'no-table':
      return { explanation: describeFlow(verdict, question) };
    case 'not-isolated':
    case 'self':
    case 'own-node':
    case 'not-a-pod':
      return {};
    default:
      return unreachable(verdict);
  }
}

function nearMiss(miss: NearMiss): NonNullable<FlowRecord['near_miss']> {
  return {
    policy: name(miss.policy),
    rule: miss.rule,
    failed: miss.failed,
    wanted: miss.wanted,
    got: miss.got,
  };
}

function side({ address, port, identity }: FactsSide): FlowSide {
  const at = port === undefined ? { addr: address } : { addr: address, port };
  if (identity === undefined) return at;
  const { namespace, name: pod, workload } = identity;
  return { ...at, namespace, pod, workload };
}

function name(policy: PolicyRef): string {
  return `${policy.namespace}/${policy.name}`;
}

function serviceFields({ namespace, name, virtual }: NonNullable<FlowFacts['service']>) {
  return { service: `${namespace}/${name}`, virtual: `${virtual.address} ${virtual.port}` };
}
