/** Runs rows: each round of each in a process of its own, within a time. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { outcomeOf, type RunOutcome } from '../../common/run_tool.ts';
import { fieldsOf } from '../../common/shape.ts';
import { summarize } from '../statistics.ts';
import type { MeasuredRow } from './results.ts';
import type { Row } from './row.ts';

const BENCH = join(import.meta.dirname, '..');

/** All rounds of one row together, ms. A round that would not fit is not begun. */
const ROW_MS = 180_000;

/** So long a script may take to clean up when it is ended, ms. */
const LAST_WORDS_MS = 5_000;

/** A row whose runs fail so often has failed. */
const MOST_FAILURES = 2;

/** How runs are made. */
export interface RunSettings {
  readonly rounds: number;
  readonly isQuick: boolean;
  /** Of the simulated sidecars; absent: the checkout's own. */
  readonly schema?: number;
  readonly signal: AbortSignal;
  readonly progress: (line: string) => void;
}

type Sample = ReadonlyMap<string, number>;

/** Measures one row. @throws the signal's reason */
export async function measureRow(row: Row, settings: RunSettings): Promise<MeasuredRow> {
  const startMs = performance.now();
  const samples: Sample[] = [];
  const failures: string[] = [];
  let longestMs = 0;
  const leftMs = () => startMs + ROW_MS - performance.now();
  while (samples.length < settings.rounds && failures.length < MOST_FAILURES && leftMs() > longestMs) {
    const roundMs = performance.now();
    const round = `${row.name} ${samples.length + 1}/${settings.rounds}`;
    settings.progress(round);
    const found = await runOnce(row, settings, leftMs());
    settings.signal.throwIfAborted();
    longestMs = Math.max(longestMs, performance.now() - roundMs);
    if (typeof found === 'string') {
      failures.push(found);
      settings.progress(`error: ${round}: ${found}`);
      if (isHopeless(row)) break;
    } else {
      samples.push(found);
      settings.progress(`${round}: ${described(found)}`);
    }
  }
  return {
    name: row.name,
    title: row.title,
    method: row.method,
    seconds: Math.round((performance.now() - startMs) / 1000),
    rounds: samples.length,
    failures,
    metrics: row.metrics.map((metric) => {
      const values = samples.flatMap((sample) => sample.get(metric.id) ?? []);
      return values.length === 0 ? metric : { ...metric, summary: summarize(values) };
    }),
  };
}

/** One run of a row's script: its values, or why there are none. */
async function runOnce(row: Row, settings: RunSettings, timeMs: number): Promise<Sample | string> {
  if (isHopeless(row)) return `bench/${row.script} is not there`;
  const child = spawn(process.execPath, [join(BENCH, row.script), ...argumentsOf(row, settings)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const end = (): void => void child.kill('SIGTERM');
  const hardEnd = setTimeout(() => child.kill('SIGKILL'), timeMs + LAST_WORDS_MS);
  settings.signal.addEventListener('abort', end);
  child.stderr.on('data', (chunk: string) => {
    for (const line of chunk.split('\n')) if (line !== '') settings.progress(`  ${line}`);
  });
  try {
    const outcome = await outcomeOf(child, { timeMs });
    return valuesOf(row, outcome);
  } finally {
    clearTimeout(hardEnd);
    settings.signal.removeEventListener('abort', end);
  }
}

function isHopeless(row: Row): boolean {
  return !existsSync(join(BENCH, row.script));
}

function argumentsOf(row: Row, { isQuick, schema }: RunSettings): readonly string[] {
  const size = isQuick ? (row.quick ?? ['--quick']) : (row.full ?? []);
  return row.takesSchema && schema !== undefined ? [...size, '--schema', `${schema}`] : size;
}

function valuesOf(row: Row, { status, signal, stdout, stderr, over }: RunOutcome): Sample | string {
  if (over === 'time') return 'it took too long';
  if (!(row.measuredCodes ?? [0]).includes(status ?? -1)) {
    const said = stderr.split('\n').find((line) => line.includes('error'));
    return said ?? `it ended with ${signal ?? `exit code ${status}`}`;
  }
  let document: unknown;
  try {
    document = JSON.parse(stdout);
  } catch {
    return 'it printed no JSON document';
  }
  const found = (row.read ?? plainValues)(document);
  const numbers = Object.entries(found).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number' && Number.isFinite(entry[1]),
  );
  return new Map(numbers);
}

function plainValues(document: unknown): Readonly<Record<string, unknown>> {
  const fields = fieldsOf(document);
  return 'values' in fields ? fieldsOf(fields.values) : fields;
}

function described(sample: Sample): string {
  return [...sample].map(([id, value]) => `${id} ${Number(value.toPrecision(3))}`).join(', ');
}
