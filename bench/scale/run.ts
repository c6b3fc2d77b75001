/** `npm run bench -- scale`. */
import { columns } from '../../lab/index.ts';
import { printed } from '../report/document.ts';
import { number } from '../report/format.ts';
import { describeMachine } from '../report/machine.ts';
import { ROWS } from './catalogue.ts';
import { measureRow } from './measure.ts';
import { readScaleOptions, scaleHelp } from './options.ts';
import { recordScale } from './recorded.ts';
import { isReached, type MeasuredRow, type ScaleResults, unmeasured } from './results.ts';

const NAMES = ROWS.map(({ name }) => name);

/**
 * Measures rows, prints what they found, and says whether all were measured.
 * @throws SluiceError `USAGE`, or the signal's reason
 */
export async function runScale(
  argv: readonly string[],
  signal: AbortSignal,
  progress: (line: string) => void,
): Promise<boolean> {
  const options = readScaleOptions(argv, NAMES);
  if (options.help) {
    process.stdout.write(scaleHelp(NAMES));
    return true;
  }
  const startedAt = new Date();
  const machine = describeMachine();
  const { quick: isQuick, rounds, schema } = options;
  const settings = { isQuick, rounds, signal, progress, ...(schema === undefined ? {} : { schema }) };
  const rows: MeasuredRow[] = [];
  for (const row of ROWS)
    if (options.rows?.includes(row.name) ?? true) rows.push(await measureRow(row, settings));
  const results: ScaleResults = {
    startedAt: startedAt.toISOString(),
    seconds: Math.round((Date.now() - startedAt.getTime()) / 1000),
    scale: isQuick ? 'quick' : 'full',
    machine,
    rows,
  };
  if (options.docs) recordScale(results);
  process.stderr.write(`${scaleTable(results)}\n`);
  process.stdout.write(printed(results));
  return unmeasured(results).length === 0;
}

/** What is wanted and what was measured, for people. Nothing is wanted of small sizes. */
function scaleTable({ rows, scale }: ScaleResults): string {
  const lines = rows.flatMap((row) => [
    ...row.metrics.map((metric) => {
      const { title, unit, wanted, summary } = metric;
      const reached = isReached(metric);
      return [
        row.name,
        title,
        wanted === undefined || scale === 'quick' ? '' : `${number(wanted)} ${unit}`,
        summary === undefined ? 'not measured' : `${number(summary.median)} ${unit}`,
        summary === undefined ? '' : `${number(summary.least)} - ${number(summary.most)}`,
        reached === undefined || scale === 'quick' ? '' : reached ? 'yes' : 'NO',
      ];
    }),
    ...row.failures.map((reason) => [row.name, `failed: ${reason}`]),
  ]);
  return columns([['row', 'figure', 'wanted', 'measured', 'least - most', 'reached'], ...lines]);
}
