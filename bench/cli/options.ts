/** The command line of `npm run bench -- cli`. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { firstSentenceOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import type { ClusterSize } from './cluster.ts';

/** 10,000 pods and 1,000 policies. */
const FULL: ClusterSize = { namespaces: 200, replicas: 5 };
const QUICK: ClusterSize = { namespaces: 10, replicas: 2 };

const DEFAULT_ROUNDS = 3;
const MAX_ROUNDS = 99;

const MAIN = join(import.meta.dirname, '../../cli/main.ts');

/** What `--help` prints. */
export const CLI_HELP = `usage: npm run -s bench -- cli [word…] [flags]

Measures the commands that read a whole cluster: 10,000 pods in 200 namespaces and 1,000 policies, from files and from a double of the
API server in another process. Prints one JSON document on standard output; progress, and a table of what is wanted and what was
measured, go to standard error. Needs no root. Where others use the machine, compare processor time.

With words, such as \`can\` or \`live\`, only the commands that have all of them in their names.

      --quick      200 pods and 50 policies: whether it runs, not how well
      --rounds N   runs of each command, default ${DEFAULT_ROUNDS}
      --main FILE  the program to measure, such as dist-cli/sluice.mjs; default cli/main.ts
      --keep DIR   make the files in this folder, and leave them there
  -h, --help       this text

Exit code: 0 measured, also with bad figures; 1 a command failed; 2 wrong command line; 130 interrupted.
`;

/** A checked command line. */
export interface CliOptions {
  readonly help: boolean;
  /** All of them are in the names of the commands that are wanted. */
  readonly words: readonly string[];
  readonly size: ClusterSize;
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly main: string;
  readonly keep?: string;
}

/** @throws SluiceError `USAGE` */
export function readCliOptions(argv: readonly string[]): CliOptions {
  const { values, positionals } = parse(argv);
  const rounds = Number(values.rounds ?? DEFAULT_ROUNDS);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > MAX_ROUNDS)
    throw usage(`--rounds is '${values.rounds}': wants a whole number 1-${MAX_ROUNDS}`);
  const isQuick = values.quick ?? false;
  return {
    help: values.help ?? false,
    words: positionals,
    size: isQuick ? QUICK : FULL,
    isQuick,
    rounds,
    main: values.main ?? MAIN,
    ...(values.keep === undefined ? {} : { keep: values.keep }),
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        quick: { type: 'boolean' },
        rounds: { type: 'string' },
        main: { type: 'string' },
        keep: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
      allowPositionals: true,
      strict: true,
    });
  } catch (cause) {
    throw usage(firstSentenceOf(cause), cause);
  }
}

function usage(message: string, cause?: unknown): SluiceError {
  return new SluiceError('USAGE', `${message} (see npm run -s bench -- cli --help)`, { cause });
}
