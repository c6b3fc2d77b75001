/** `npm run bench -- cli`. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../common/errno.ts';
import { columns } from '../../lab/index.ts';
import { printed } from '../report/document.ts';
import { number } from '../report/format.ts';
import { describeMachine } from '../report/machine.ts';
import { type Summary, summarize } from '../statistics.ts';
import { type Inputs, prepareInputs } from './inputs.ts';
import { measureOnce, type Taken } from './measure.ts';
import { CLI_HELP, type CliOptions, readCliOptions } from './options.ts';
import { type Question, questions } from './questions.ts';

/** What was measured of a command. */
interface Measured {
  readonly question: Question;
  readonly runs: readonly Taken[];
  /** Why there are fewer runs than were wanted. */
  readonly failure?: string;
}

/**
 * Measures the commands, prints what they took, and says whether all could be measured.
 * @throws SluiceError `USAGE`, or the signal's reason
 */
export async function runCli(
  argv: readonly string[],
  signal: AbortSignal,
  progress: (line: string) => void,
): Promise<boolean> {
  const options = readCliOptions(argv);
  if (options.help) {
    process.stdout.write(CLI_HELP);
    return true;
  }
  const startedAt = new Date().toISOString();
  const folder = options.keep ?? mkdtempSync(join(tmpdir(), `sluice-bench-cli-${process.pid}-`));
  mkdirSync(folder, { recursive: true });
  let inputs: Inputs | undefined;
  try {
    progress('making the cluster');
    inputs = await prepareInputs(folder, options.size);
    const rows: Measured[] = [];
    for (const question of questions(inputs, options.size))
      if (isAsked(question, options)) rows.push(await measure(question, options, signal, progress));
    process.stderr.write(`${table(rows, options)}\n`);
    process.stdout.write(
      printed({ startedAt, size: options.size, machine: describeMachine(), rows: rows.map(summarized) }),
    );
    return rows.every(({ failure }) => failure === undefined);
  } finally {
    inputs?.close();
    if (options.keep === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

function isAsked({ name }: Question, { words }: CliOptions): boolean {
  return words.every((word) => name.split(/, /).includes(word));
}

async function measure(
  question: Question,
  { rounds, main }: CliOptions,
  signal: AbortSignal,
  progress: (line: string) => void,
): Promise<Measured> {
  const runs: Taken[] = [];
  try {
    for (let round = 1; round <= rounds; round += 1) {
      const taken = await measureOnce(main, question.argv, signal);
      runs.push(taken);
      const { seconds, cpuSeconds, peakMebibytes } = taken;
      progress(
        `${question.name} ${round}/${rounds}: ${number(seconds)} s, ${number(cpuSeconds)} s of processor, ${number(peakMebibytes)} MiB`,
      );
    }
  } catch (cause) {
    signal.throwIfAborted();
    progress(`error: ${question.name}: ${messageOf(cause)}`);
    return { question, runs, failure: messageOf(cause) };
  }
  return { question, runs };
}

function summaryOf(runs: readonly Taken[], field: keyof Taken): Summary {
  return summarize(runs.map((run) => run[field]));
}

function summarized({ question, runs, failure }: Measured) {
  const { name, wanted } = question;
  if (runs.length === 0) return { name, wanted, failure };
  return {
    name,
    wanted,
    seconds: summaryOf(runs, 'seconds'),
    cpuSeconds: summaryOf(runs, 'cpuSeconds'),
    peakMebibytes: summaryOf(runs, 'peakMebibytes'),
    ...(failure === undefined ? {} : { failure }),
  };
}

/** Medians, for people. Nothing is wanted of a small cluster. */
function table(rows: readonly Measured[], { isQuick }: CliOptions): string {
  const lines = rows.map(({ question, runs, failure }) => {
    const { name, wanted } = question;
    if (runs.length === 0) return [name, `failed: ${failure}`];
    const [seconds, cpu, memory] = (['seconds', 'cpuSeconds', 'peakMebibytes'] as const).map(
      (field) => summaryOf(runs, field).median,
    );
    const most = `${wanted.seconds} s${wanted.mebibytes === undefined ? '' : `, ${wanted.mebibytes} MiB`}`;
    const isReached =
      (seconds ?? 0) <= wanted.seconds && (memory ?? 0) <= (wanted.mebibytes ?? Number.POSITIVE_INFINITY);
    return [
      name,
      `${number(seconds ?? 0)} s`,
      `${number(cpu ?? 0)} s`,
      `${number(memory ?? 0)} MiB`,
      isQuick ? '' : most,
      isQuick ? '' : isReached ? 'yes' : 'NO',
    ];
  });
  return columns([['command', 'time', 'processor', 'peak memory', 'wanted', 'reached'], ...lines]);
}
