/** docs/benchmarks.md and its plots, made from the results of one run. */
import { REFERENCES, ratiosOf } from './document.ts';
import { number, ratio } from './format.ts';
import { plot } from './plot.ts';
import { disturbance, warnings } from './quiet.ts';
import type { Measured, MeasuredMetric, Results } from './results.ts';
import { type Judged, judge } from './targets.ts';

/** Folder of the plots, beside the page. */
export const PLOT_FOLDER = 'benchmarks';

const TITLE = '# Benchmarks';
const MADE =
  '<!-- Made by `npm run bench -- --docs` from bench/results.json and bench/remarks.md: do not edit. -->';

/**
 * The page and its plots, by path from docs/.
 * @param results undefined: nothing has been measured yet
 * @param remarks what people say of the results, in Markdown
 */
export function pages(results: Results | undefined, remarks = ''): ReadonlyMap<string, string> {
  if (results === undefined) return new Map([['benchmarks.md', NOTHING_YET]]);
  const plots = results.figures.flatMap((figure): [string, string][] => {
    const svg = plot(figure, results);
    return svg === undefined ? [] : [[plotPath(figure), svg]];
  });
  const shown = new Set(plots.map(([path]) => path));
  return new Map([['benchmarks.md', page(results, remarks.trim(), shown)], ...plots]);
}

const NOTHING_YET = `${TITLE}

${MADE}

No full run has been recorded yet: no figure about the speed of the data path is claimed anywhere. What is measured and how:
[bench/README.md](../bench/README.md).
`;

function page(results: Results, remarks: string, plots: ReadonlySet<string>): string {
  const sections = [
    TITLE,
    MADE,
    intro(results),
    ...warnings(results),
    '## Targets',
    targetTable(judge(results), results),
    ...(remarks === '' ? [] : [remarks]),
    '## How it is measured',
    method(results),
    ...results.figures.flatMap((figure) => section(figure, results, plots)),
    ...Object.entries(results.failed).map(([name, reason]) => `\`${name}\` could not be measured: ${reason}`),
  ];
  return `${sections.join('\n\n')}\n`;
}

function intro(results: Results): string {
  const { startedAt, seconds, rounds, sidecar } = results;
  const minutes = Math.round(seconds / 60);
  return `What enforcement costs, by \`npm run bench -- --docs\` of ${startedAt.slice(0, 10)} (${minutes} minutes): no rules, kernel
rules, Sluice ${results.paths['sluice-direct'] === undefined ? '' : 'on its direct path and '}with each of its relays, HAProxy and Envoy behind the same TPROXY rules${gate(results)}, in one run. Figures are medians of
${rounds} run${rounds === 1 ? '' : 's'}, where a figure does not say another number, with the least and the most of them; the ratios are what to look at, since absolute figures belong to one machine
and one day. The sidecar ran ${sidecar === 'bundle' ? 'as one bundled file, as it ships' : 'from its TypeScript sources; as one bundled file it needs less memory'}.`;
}

function method({ machine, subject, maxFlows, paths }: Results): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  return `One node, a client's pod and a pod for each path, each a network namespace, joined by veth pairs and routed by the
node. All paths are there at once with the same app; they are measured in turn, each round starts with another one, and
the proxies that are not measured are stopped. Proxies have one thread, the client's address on the app's side, and ports
of their own. Sluice's targets are about \`${subject}\`. "All flows" are ${number(maxFlows)}: two descriptors each.

Machine: ${machine.processor}, ${machine.processors} processors, ${machine.memoryGB} GB, ${machine.system}, Linux ${machine.kernel}${congestion(machine)}; load ${machine.loadBefore} before the run.
Versions: ${versions.join(', ')}. Paths: ${Object.entries(paths)
    .map(([name, label]) => `\`${name}\` (${label})`)
    .join(', ')}.`;
}

/** Without it, what the gate costs is on Sluice's side alone. */
function gate({ gateBeforePeers = false }: Results): string {
  return gateBeforePeers ? ' and the same gate' : ", though without Sluice's gate";
}

/** Throughput and the times of short flows depend on it: most nodes have cubic. */
function congestion({ congestionControl }: Results['machine']): string {
  return congestionControl === undefined ? '' : `, TCP congestion control ${congestionControl}`;
}

function targetTable(targets: readonly Judged[], { paths, subject }: Results): string {
  const rows = targets.map(({ title, path, against, bound, value, reached, met }) => [
    title,
    labelOf(path ?? subject, paths),
    against === undefined ? '' : labelOf(against, paths),
    `${bound} ${value}`,
    reached === undefined ? 'not measured' : against === undefined ? number(reached) : reached.toFixed(3),
    met === undefined ? '' : met ? 'yes' : '**no**',
  ]);
  return table(['figure', 'path', 'ratio to', 'target', 'reached', 'met'], rows);
}

function section(figure: Measured, results: Results, plots: ReadonlySet<string>): readonly string[] {
  const path = plotPath(figure);
  return [
    `## ${figure.title}`,
    `${figure.method} ${figure.rounds} run${figure.rounds === 1 ? '' : 's'} on each path${fewerRuns(figure, results.paths)}.${failures(figure)}${disturbance(figure)}`,
    ...(plots.has(path) ? [`![${figure.title}](${path})`] : []),
    ...figure.metrics.flatMap((metric) => [
      `**${capitalised(metric.title)}**, ${metric.unit}, ${metric.better} is better`,
      metricTable(metric, results.paths),
    ]),
  ];
}

/** Paths that were measured less often than the others. */
function fewerRuns({ metrics, rounds }: Measured, labels: Results['paths']): string {
  const fewer = new Map<string, number>();
  for (const { paths } of metrics)
    for (const [name, { runs }] of Object.entries(paths))
      if (runs.length < rounds) fewer.set(labelOf(name, labels), runs.length);
  return [...fewer].map(([label, runs]) => `; ${runs} on ${label}`).join('');
}

function failures({ failures: list }: Measured): string {
  return list.length === 0
    ? ''
    : ` Runs that failed and were made again: ${list.length}, in bench/results.json.`;
}

function metricTable(metric: MeasuredMetric, labels: Results['paths']): string {
  const ratios = ratiosOf(metric);
  const references = REFERENCES.filter((reference) => ratios[reference] !== undefined);
  const rows = Object.entries(metric.paths).map(([name, { median, least, most }]) => [
    labelOf(name, labels),
    number(median),
    `${number(least)} - ${number(most)}`,
    ...references.map((reference) => {
      const found = ratios[reference]?.[name];
      return found === undefined ? '' : ratio(found.ratio);
    }),
  ]);
  const against = references.map((reference) => `ratio to ${labelOf(reference, labels)}`);
  return table(['path', 'median', 'least - most', ...against], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function plotPath(figure: Pick<Measured, 'name'>): string {
  return `${PLOT_FOLDER}/${figure.name}.svg`;
}

function labelOf(name: string, labels: Results['paths']): string {
  return labels[name] ?? name;
}

function capitalised(title: string): string {
  return title.slice(0, 1).toUpperCase() + title.slice(1);
}
