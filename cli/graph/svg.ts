/** Graphs as pictures: SVG without scripts, fonts or anything that is loaded. */
import { printable } from '../../common/printable.ts';
import { xmlText } from '../xml.ts';
import type { Drawing, DrawnEdge, DrawnNode } from './drawing.ts';
import { type Box, layoutOf, SHOWN_CHARACTERS } from './layout.ts';

const STYLE =
  'text{font:12px monospace;fill:#1f2933}.band{fill:#f5f7fa;stroke:#9aa5b1}.pods{fill:#fff;stroke:#334e68}' +
  '.network{fill:#e3f2fd;stroke:#334e68}.candidate{fill:#fff;stroke:#b44d12;stroke-dasharray:5 3}' +
  '.set{fill:#e6f6e6;stroke:#334e68}.edge{fill:none;stroke:#627d98}' +
  '.label{font-size:11px;paint-order:stroke;stroke:#fff;stroke-width:3px}';

/** A picture of the graph. */
export function svgText(drawing: Drawing): string {
  const { nodes, bands, width, height } = layoutOf(drawing);
  const boxOf = (node: DrawnNode): Box => nodes.get(node) ?? { x: 0, y: 0, width: 0, height: 0 };
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<style>${STYLE}</style>`,
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">' +
      '<path d="M0 0L8 4L0 8z" fill="#627d98"/></marker></defs>',
    '<rect width="100%" height="100%" fill="#fff"/>',
    ...[...bands].map(
      ([namespace, box]) =>
        `<g>${rectangle(box, 'band', 6)}<text x="${box.x + 8}" y="${box.y + 17}">${shown(namespace)}</text></g>`,
    ),
    ...drawing.edges.map((edge) => edgeText(edge, boxOf(edge.from), boxOf(edge.to))),
    ...drawing.nodes.map((node) => nodeText(node, boxOf(node))),
    '</svg>',
    '',
  ].join('\n');
}

function rectangle({ x, y, width, height }: Box, kind: string, radius: number): string {
  return `<rect class="${kind}" x="${x}" y="${y}" width="${width}" height="${height}" rx="${radius}"/>`;
}

function nodeText({ label, kind }: DrawnNode, box: Box): string {
  const radius = kind === 'set' || kind === 'candidate' ? box.height / 2 : 4;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2 + 4];
  return (
    `<g><title>${escaped(label)}</title>${rectangle(box, kind, radius)}` +
    `<text x="${x}" y="${y}" text-anchor="middle">${shown(label)}</text></g>`
  );
}

/** Forwards from side to side; backwards and to itself around below. */
function edgeText({ label }: DrawnEdge, from: Box, to: Box): string {
  const start = { x: from.x + from.width, y: from.y + from.height / 2 };
  const end = { x: to.x, y: to.y + to.height / 2 };
  const isForward = end.x > start.x;
  const bend = isForward ? (end.x - start.x) / 2 : 60;
  const drop = isForward ? 0 : 40;
  const path =
    `M${start.x} ${start.y}C${start.x + bend} ${start.y + drop} ` +
    `${end.x - bend} ${end.y + drop} ${end.x} ${end.y}`;
  const [x, y] = [(start.x + end.x) / 2, (start.y + end.y) / 2 + drop * 0.75 - 4];
  return (
    `<g><title>${escaped(label)}</title><path class="edge" marker-end="url(#arrow)" d="${path}"/>` +
    `<text class="label" x="${x}" y="${y}" text-anchor="middle">${shown(label)}</text></g>`
  );
}

function shown(text: string): string {
  const characters = [...printable(text)];
  return escaped(
    characters.length > SHOWN_CHARACTERS ? `${characters.slice(0, SHOWN_CHARACTERS - 1).join('')}…` : text,
  );
}

function escaped(text: string): string {
  return xmlText(printable(text));
}
