/**
 * What is known of a flow that ended or was refused, and the record that is made of it: for the log line, and for the history behind
 * /flows.
 */
import { unreachable } from '../../common/errors.ts';
import type { AddressPort } from '../../common/net.ts';
import type { ConnectionPath } from '../../common/path.ts';
import {
  CUT_ENDS,
  type FlowEnd,
  type FlowRecord,
  type FlowSide,
  type NearRule,
  type Outcome,
  type RefusalReason,
} from '../../flows/index.ts';
import type {
  DescribedEnds,
  PeerIdentity,
  PolicyRef,
  Protocol,
  RuleMiss,
  Verdict,
} from '../../policy/index.ts';
import { describeFlow, describeHint, describeReason, describeTest } from '../../policy/index.ts';
import type { FormerVerdict } from '../table/index.ts';

/** Every field of a flow's log line; a test keeps the reference page equal to it. */
export const FLOW_LOG_FIELDS: readonly ('level' | 'msg' | keyof FlowRecord)[] = [
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
  'near',
  'explanation',
  'was',
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
  /** To and from the source; absent where nobody counted them. */
  readonly bytesSent?: number | undefined;
  readonly bytesReceived?: number | undefined;
  /** Absent where it is not known. */
  readonly durationMs?: number;
  readonly revision: number;
  /** Of a flow that a change of the table ended, where it is known. */
  readonly was?: FormerVerdict;
}

const CUTS: ReadonlySet<FlowEnd> = new Set(CUT_ENDS);

/** Whether a change of the table ended it. */
export function isCut({ end }: Pick<FlowFacts, 'end'>): boolean {
  return CUTS.has(end);
}

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
  if (isCut(facts)) return 'cut';
  return isDenied(facts) ? 'deny' : 'allow';
}

/**
 * Makes the record of a flow.
 * @param verdict that of `facts`, explained
 * @param owner who the other side is
 */
export function recordOf(
  facts: FlowFacts,
  verdict: Verdict,
  owner: FactsSide['identity'],
  now: Date,
): FlowRecord {
  const { refusal, service, bytesSent, bytesReceived, durationMs, was } = facts;
  const ingress = verdict.direction === 'ingress';
  const source = ingress ? identified(facts.source, owner) : facts.source;
  const destination = ingress ? facts.destination : identified(facts.destination, owner);
  const ends = { source, destination, service, protocol: facts.protocol, port: destination.port };
  return {
    time: now.toISOString(),
    direction: verdict.direction,
    verdict: isDenied(facts) ? 'deny' : 'allow',
    reason: refusal ?? verdict.reason,
    end: facts.end,
    ...(refusal === undefined ? policyFields(verdict, ends, was) : {}),
    ...(was === undefined ? {} : { was: { ...decidedBy(was.verdict), revision: was.revision } }),
    protocol: facts.protocol,
    src: side(source),
    dst: service === undefined ? side(destination) : { ...side(destination), ...serviceFields(service) },
    ...(bytesSent === undefined ? {} : { bytes_sent: bytesSent }),
    ...(bytesReceived === undefined ? {} : { bytes_recv: bytesReceived }),
    ...(facts.packets === undefined ? {} : { packets: facts.packets }),
    ...(durationMs === undefined ? {} : { duration_ms: Math.round(durationMs * 1000) / 1000 }),
    ...(facts.path === 'direct' ? { path: facts.path } : {}),
    mode: 'enforce',
    revision: facts.revision,
  };
}

function identified<T extends FactsSide>(side: T, owner: FactsSide['identity']): T {
  return side.identity !== undefined || owner === undefined ? side : { ...side, identity: owner };
}

function policyFields(
  verdict: Verdict,
  ends: DescribedEnds,
  was: FormerVerdict | undefined,
): Partial<FlowRecord> {
  switch (verdict.reason) {
    case 'rule':
      return { policy: name(verdict.policy), rule: verdict.rule };
    case 'no-rule': {
      const { isolating, near = [] } = verdict;
      const before = was === undefined ? '' : `; allowed before: ${describeReason(was.verdict)}`;
      return {
        isolating: isolating.map(name),
        ...(near.length === 0 ? {} : { near: near.map(nearRule) }),
        explanation: `${describeFlow(verdict, ends)}${before}`,
      };
    }
    case 'no-table':
      return { explanation: describeFlow(verdict, ends) };
    case 'not-isolated':
    case 'self':
    case 'own-node':
    case 'not-a-pod':
      return {};
    default:
      return unreachable(verdict);
  }
}

/** The rule that a verdict comes from, else its reason. */
function decidedBy(verdict: Verdict): Omit<NonNullable<FlowRecord['was']>, 'revision'> {
  return verdict.reason === 'rule'
    ? { policy: name(verdict.policy), rule: verdict.rule }
    : { reason: verdict.reason };
}

function nearRule({ policy, rule, tests }: RuleMiss): NearRule {
  const lacks = tests.map((test) => {
    const hint = describeHint(test);
    return hint === undefined ? describeTest(test) : `${describeTest(test)}: ${hint}`;
  });
  return { policy: name(policy), rule, lacks };
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
