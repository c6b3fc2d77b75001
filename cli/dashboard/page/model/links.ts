/** Flows and what policies allow, put together as the map and the matrix draw them: ends, and links between two of them. */
import type { ObservedFlow } from '../../../../flows/index.ts';
import type { AllowedPair } from '../../form.ts';
import { type End, endOf, groupEnd, OUTSIDE, workloadEnd } from './ends.ts';

/** What a link shows. `unused`: policies allow it, and nothing was observed. */
export type LinkState = ObservedFlow['outcome'] | 'unused';

/** The worst first: where one mark stands for several links, it is that of the first. */
export const STATES: readonly LinkState[] = ['cut', 'deny', 'audit', 'allow', 'unused'];

/** Flows of one outcome from one end to another. */
export interface Link {
  readonly id: string;
  readonly from: End;
  readonly to: End;
  readonly state: LinkState;
  /** How many flows there were. */
  readonly count: number;
  /** When the last one was; empty where there was none. */
  readonly last: string;
  /** The kinds of flows, the most frequent first. */
  readonly flows: readonly ObservedFlow[];
  /** Of an unused link: what allows it. */
  readonly allowed: readonly AllowedPair[];
}

/** What is drawn. */
export interface LinkGraph {
  /** By group, then by name. */
  readonly ends: readonly End[];
  readonly links: readonly Link[];
}

/** What it is made of. */
export interface LinkInput {
  readonly flows: readonly ObservedFlow[];
  readonly allowed: readonly AllowedPair[];
  /** Ends that are there even without links. */
  readonly alone: readonly End[];
  /** One end for each namespace. */
  readonly byNamespace: boolean;
}

/** Addresses outside that are drawn one by one; more are one end. */
const MAX_OUTSIDE = 6;

/** Puts them together. */
export function linkGraph({ flows, allowed, alone, byNamespace }: LinkInput): LinkGraph {
  const outside = new Set(flows.flatMap(({ src, dst }) => [endOf(src), endOf(dst)]).flatMap(outsideId));
  const manyOutside = outside.size > MAX_OUTSIDE;
  const shown = (end: End): End =>
    byNamespace || (manyOutside && end.group === OUTSIDE) ? groupEnd(end) : end;
  const ends = new Map<string, End>();
  const links = new Map<string, Building>();
  const linkOf = (from: End, to: End, state: LinkState): Building => {
    const id = JSON.stringify([from.id, to.id, state]);
    const found = links.get(id) ?? { id, from, to, state, count: 0, last: '', flows: [], allowed: [] };
    links.set(id, found);
    ends.set(from.id, from);
    ends.set(to.id, to);
    return found;
  };
  const used = new Set<string>();
  for (const flow of flows) {
    const [from, to] = [shown(endOf(flow.src)), shown(endOf(flow.dst))];
    const link = linkOf(from, to, flow.outcome);
    link.count += flow.flows;
    if (flow.last > link.last) link.last = flow.last;
    link.flows.push(flow);
    if (flow.outcome === 'allow' || flow.outcome === 'audit') used.add(JSON.stringify([from.id, to.id]));
  }
  for (const pair of allowed) {
    const [from, to] = [pair.src, pair.dst].map((one) => shown(workloadEnd(one.namespace, one.workload)));
    if (from === undefined || to === undefined || used.has(JSON.stringify([from.id, to.id]))) continue;
    linkOf(from, to, 'unused').allowed.push(pair);
  }
  for (const end of alone.map(shown)) ends.set(end.id, end);
  return {
    ends: [...ends.values()].sort(inOrder),
    links: [...links.values()].map((link) => ({
      ...link,
      flows: link.flows.sort((a, b) => b.flows - a.flows),
    })),
  };
}

type Building = {
  -readonly [K in keyof Link]: Link[K] extends readonly (infer One)[] ? One[] : Link[K];
};

function outsideId({ group, id }: End): readonly string[] {
  return group === OUTSIDE ? [id] : [];
}

/** Namespaces first. */
function inOrder(a: End, b: End): number {
  return (
    Number(b.isNamespaced) - Number(a.isNamespaced) ||
    compare(a.group, b.group) ||
    compare(a.label, b.label) ||
    compare(a.id, b.id)
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
