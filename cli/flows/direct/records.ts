/** Records of single flows, as a sidecar shows them at /flows, and the edges that they are. */
import { PROTOCOLS } from '../../../common/net.ts';
import { integer, list, oneOf, part, type Shape, type TypeOf, text } from '../../../common/shape.ts';
import type { NearRule, ObservedEnd, ObservedFlow } from '../../../flows/index.ts';
import { lastingWorkload } from '../../../sources/index.ts';
import { observedWorkload } from '../../observed_workload.ts';
import type { PodNames, SidecarPod } from './sidecar_pods.ts';

const whole = integer(0, Number.MAX_SAFE_INTEGER);

const side = {
  required: { addr: text() },
  optional: { port: integer(0, 65_535), namespace: text(), pod: text(), workload: text() },
} as const;

const nearMiss = part({ policy: text(), rule: whole, failed: text(), wanted: text(), got: text() });

const nearRules: Shape<NearRule> = part({ policy: text(), rule: whole, lacks: list(text()) });

/** What is read of a record: docs/reference/log-fields.md. Sidecars of other releases have other fields too. */
const flowRecord = part(
  {
    time: text((value) => (Number.isNaN(Date.parse(value)) ? 'is no time' : undefined)),
    direction: oneOf('ingress', 'egress'),
    verdict: oneOf('allow', 'deny'),
    reason: text(),
    end: text(),
    protocol: oneOf(...PROTOCOLS),
    src: part(side.required, side.optional),
    dst: part(side.required, { ...side.optional, service: text() }),
  },
  {
    policy: text(),
    rule: whole,
    isolating: list(text()),
    near: list(nearRules),
    /** Of earlier sidecars: the one rule that came nearest. */
    near_miss: nearMiss,
    explanation: text(),
    bytes_sent: whole,
    bytes_recv: whole,
    packets: whole,
  },
);

/** A record. */
export type FlowRecordLine = TypeOf<typeof flowRecord>;

/** The page /flows. */
export const flowsPage = list(flowRecord);

/** Ends of flows that a change of the table has ended. Source: sidecar/records/flow_record.ts. */
const CUTS: readonly string[] = ['policy-changed', 'peer-replaced', 'service-unresolved'];

/**
 * The edge of one flow.
 * @param own the pod whose sidecar has recorded it
 * @param names of pods by address: a sidecar does not know all of its peers
 */
export function edgeOfRecord(record: FlowRecordLine, own: SidecarPod, names: PodNames): ObservedFlow {
  const { time, direction, reason, protocol, src, dst, policy, rule, isolating, explanation } = record;
  const isSource = direction === 'egress';
  return {
    src: endOf(src, isSource ? own : undefined, names),
    dst: endOf(dst, isSource ? undefined : own, names),
    ...(dst.service === undefined ? {} : { service: dst.service }),
    protocol,
    port: dst.port ?? 0,
    outcome: outcomeOf(record),
    direction,
    reason,
    ...(policy === undefined ? {} : { policy }),
    ...(rule === undefined ? {} : { rule }),
    ...(isolating === undefined ? {} : { isolating }),
    ...nearOf(record),
    ...(explanation === undefined ? {} : { explanation }),
    first: time,
    last: time,
    flows: 1,
    packets: record.packets ?? 0,
    bytes_sent: record.bytes_sent ?? 0,
    bytes_received: record.bytes_recv ?? 0,
    reported_by: isSource ? 'source' : 'destination',
  };
}

function outcomeOf({ end, verdict }: FlowRecordLine): ObservedFlow['outcome'] {
  return CUTS.includes(end) ? 'cut' : verdict;
}

function nearOf({ near, near_miss: miss }: FlowRecordLine): Pick<ObservedFlow, 'near'> {
  if (near !== undefined) return { near };
  return miss === undefined ? {} : { near: [nearRule(miss)] };
}

function nearRule({ policy, rule, wanted, got }: TypeOf<typeof nearMiss>): NearRule {
  return { policy, rule, lacks: [`${wanted} wanted, got ${got}`] };
}

/** A side of a flow, as the sidecar knows it: nobody else's word counts about its own pod. */
function endOf(
  { addr, namespace, pod, workload }: Omit<FlowRecordLine['src'], 'port'>,
  own: SidecarPod | undefined,
  names: PodNames,
): ObservedEnd {
  const known = own ?? named(namespace, pod, workload) ?? names.get(addr);
  if (known === undefined) return { kind: 'external', address: addr };
  return { kind: 'workload', namespace: known.namespace, workload: known.workload, pod: known.name };
}

function named(namespace?: string, name?: string, workload?: string): SidecarPod | undefined {
  if (namespace === undefined || name === undefined) return undefined;
  return {
    namespace,
    name,
    workload: observedWorkload(lastingWorkload({ workload: workload ?? `pod/${name}` })),
  };
}
