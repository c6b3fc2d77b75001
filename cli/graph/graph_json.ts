/** The JSON form of a graph: docs/schema/graph.v1.json. */

import { objectKey } from '../../policy/index.ts';
import { type ComparedEnd, endJson, isSingle } from '../connectivity/index.ts';
import { type Edge, rulesOf } from './edges.ts';

/** Names the form. */
export const GRAPH_SCHEMA = 'sluice.dev/graph/v1';

/** Edges that are listed, from end to end. */
const MAX_EDGES = 10_000;

/** Plain data for `JSON.stringify`. */
export function graphJson(ends: readonly ComparedEnd[], edges: readonly Edge[], notes: readonly string[]) {
  const ids = new Map(ends.map((end, at) => [end, `n${at}`]));
  const total = edges.reduce((sum, { pairs }) => sum + pairs, 0);
  const listed = [...edgesJson(edges, ids)];
  return {
    schema: GRAPH_SCHEMA,
    nodes: ends.map((end) => ({ id: ids.get(end) ?? '', ...endJson(end), isolated: isolatedJson(end) })),
    edges: listed,
    ...(total > listed.length ? { left_out: total - listed.length } : {}),
    ...(notes.length === 0 ? {} : { notes }),
  };
}

function* edgesJson(edges: readonly Edge[], ids: ReadonlyMap<ComparedEnd, string>) {
  let count = 0;
  for (const edge of edges) {
    const by = rulesOf(edge).map(({ policy, direction, index }) => ({
      direction,
      policy: objectKey(policy.namespace, policy.name),
      rule: index,
    }));
    for (const from of edge.from.ends)
      for (const to of edge.to.ends) {
        if (from === to && isSingle(from)) continue;
        count += 1;
        if (count > MAX_EDGES) return;
        yield { from: ids.get(from) ?? '', to: ids.get(to) ?? '', ports: edge.ports.ranges, by };
      }
  }
}

function isolatedJson({ after }: ComparedEnd) {
  const names = (policies: readonly { readonly namespace: string; readonly name: string }[] = []) =>
    policies.map(({ namespace, name }) => objectKey(namespace, name));
  return { ingress: names(after?.ingress?.policies), egress: names(after?.egress?.policies) };
}
