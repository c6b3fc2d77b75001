/** Graphs for Graphviz. */
import { printable } from '../../common/printable.ts';
import type { Drawing, DrawnNode } from './drawing.ts';

/** A directed graph. Source: graphviz.org, "DOT Language". */
export function dotText({ nodes, edges, namespaces }: Drawing): string {
  const lines = ['digraph policies {', '  rankdir=LR;', '  node [shape=box];'];
  for (const [at, namespace] of namespaces.entries()) {
    lines.push(`  subgraph cluster_${at} {`, `    label=${quoted(namespace)};`);
    for (const node of nodes) if (node.namespace === namespace) lines.push(`    ${nodeText(node)}`);
    lines.push('  }');
  }
  for (const node of nodes) if (node.namespace === undefined) lines.push(`  ${nodeText(node)}`);
  for (const { from, to, label } of edges) lines.push(`  ${from.id} -> ${to.id} [label=${quoted(label)}];`);
  lines.push('}');
  return `${lines.join('\n')}\n`;
}

const SHAPES = {
  pods: '',
  network: ', shape=hexagon',
  candidate: ', style=dashed',
  set: ', style=rounded',
} as const;

function nodeText({ id, label, kind }: DrawnNode): string {
  return `${id} [label=${quoted(label)}${SHAPES[kind]}];`;
}

/** In a quoted string only the quote and, in labels, the backslash have a meaning. */
function quoted(text: string): string {
  return `"${printable(text).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
