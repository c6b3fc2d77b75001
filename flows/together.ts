/** Edges that are put together: the same edge of several spans, what both ends say of it, or what somebody wants as one. */
import type { ObservedEnd, ObservedFlow } from './answer.ts';
import type { GROUPS } from './question.ts';

/** What edges may be put together by. */
export type Group = (typeof GROUPS)[number];

/** All that makes two edges the same. Pods do not: an edge is between workloads. */
export function identityOf(edge: ObservedFlow): string {
  const { src, dst, service, protocol, port, outcome, direction, reason, policy, rule } = edge;
  return JSON.stringify([
    ...[endKey(src), endKey(dst), service ?? null, protocol, port],
    ...[outcome, direction, reason, policy ?? null, rule ?? null],
  ]);
}

/** What edges of one row have in common: their outcome, where it was decided, their protocol, and what is named. */
export function groupKeyOf(edge: ObservedFlow, groups: readonly Group[]): string {
  const { src, dst, protocol, port, outcome, direction, policy, rule } = edge;
  return JSON.stringify([
    ...[outcome, direction, protocol],
    groups.includes('src') ? endKey(src) : null,
    groups.includes('dst') ? endKey(dst) : null,
    groups.includes('port') ? port : null,
    ...(groups.includes('policy') ? [policy ?? null, rule ?? null] : [null, null]),
  ]);
}

/** An end as text, equal for ends that are the same. */
export function endKey({ kind, namespace, workload, address }: ObservedEnd): string {
  return JSON.stringify([kind, namespace ?? null, workload ?? null, address ?? null]);
}

/**
 * One edge of two. Counts are added, the span is that of both, and what the two do not have in common is left out: of an end its name,
 * of ports there is 0. What is said in words is the later one's.
 */
export function together(a: ObservedFlow, b: ObservedFlow): ObservedFlow {
  const [early, late] = Date.parse(a.last) > Date.parse(b.last) ? [b, a] : [a, b];
  const { isolating, near, explanation } = late.explanation === undefined ? early : late;
  return {
    src: commonEnd(a.src, b.src),
    dst: commonEnd(a.dst, b.dst),
    ...same('service', a, b),
    protocol: a.protocol,
    port: a.port === b.port ? a.port : 0,
    outcome: a.outcome,
    direction: a.direction,
    reason: late.reason,
    ...same('policy', a, b),
    ...(a.policy === b.policy ? same('rule', a, b) : {}),
    ...(isolating === undefined ? {} : { isolating }),
    ...(near === undefined ? {} : { near }),
    ...(explanation === undefined ? {} : { explanation }),
    first: Date.parse(a.first) <= Date.parse(b.first) ? a.first : b.first,
    last: late.last,
    flows: sum(a.flows, b.flows),
    packets: sum(a.packets, b.packets),
    bytes_sent: sum(a.bytes_sent, b.bytes_sent),
    bytes_received: sum(a.bytes_received, b.bytes_received),
    reported_by: a.reported_by === b.reported_by ? a.reported_by : 'both',
  };
}

/** No count leaves the form. */
function sum(a: number, b: number): number {
  return Math.min(a + b, Number.MAX_SAFE_INTEGER);
}

function commonEnd(a: ObservedEnd, b: ObservedEnd): ObservedEnd {
  return {
    kind: a.kind === b.kind ? a.kind : 'unknown',
    ...same('namespace', a, b),
    ...(a.namespace === b.namespace ? { ...same('workload', a, b), ...same('pod', a, b) } : {}),
    ...same('address', a, b),
  };
}

/** A field that both have alike. */
function same<T, K extends keyof T>(field: K, a: T, b: T): { readonly [F in K]?: Exclude<T[F], undefined> } {
  const found = a[field];
  return found !== undefined && found === b[field]
    ? ({ [field]: found } as { readonly [F in K]: Exclude<T[F], undefined> })
    : {};
}

/**
 * Allowed flows that sidecars of both ends have reported apart: the word of the destination counts, and says that both did. What
 * only one end reports stays as it is, and so do denials: the end that denies is the one that knows.
 */
export function joinEnds(edges: readonly ObservedFlow[]): readonly ObservedFlow[] {
  const isHalf = ({ outcome, reported_by: by }: ObservedFlow, end: ObservedFlow['reported_by']): boolean =>
    outcome === 'allow' && by === end;
  const pair = ({ src, dst, protocol, port }: ObservedFlow): string =>
    JSON.stringify([endKey(src), endKey(dst), protocol, port]);
  const atDestination = new Set(edges.filter((edge) => isHalf(edge, 'destination')).map(pair));
  const services = new Map<string, string | undefined>();
  const known = edges.filter((edge) => {
    if (!isHalf(edge, 'source') || !atDestination.has(pair(edge))) return true;
    // The destination does not see for which Service its source has asked.
    services.set(
      pair(edge),
      services.has(pair(edge)) && services.get(pair(edge)) !== edge.service ? undefined : edge.service,
    );
    return false;
  });
  return known.map((edge) => {
    if (!isHalf(edge, 'destination') || !services.has(pair(edge))) return edge;
    const service = edge.service ?? services.get(pair(edge));
    return { ...edge, reported_by: 'both', ...(service === undefined ? {} : { service }) };
  });
}
