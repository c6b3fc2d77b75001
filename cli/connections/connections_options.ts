/** The command line of `sluice connections`. */
import { SluiceError } from '../../common/errors.ts';
import { type CommonFlag, choice } from '../command.ts';
import type { FlagTable, FlagValues } from '../flags/index.ts';
import { LIVE_FLAGS, type LiveChoice, liveChoice } from '../flows/index.ts';
import { KIND_WORDS } from '../kind_words.ts';

/** What the help has before the flags. docs/reference/cli.md carries the same text. */
export const CONNECTIONS_HELP = `usage: sluice connections [KIND/NAME] [-n NS | -A | --lab NAME] [-o text|wide|json|yaml]

Says which TCP connections into pods are live: from whom, for how long, with how many bytes, and the rule that holds them. It asks
the pods' sidecars: of a lab from inside the pods, of a cluster by port-forward, with your own right to create pods/portforward.

Which pods: po/x, deploy/x, sts/x, ds/x, job/x, cronjob/x, a bare NAME of one of these, or NAMESPACE/ before it; without a name all
of the namespace, of a lab all. What a pod has opened itself stands at the pods where it goes to.
`;

/** What the help has after the flags. */
export const CONNECTIONS_HELP_END = `Exit code: 0 done, 2 error, 124 the time of --timeout is over. Sidecars that do not answer are named on stderr; where none does it is an error.
`;

const OUTPUTS = ['text', 'wide', 'json', 'yaml'] as const;

/** The flags. */
export const CONNECTIONS_FLAGS = {
  ...LIVE_FLAGS,
  direct: { help: 'nothing more: sidecars are always asked themselves' },
  limit: { value: 'N', help: 'rows of text, the oldest first; default 100', completes: 'nothing' },
  output: {
    short: 'o',
    value: 'FORMAT',
    help: 'text (the default), wide (with workloads, addresses and the path), json or yaml',
    choices: OUTPUTS,
  },
  'no-headers': { help: 'text: rows only' },
} as const satisfies FlagTable;

/** One of them. */
export type ConnectionsFlag = keyof typeof CONNECTIONS_FLAGS;

/** A checked command line. */
export interface ConnectionsCommand {
  readonly live: LiveChoice;
  /** As it was written; absent: all pods. */
  readonly target?: string;
  readonly output: (typeof OUTPUTS)[number];
  readonly limit: number;
  readonly headers: boolean;
}

const ROWS = 100;
const MAX_ROWS = 100_000;

/** `po x` is two words. */
export function wantedWords([first = '']: readonly string[]): number {
  return KIND_WORDS.has(first) ? 2 : 1;
}

/** @throws SluiceError `USAGE` */
export function connectionsCommand(values: FlagValues<ConnectionsFlag | CommonFlag>): ConnectionsCommand {
  const { positionals } = values;
  const [first, surplus] =
    positionals.length === 2 && wantedWords(positionals) === 2 ? [positionals.join('/')] : positionals;
  if (surplus !== undefined)
    throw new SluiceError('USAGE', `'${surplus}' is not expected (see sluice connections --help)`);
  const limit = values.text('limit') ?? String(ROWS);
  if (!/^\d{1,6}$/.test(limit) || Number(limit) < 1 || Number(limit) > MAX_ROWS)
    throw new SluiceError('USAGE', `--limit is '${limit}': wants a number from 1 to ${MAX_ROWS}`);
  return {
    live: liveChoice(values),
    ...(first === undefined ? {} : { target: first }),
    output: choice(values.text('output') ?? 'text', OUTPUTS, '-o', 'connections'),
    limit: Number(limit),
    headers: !values.has('no-headers'),
  };
}
