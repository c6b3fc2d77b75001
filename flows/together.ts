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
  const { isolating, near, explanation, was, change } = late.explanation === undefined ? early : late;
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
    ...(was === undefined ? {} : { was }),
    ...(change === undefined ? {} : { change }),
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
 * Flows that sidecars of both ends have reported apart. What the source allowed and the destination allowed too is one flow by the word
 * of the destination, and says that both reported it. What the source allowed and the destination denied is the denial alone, which
 * keeps its form: as many flows as the destination has denied are taken from those of the source, whose bytes stay. What only one end
 * reports stays as it is.
 */
export function joinEnds(edges: readonly ObservedFlow[]): readonly ObservedFlow[] {
  const byPair = Map.groupBy(edges.filter(isHalf), pairOf);
  const allowed = new Set<string>();
  const denied = new Map<string, number>();
  const services = new Map<string, string | undefined>();
  for (const [pair, halves] of byPair) {
    const atSource = halves.filter(({ reported_by: by }) => by === 'source');
    const atDestination = halves.filter(({ reported_by: by }) => by === 'destination');
    if (atSource.length === 0) continue;
    if (atDestination.some(({ outcome }) => outcome === 'allow')) {
      allowed.add(pair);
      // The destination does not see for which Service its source has asked.
      const asked = new Set(atSource.map(({ service }) => service));
      services.set(pair, asked.size === 1 ? atSource[0]?.service : undefined);
    } else
      denied.set(
        pair,
        atDestination.reduce((count, { flows }) => sum(count, flows), 0),
      );
  }
  return edges.flatMap((edge) => {
    if (!isHalf(edge)) return [edge];
    const pair = pairOf(edge);
    if (edge.reported_by === 'source') {
      if (allowed.has(pair)) return [];
      const left = denied.get(pair) ?? 0;
      denied.set(pair, Math.max(0, left - edge.flows));
      return left < edge.flows ? [left === 0 ? edge : { ...edge, flows: edge.flows - left }] : [];
    }
    if (edge.outcome !== 'allow' || !allowed.has(pair)) return [edge];
    const service = edge.service ?? services.get(pair);
    return [{ ...edge, reported_by: 'both', ...(service === undefined ? {} : { service }) }];
  });
}

/** Whether the other end may have something to say of it: what the source allowed, and what the destination allowed, denied or cut. */
function isHalf({ outcome, reported_by: by, direction }: ObservedFlow): boolean {
  if (by === 'source') return outcome === 'allow';
  return (
    by === 'destination' &&
    (outcome === 'allow' || (['deny', 'cut'].includes(outcome) && direction === 'ingress'))
  );
}

function pairOf({ src, dst, protocol, port }: ObservedFlow): string {
  return JSON.stringify([endKey(src), endKey(dst), protocol, port]);
}
