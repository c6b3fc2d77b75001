/** The command line of `sluice graph`. */
import { SluiceError } from '../../common/errors.ts';
import { choice } from '../command.ts';
import type { FlagTable, FlagValues } from '../flags/index.ts';
import { IGNORE_ERRORS_FLAG } from '../ignore_errors.ts';
import { INPUT_FLAGS, type InputChoice, inputChoice } from '../input/index.ts';
import { surplusWord } from '../surplus_word.ts';

/** What the help has before the flags. docs/reference/cli.md carries the same text. */
export const GRAPH_HELP = `usage: sluice graph [-f PATH... | --lab NAME | -n NS | -A] [--focus NAME [--depth N]] [-o text|wide|mermaid|dot|json|svg]

Says which connections policies let through, between workloads, and between them and networks outside, with their ports and the
policies that admit them. Where no policy isolates either end all ports are open: these connections are left out, but for those of
--focus and with --all.
Of a cluster the whole is read, as far as the user may, and what concerns one namespace is printed, with -A all.

What always passes is left out: a pod to itself, and to and from its own node.

Of many workloads or rules in one row text names the first few and says how many more there are; -o wide names all. Networks outside
and pods that may come stand first, before any workload is left out: of networks up to 30, the largest first.
`;

/** What the help has after the flags. */
export const GRAPH_HELP_END = `Exit code: 0 done, 2 error, 124 the time of --timeout is over.
`;

const OUTPUTS = ['text', 'wide', 'mermaid', 'dot', 'json', 'svg'] as const;

/** The flags. */
export const GRAPH_FLAGS = {
  ...INPUT_FLAGS,
  output: {
    short: 'o',
    value: 'FORMAT',
    help: 'text (the default), wide (the same with all names and rules), mermaid, dot, json or svg',
    choices: OUTPUTS,
  },
  focus: {
    value: 'NAME',
    help: `only what this workload reaches and who reaches it: deploy/x, NAMESPACE/deploy/x, a bare
name, NAMESPACE/* for all of a namespace, or internet for public addresses; may be repeated`,
    completes: 'endpoint',
  },
  depth: { value: 'N', help: 'with --focus: this many connections away; default 1' },
  exposure: { help: 'also pods that are not there, and that policies admit if they come' },
  all: { help: 'also connections that no policy decides, because none isolates either end' },
  ...IGNORE_ERRORS_FLAG,
  'no-headers': { help: 'text: connections only, without the lines that count' },
} as const satisfies FlagTable;

/** One of them. */
export type GraphFlag = keyof typeof GRAPH_FLAGS;

/** How it is printed. */
export type GraphOutput = (typeof OUTPUTS)[number];

/** A checked command line. */
export interface GraphCommand {
  readonly input: InputChoice;
  readonly output: GraphOutput;
  readonly focus: readonly string[];
  readonly depth: number;
  readonly exposure: boolean;
  readonly all: boolean;
  readonly ignoreErrors: boolean;
  readonly headers: boolean;
}

/** Farther than any two workloads are apart. */
const MAX_DEPTH = 100;

/** @throws SluiceError `USAGE` */
export function graphCommand(values: FlagValues<GraphFlag>): GraphCommand {
  const [surplus] = values.positionals;
  if (surplus !== undefined)
    throw new SluiceError('USAGE', `${surplusWord(surplus)} (see sluice graph --help)`);
  const focus = values.list('focus');
  if (values.has('depth') && focus.length === 0)
    throw new SluiceError(
      'USAGE',
      '--depth says how far from --focus, which is not there (see sluice graph --help)',
    );
  const depth = values.text('depth') ?? '1';
  if (!/^\d{1,3}$/.test(depth) || Number(depth) < 1 || Number(depth) > MAX_DEPTH)
    throw new SluiceError('USAGE', `--depth is '${depth}': wants a number from 1 to ${MAX_DEPTH}`);
  return {
    input: inputChoice(values),
    output: choice(values.text('output') ?? 'text', OUTPUTS, '-o', 'graph'),
    focus,
    depth: Number(depth),
    exposure: values.has('exposure'),
    all: values.has('all'),
    ignoreErrors: values.has('ignore-errors'),
    headers: !values.has('no-headers'),
  };
}
