/** Rows of the table: edges that differ only by the name of their source are one. */
import { firstFew } from '../../common/first_few.ts';
import type { ObservedEnd, ObservedFlow } from '../../flows/index.ts';
import { fullEnd, portText, ruleText, shortEnd } from '../flows/index.ts';

/** Sources of a row that are named. */
const NAMED = 3;

/** A row. */
export interface Row {
  /** One at least, the most flows first. */
  readonly edges: readonly ObservedFlow[];
  readonly outcome: ObservedFlow['outcome'];
  readonly from: string;
  readonly to: string;
  readonly port: string;
  readonly rule: string;
  readonly flows: number;
  /** Ms since 1970. */
  readonly firstMs: number;
  readonly lastMs: number;
}

/**
 * @param each a row for each edge
 * @returns the most flows first, then the latest
 */
export function rowsOf(edges: readonly ObservedFlow[], each: boolean): readonly Row[] {
  const groups = each ? edges.map((edge) => [edge]) : [...Map.groupBy(edges, likeOf).values()];
  return groups
    .map((group) => rowOf(group, each))
    .sort((a, b) => b.flows - a.flows || b.lastMs - a.lastMs || (a.from < b.from ? -1 : 1));
}

/** What edges of one row have in common. */
function likeOf(edge: ObservedFlow): string {
  const { src, dst, outcome, direction } = edge;
  return JSON.stringify([
    src.kind === 'workload' && src.workload !== undefined ? [src.namespace] : fullEnd(src),
    ...[fullEnd(dst), portText(edge), outcome, direction, ruleText(edge)],
  ]);
}

function rowOf(edges: readonly ObservedFlow[], each: boolean): Row {
  const [first] = edges;
  if (first === undefined) throw new Error('a row has an edge');
  return {
    edges,
    outcome: first.outcome,
    from: each ? withPod(first.src) : namesOf(edges.map(({ src }) => src)),
    to: each ? withPod(first.dst) : shortEnd(first.dst),
    port: portText(first),
    rule: ruleText(first),
    flows: edges.reduce((sum, { flows }) => sum + flows, 0),
    firstMs: Math.min(...edges.map((edge) => Date.parse(edge.first))),
    lastMs: Math.max(...edges.map((edge) => Date.parse(edge.last))),
  };
}

function withPod(end: ObservedEnd): string {
  const isOther = end.pod !== undefined && end.workload !== `pod/${end.pod}`;
  return `${fullEnd(end)}${isOther ? ` (${end.pod})` : ''}`;
}

/** `shop/web, cart and 3 more`. */
function namesOf(ends: readonly ObservedEnd[]): string {
  const [first = '', ...others] = new Set(ends.map(shortEnd));
  return firstFew([first, ...others.map((text) => text.slice(text.indexOf('/') + 1))], NAMED);
}
