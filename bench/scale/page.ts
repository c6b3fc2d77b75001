/** docs/benchmarks/scale.md, made from the results of one run; pure. */
import { number } from '../report/format.ts';
import { isReached, type MeasuredRow, type ScaleResults } from './results.ts';

/** Above this load average somebody else was at work. */
const QUIET_LOAD = 0.5;

const TITLE = '# What the control plane bears';
const MADE =
  '<!-- Made by `npm run bench -- scale --docs` from bench/scale.json and bench/scale_remarks.md: do not edit. -->';

/** What others reach, from their own publications. */
const ANCHORS = `## Beside others

These published figures of other projects say how large a good figure is. The shapes are others than ours, but for Antrea's:

- Antrea's controller computes 100,000 pods and 75,000 policies in 25,000 namespaces, the shape of our row \`compile\`, in about 6 s,
  with a heap of 1.5 to 1.7 GB ([its test](https://github.com/antrea-io/antrea/blob/087489b088783d5cec01d1e049213e300be40ff5/pkg/controller/networkpolicy/networkpolicy_controller_perf_test.go)).
  Before groups were indexed by namespace it needed about 20 minutes ([the change](https://github.com/antrea-io/antrea/pull/566)).
- One Typha, which fans out changes to Calico's agents, serves hundreds of agents
  ([Typha overview](https://docs.tigera.io/calico/latest/reference/typha/overview)). An agent stands for a node, our sidecar for a pod.
- istiod takes one processor and 1.5 GB with 1,000 Services and 2,000 sidecars
  ([Istio 1.16](https://istio.io/v1.16/docs/ops/deployment/performance-and-scalability)). It sends configuration of routes and
  certificates, which we do not.`;

/**
 * The page.
 * @param results undefined: nothing has been measured yet
 * @param remarks what people say of the results, in Markdown
 */
export function scalePage(results: ScaleResults | undefined, remarks = ''): string {
  const sections =
    results === undefined
      ? [TITLE, MADE, NOTHING_YET, ANCHORS]
      : [
          TITLE,
          MADE,
          intro(results),
          ...(results.machine.loadBefore > QUIET_LOAD ? [warning(results)] : []),
          '## Wanted and measured',
          wantedTable(results.rows),
          ...(remarks.trim() === '' ? [] : [remarks.trim()]),
          ANCHORS,
          '## How it is measured',
          METHOD,
          machineText(results),
          ...results.rows.flatMap(section),
        ];
  return `${sections.join('\n\n')}\n`;
}

const NOTHING_YET = `No full run has been recorded yet: no figure is claimed here. What is measured and how:
[bench/README.md](../../bench/README.md#what-the-control-plane-bears).`;

const METHOD = `The injector is a process of its own with the table server and the transport of production, over a cluster in memory. Simulated
sidecars live in a second process: they read frames without parsing them, acknowledge at once, and come back as real ones do. Time is
taken on one clock, from the change in the injector until a sidecar has read it; how late the second process was itself is shown, and
is part of the times. A turn of the event loop is given in processor time.`;

function intro({ startedAt, seconds }: ScaleResults): string {
  const minutes = Math.round(seconds / 60);
  return `By \`npm run bench -- scale --docs\` of ${startedAt.slice(0, 10)} (${minutes} minutes). Figures are medians over the rounds, with the least and
the most of them.`;
}

function warning({ machine }: ScaleResults): string {
  return `> The machine was not quiet: its load was ${machine.loadBefore} before the run. Take these figures as provisional.`;
}

function machineText({ machine }: ScaleResults): string {
  return `Machine: ${machine.processor}, ${machine.processors} processors, ${machine.memoryGB} GB, ${machine.system}, Linux ${machine.kernel}; load ${machine.loadBefore} before the run.
Node ${machine.versions.Node ?? 'unknown'}.`;
}

function wantedTable(rows: readonly MeasuredRow[]): string {
  const lines = rows.flatMap((row) =>
    row.metrics.flatMap((metric) => {
      if (metric.wanted === undefined) return [];
      const { title, unit, wanted, summary } = metric;
      const reached = isReached(metric);
      return [
        [
          row.name,
          title,
          `at most ${number(wanted)} ${unit}`,
          summary === undefined ? 'not measured' : `${number(summary.median)} ${unit}`,
          summary === undefined ? '' : `${number(summary.least)} - ${number(summary.most)}`,
          reached === undefined ? '' : reached ? 'yes' : '**no**',
        ],
      ];
    }),
  );
  return table(['row', 'figure', 'wanted', 'median', 'least - most', 'reached'], lines);
}

function section({ name, title, method, rounds, failures, metrics }: MeasuredRow): readonly string[] {
  const failed = failures.length === 0 ? '' : ` Runs that failed: ${failures.join('; ')}.`;
  const lines = metrics.map(({ title: of, unit, summary }) => [
    of,
    unit,
    summary === undefined ? 'not measured' : number(summary.median),
    summary === undefined ? '' : `${number(summary.least)} - ${number(summary.most)}`,
  ]);
  return [
    `### ${title}`,
    `Row \`${name}\`, ${rounds} ${rounds === 1 ? 'run' : 'runs'}. ${method}${failed}`,
    table(['figure', 'unit', 'median', 'least - most'], lines),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
