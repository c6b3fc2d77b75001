/** The command line of the benchmarks. */
import { parseArgs } from 'node:util';
import { firstSentenceOf } from '../common/errno.ts';
import { SluiceError } from '../common/errors.ts';

/** Flags, in the order of the help text. */
const FLAGS = {
  quick: { type: 'boolean' },
  only: { type: 'string', multiple: true },
  paths: { type: 'string', multiple: true },
  rounds: { type: 'string' },
  sidecar: { type: 'string' },
  docs: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Fewer runs say nothing about their spread; more than this take a night. */
const MIN_ROUNDS = 1;
const MAX_ROUNDS = 99;

/** What the sidecar runs from. */
export type SidecarForm = 'bundle' | 'source';

/** A checked command line. */
export interface BenchOptions {
  readonly help: boolean;
  readonly quick: boolean;
  /** Names of figures and of paths; absent: all. */
  readonly figures?: readonly string[];
  readonly paths?: readonly string[];
  readonly rounds?: number;
  readonly sidecar?: SidecarForm;
  /** Write docs/benchmarks.md and its plots. */
  readonly docs: boolean;
}

/** What there is to choose from. */
export interface Choices {
  readonly figures: readonly string[];
  readonly paths: readonly string[];
}

/** What `--help` prints. */
export function benchHelp({ figures, paths }: Choices): string {
  return `usage: npm run -s bench -- [flags]
       npm run -s bench -- scale --help    what the control plane bears
       npm run -s bench -- cli --help      what commands cost on a large cluster

Compares what enforcement costs: no rules, kernel rules, Sluice with each relay, HAProxy, Envoy. All paths are there at
once and are measured in turn. Needs root on Debian; installs the tools it needs, and Envoy into bench/.cache.
Prints one JSON document on standard output; what it is doing goes to standard error.

Everything takes about 25 minutes on two processors, with --rounds 1 less than ten.

      --quick            three minutes: three runs, shorter and fewer loads, without the variants of paths and the
                         figures that no target is about
      --only FIGURE,…    ${figures.join(', ')}
      --paths PATH,…     ${paths.join(', ')}
      --rounds N         runs of each figure on each path, default 5, quick 3
      --sidecar FORM     bundle: one file, as it ships; source: the TypeScript sources. Default: bundle where there
                         is a script that makes it
      --docs             also write bench/results.json, docs/benchmarks.md and its plots; not with --quick, --only
                         or --paths
  -h, --help             this text

Exit code: 0 measured, also with bad figures; 1 something failed; 2 wrong command line; 130 interrupted.
`;
}

/** @throws SluiceError `USAGE` saying what is wrong with the command line. */
export function readBenchOptions(argv: readonly string[], choices: Choices): BenchOptions {
  const values = parse(argv);
  const figures = names('--only', values.only, choices.figures);
  const paths = names('--paths', values.paths, choices.paths);
  const { quick = false, docs = false, help = false, sidecar } = values;
  if (sidecar !== undefined && sidecar !== 'bundle' && sidecar !== 'source')
    throw usage(`--sidecar is '${sidecar}': wants bundle or source`);
  if (docs && (quick || figures !== undefined || paths !== undefined))
    throw usage('--docs wants a full run: leave --quick, --only and --paths out');
  return {
    help,
    quick,
    docs,
    ...(figures === undefined ? {} : { figures }),
    ...(paths === undefined ? {} : { paths }),
    ...(values.rounds === undefined ? {} : { rounds: wholeNumber(values.rounds) }),
    ...(sidecar === undefined ? {} : { sidecar }),
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, allowPositionals: false, strict: true }).values;
  } catch (cause) {
    const message = firstSentenceOf(cause);
    throw usage(message, cause);
  }
}

function names(
  flag: string,
  given: readonly string[] | undefined,
  known: readonly string[],
): readonly string[] | undefined {
  if (given === undefined) return undefined;
  const wanted = given
    .flatMap((text) => text.split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const unknown = wanted.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw usage(`${flag}: there is no ${unknown.join(', ')}; there is ${known.join(', ')}`);
  if (wanted.length === 0) throw usage(`${flag} is empty: give one or more of ${known.join(', ')}`);
  return wanted;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= MIN_ROUNDS && value <= MAX_ROUNDS) return value;
  throw usage(`--rounds is '${text}': wants a whole number ${MIN_ROUNDS}-${MAX_ROUNDS}`);
}

function usage(message: string, cause?: unknown): SluiceError {
  return new SluiceError('USAGE', `${message} (see npm run -s bench -- --help)`, { cause });
}
