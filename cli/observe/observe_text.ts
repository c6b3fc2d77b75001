/** What `sluice observe` prints for people. */
import { printable } from '../../common/printable.ts';
import type { ObservedAnswer, ObservedFlow } from '../../flows/index.ts';
import { changeText, fullEnd, OUTCOME_WORDS, portText, ruleText, shortEnd } from '../flows/index.ts';
import { type Lines, line } from '../lines.ts';
import { tableRows } from '../terminal/index.ts';
import { clockText, timeText, whenText } from '../times.ts';
import type { Row } from './rows.ts';

/** Longest text about a rule in the table, characters: -o wide and --explain have all of it. */
const MAX_RULE = 160;

/** What the table is printed with. */
export interface TableOptions {
  readonly wide: boolean;
  readonly headers: boolean;
  readonly nowMs: number;
  /** Rows that are printed. */
  readonly limit: number;
}

/** The table, and what it leaves out. The number of a row has the colour of its verdict. */
export function tableLines(
  rows: readonly Row[],
  answer: ObservedAnswer,
  asked: { readonly since: number },
  { wide, headers, nowMs, limit }: TableOptions,
): readonly Lines[] {
  const shown = rows.slice(0, limit);
  const cells = shown.map(({ outcome, from, to, port, rule, flows, firstMs, lastMs }, at) => [
    String(at + 1),
    String(flows),
    whenText(firstMs, nowMs),
    whenText(lastMs, nowMs),
    OUTCOME_WORDS[outcome].word,
    from,
    to,
    port,
    wide ? rule : cut(rule),
  ]);
  const head = ['#', 'COUNT', 'FIRST', 'LAST', 'VERDICT', 'FROM', 'TO', 'PORT', ruleHead(shown)];
  const table = tableRows(rightAligned(headers ? [head, ...cells] : cells, 2));
  const body = table.map((text, at): Lines => {
    const row = shown[headers ? at - 1 : at];
    if (row === undefined) return { text: `${text}\n` };
    const end = /^ *\d+/.exec(text)?.[0].length ?? 0;
    const { format } = OUTCOME_WORDS[row.outcome];
    return { text: `${text.slice(end)}\n`, lead: { format, word: text.slice(0, end) } };
  });
  if (!headers) return body;
  return [
    ...(rows.length === 0 ? [] : body),
    line(countText(rows, shown)),
    line(observedText(answer, asked)),
  ];
}

/** Numbers of the first columns end below each other. */
function rightAligned(rows: readonly (readonly string[])[], columns: number): readonly (readonly string[])[] {
  const widths = Array.from({ length: columns }, (_, at) =>
    Math.max(0, ...rows.map((row) => (row[at] ?? '').length)),
  );
  return rows.map((row) => row.map((cell, at) => cell.padStart(widths[at] ?? 0)));
}

function cut(text: string): string {
  return text.length <= MAX_RULE ? text : `${text.slice(0, MAX_RULE - 1)}…`;
}

function ruleHead(rows: readonly Row[]): string {
  const allowed = rows.filter(({ outcome }) => outcome === 'allow').length;
  if (allowed === rows.length) return 'RULE';
  return allowed === 0 ? 'NEAREST RULE, AND WHAT IT LACKS' : 'RULE, OR THE NEAREST AND WHAT IT LACKS';
}

function countText(rows: readonly Row[], shown: readonly Row[]): string {
  if (rows.length === 0) return 'no flows';
  const flows = rows.reduce((sum, row) => sum + row.flows, 0);
  const more = rows.length > shown.length ? `; the first ${shown.length} are shown (--limit)` : '';
  return `${rows.length} ${rows.length === 1 ? 'kind' : 'kinds'} of flows, ${flows} in all${more}`;
}

/** `observed since 2026-11-28 09:12:00, lost=0`. */
export function observedText(
  { observed_since: since, lost }: ObservedAnswer,
  asked: { readonly since: number },
): string {
  const sinceMs = Date.parse(since);
  const late =
    asked.since > 0 && sinceMs > asked.since ? `, not since ${timeText(asked.since)} as asked` : '';
  return `observed since ${timeText(sinceMs)}${late}, ${lostText(lost)}`;
}

function lostText(lost: ObservedAnswer['lost']): string {
  const count = lost.reduce((sum, { flows }) => sum + flows, 0);
  if (lost.length === 0) return 'lost=0';
  const isKnown = lost.every(({ flows }) => flows > 0);
  return `lost=${isKnown ? count : `${count} or more`} (${lost.map(({ why }) => why).join('; ')})`;
}

/** One edge as it comes: `denied   23:39:42  shop/web -> shop/db TCP/5432  db-clients[0]: …`. */
export function followedLine(flow: ObservedFlow, wide: boolean): Lines {
  const { word, format } = OUTCOME_WORDS[flow.outcome];
  const end = wide ? fullEnd : shortEnd;
  const times = flow.flows > 1 ? ` x${flow.flows}` : '';
  const ends = `${end(flow.src)} -> ${end(flow.dst)} ${portText(flow)}${times}`;
  return line(
    `${' '.repeat(9 - word.length)}${clockText(Date.parse(flow.last))}  ${ends}  ${ruleText(flow)}`,
    {
      format,
      word,
    },
  );
}

/** All of one row. */
export function explainedLines(
  row: Row,
  number: number,
  command: (edge: ObservedFlow) => string | undefined,
): readonly Lines[] {
  const { word, format } = OUTCOME_WORDS[row.outcome];
  const head = line(
    ` ${row.from} -> ${row.to} ${row.port}  (row ${number}: ${row.flows === 1 ? '1 flow' : `${row.flows} flows`}, ${timeText(row.firstMs)} to ${timeText(row.lastMs)})`,
    { format, word },
  );
  return [head, ...row.edges.flatMap((edge) => edgeLines(edge, command(edge)))];
}

function edgeLines(edge: ObservedFlow, command: string | undefined): readonly Lines[] {
  const { src, dst, service, direction, reason, policy, rule, isolating = [], near = [], explanation } = edge;
  const { was, change } = edge;
  const facts: (readonly [string, string])[] = [
    [
      'flows',
      `${edge.flows}, last ${timeText(Date.parse(edge.last))}${edge.packets > 0 ? `, ${edge.packets} packets dropped` : ''}`,
    ],
    ['decided', `at ${direction}: ${reason}`],
  ];
  if (explanation !== undefined) facts.push(['sentence', explanation]);
  if (service !== undefined) facts.push(['service', service]);
  if (edge.outcome === 'allow' && policy !== undefined)
    facts.push(['rule', `${policy} ${direction}${rule === undefined ? '' : `[${rule}]`}`]);
  if (isolating.length > 0) facts.push(['isolating', isolating.join(', ')]);
  for (const one of near)
    facts.push(['near', `${one.policy} ${direction}[${one.rule}]: ${one.lacks.join(', ')}`]);
  if (was !== undefined)
    facts.push([
      'allowed by',
      was.policy === undefined ? `${was.reason}` : `${was.policy} ${direction}[${was.rule}]`,
    ]);
  if (change !== undefined) facts.push(['ended by', changeText(change)]);
  if (edge.bytes_sent + edge.bytes_received > 0)
    facts.push(['bytes', `${edge.bytes_received} from the source, ${edge.bytes_sent} to it`]);
  facts.push(['reported', REPORTED[edge.reported_by]]);
  if (command !== undefined) facts.push(['the same', command]);
  const pods = [src, dst].map(({ pod }) => pod ?? '*');
  const named = src.pod === undefined && dst.pod === undefined ? '' : `  pods ${pods.join(' -> ')}`;
  return [
    line(`${fullEnd(src)} -> ${fullEnd(dst)} ${portText(edge)}${named}`),
    ...tableRows(facts.map(([name, text]) => [`  ${name}`, printable(text)])).map((text) => ({
      text: `${text}\n`,
    })),
  ];
}

const REPORTED = {
  both: 'by the sidecars of both ends',
  source: 'by the sidecar of the source alone',
  destination: 'by the sidecar of the destination alone',
} as const satisfies Record<ObservedFlow['reported_by'], string>;
