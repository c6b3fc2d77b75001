/** Edges as the collector keeps them: what makes one of them, as a text, and what is added up. */
import { list, object, type TypeOf, text } from '../../../common/shape.ts';
import {
  allowedBefore,
  namedChange,
  nearRule,
  type ObservedEnd,
  type ObservedFlow,
} from '../../../flows/index.ts';

/** All that makes two flows of one kind. Of what both ends report each is an edge of its own: `direction` says whose. */
export type EdgeKind = Pick<
  ObservedFlow,
  'src' | 'dst' | 'service' | 'protocol' | 'port' | 'outcome' | 'direction' | 'reason' | 'policy' | 'rule'
>;

/** The form of `Said`: it is kept in files. */
export const saidForm = object(
  {},
  {
    explanation: text(),
    isolating: list(text()),
    near: list(nearRule),
    /** Of a cut: what had allowed the flow, and which change ended it. */
    was: allowedBefore,
    change: namedChange,
  },
);

/** What was said of the latest single flow. */
export type Said = TypeOf<typeof saidForm>;

/** Sums of one edge in some time. */
export interface EdgeSums {
  /** The pod at each end; empty: there is none, or there were several. */
  readonly srcPod: string;
  readonly dstPod: string;
  /** Ms since 1970. */
  readonly first: number;
  readonly last: number;
  readonly flows: number;
  readonly packets: number;
  readonly sent: number;
  readonly received: number;
  readonly said?: Said;
}

/** As text, equal for edges of one kind. */
export function edgeKey({ src, dst, ...edge }: EdgeKind): string {
  return JSON.stringify([
    ...endTuple(src),
    ...endTuple(dst),
    edge.service ?? null,
    edge.protocol,
    edge.port,
    edge.outcome,
    edge.direction,
    edge.reason,
    edge.policy ?? null,
    edge.rule ?? null,
  ]);
}

function endTuple({ kind, namespace, workload, address }: ObservedEnd): readonly (string | null)[] {
  return [kind, namespace ?? null, workload ?? null, address ?? null];
}

type Tuple = readonly [
  ...[ObservedEnd['kind'], string | null, string | null, string | null],
  ...[ObservedEnd['kind'], string | null, string | null, string | null],
  ...[string | null, ObservedFlow['protocol'], number, ObservedFlow['outcome'], ObservedFlow['direction']],
  ...[string, string | null, number | null],
];

/** The edge of a key that `edgeKey` has made. */
export function edgeOf(key: string): EdgeKind {
  const tuple = JSON.parse(key) as Tuple; // made above, also where it comes from a file of the store
  const [srcKind, srcNamespace, srcWorkload, srcAddress, dstKind, dstNamespace, dstWorkload, dstAddress] =
    tuple;
  const [, , , , , , , , service, protocol, port, outcome, direction, reason, policy, rule] = tuple;
  return {
    src: endOf(srcKind, srcNamespace, srcWorkload, srcAddress),
    dst: endOf(dstKind, dstNamespace, dstWorkload, dstAddress),
    ...(service === null ? {} : { service }),
    protocol,
    port,
    outcome,
    direction,
    reason,
    ...(policy === null ? {} : { policy }),
    ...(rule === null ? {} : { rule }),
  };
}

/** An edge with its sums, as it is shown. Which end reported it is which end decided: the other half is another edge. */
export function observedEdge(
  edge: EdgeKind,
  sums: EdgeSums,
  said: Said | undefined = sums.said,
): ObservedFlow {
  return {
    ...edge,
    src: withPod(edge.src, sums.srcPod),
    dst: withPod(edge.dst, sums.dstPod),
    ...said,
    first: new Date(sums.first).toISOString(),
    last: new Date(sums.last).toISOString(),
    flows: sums.flows,
    packets: sums.packets,
    bytes_sent: sums.sent,
    bytes_received: sums.received,
    reported_by: edge.direction === 'ingress' ? 'destination' : 'source',
  };
}

function withPod(end: ObservedEnd, pod: string): ObservedEnd {
  return pod === '' ? end : { ...end, pod };
}

function endOf(
  kind: ObservedEnd['kind'],
  namespace: string | null,
  workload: string | null,
  address: string | null,
): ObservedEnd {
  return {
    kind,
    ...(namespace === null ? {} : { namespace }),
    ...(workload === null ? {} : { workload }),
    ...(address === null ? {} : { address }),
  };
}

/** Sums of both. */
export function addSums(a: EdgeSums, b: EdgeSums): EdgeSums {
  const said = a.last > b.last ? (a.said ?? b.said) : (b.said ?? a.said);
  return {
    srcPod: a.srcPod === b.srcPod ? a.srcPod : '',
    dstPod: a.dstPod === b.dstPod ? a.dstPod : '',
    first: Math.min(a.first, b.first),
    last: Math.max(a.last, b.last),
    flows: a.flows + b.flows,
    packets: a.packets + b.packets,
    sent: a.sent + b.sent,
    received: a.received + b.received,
    ...(said === undefined ? {} : { said }),
  };
}
