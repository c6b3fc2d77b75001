/** The command line of `npm run bench -- scale`. */
import { parseArgs } from 'node:util';
import { firstSentenceOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';

const FLAGS = {
  quick: { type: 'boolean' },
  rounds: { type: 'string' },
  schema: { type: 'string' },
  docs: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const MAX_ROUNDS = 99;
const DEFAULT_ROUNDS = { full: 3, quick: 1 } as const;

/** A checked command line. */
export interface ScaleOptions {
  readonly help: boolean;
  /** Names of rows; absent: all. */
  readonly rows?: readonly string[];
  readonly quick: boolean;
  readonly rounds: number;
  readonly schema?: number;
  /** Write bench/scale.json and docs/benchmarks/scale.md. */
  readonly docs: boolean;
}

/** What `--help` prints. */
export function scaleHelp(rows: readonly string[]): string {
  return `usage: npm run -s bench -- scale [row…] [flags]

Measures what the control plane bears: an injector that is a process of its own, and simulated sidecars in another one that
read frames and acknowledge at once; the row 'sidecar' has the real sidecar with its gate, and needs root. A row takes three
minutes at most, rounds together. Prints one JSON document on standard output; progress, and a table of what is wanted and
what was measured, go to standard error. Use an otherwise idle machine with two processors.

rows: ${rows.join(', ')}

      --quick      sizes that take a second or two: whether it runs, not how well
      --rounds N   runs of each row, default ${DEFAULT_ROUNDS.full}, quick ${DEFAULT_ROUNDS.quick}
      --schema N   the schema that simulated sidecars speak, default the injector's own
      --docs       also write bench/scale.json and docs/benchmarks/scale.md; not with --quick or some rows only
  -h, --help       this text

Exit code: 0 measured, also with bad figures; 1 a row could not be measured; 2 wrong command line; 130 interrupted.
`;
}

/** @throws SluiceError `USAGE` saying what is wrong with the command line. */
export function readScaleOptions(argv: readonly string[], known: readonly string[]): ScaleOptions {
  const { values, positionals } = parse(argv);
  const { quick = false, docs = false, help = false } = values;
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw usage(`there is no row ${unknown.join(', ')}; there is ${known.join(', ')}`);
  if (docs && (quick || positionals.length > 0))
    throw usage('--docs wants a full run: leave --quick and names of rows out');
  return {
    help,
    quick,
    docs,
    rounds: wholeNumber('--rounds', values.rounds) ?? DEFAULT_ROUNDS[quick ? 'quick' : 'full'],
    ...(positionals.length === 0 ? {} : { rows: positionals }),
    ...(values.schema === undefined ? {} : { schema: wholeNumber('--schema', values.schema) ?? 0 }),
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, allowPositionals: true, strict: true });
  } catch (cause) {
    throw usage(firstSentenceOf(cause), cause);
  }
}

function wholeNumber(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= MAX_ROUNDS) return value;
  throw usage(`${flag} is '${text}': wants a whole number 1-${MAX_ROUNDS}`);
}

function usage(message: string, cause?: unknown): SluiceError {
  return new SluiceError('USAGE', `${message} (see npm run -s bench -- scale --help)`, { cause });
}
