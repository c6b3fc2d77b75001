/** Graphs for mermaid. */
import { printable } from '../../common/printable.ts';
import type { Drawing, DrawnNode } from './drawing.ts';

/** A flowchart. Source: mermaid.js.org, "Flowcharts - Basic Syntax". */
export function mermaidText({ nodes, edges, namespaces }: Drawing): string {
  const lines = ['flowchart LR'];
  for (const [at, namespace] of namespaces.entries()) {
    lines.push(`  subgraph s${at}["${escaped(namespace)}"]`);
    for (const node of nodes) if (node.namespace === namespace) lines.push(`    ${nodeText(node)}`);
    lines.push('  end');
  }
  for (const node of nodes) if (node.namespace === undefined) lines.push(`  ${nodeText(node)}`);
  for (const { from, to, label } of edges) lines.push(`  ${from.id} -->|"${escaped(label)}"| ${to.id}`);
  return `${lines.join('\n')}\n`;
}

function nodeText({ id, label, kind }: DrawnNode): string {
  const text = `"${escaped(label)}"`;
  switch (kind) {
    case 'network':
      return `${id}{{${text}}}`;
    case 'candidate':
    case 'set':
      return `${id}([${text}])`;
    default:
      return `${id}[${text}]`;
  }
}

/** What means nothing to mermaid, to markdown within it and to HTML. */
const PLAIN = /[^\p{L}\p{N} _.,:/()=-]/gu;

/** All else as the number of its character, which mermaid shows as that character. Source: "Entity codes to escape characters". */
function escaped(text: string): string {
  return printable(text).replace(PLAIN, (character) => `#${character.codePointAt(0)};`);
}
