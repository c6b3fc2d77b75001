/** The command line of `sluice diff`. */
import { SluiceError } from '../../common/errors.ts';
import { INPUT_PATH } from '../../sources/index.ts';
import { choice } from '../command.ts';
import type { FlagTable, FlagValues } from '../flags/index.ts';
import { IGNORE_ERRORS_FLAG } from '../ignore_errors.ts';
import { INPUT_FLAGS, type InputChoice, inputChoice } from '../input/index.ts';

/** The side that is no path. A path of that name is `./cluster`. */
export const CLUSTER = 'cluster';

/** What the help has before the flags. docs/reference/cli.md carries the same text. */
export const DIFF_HELP = `usage: sluice diff A B [-f PATH...] [-o text|wide|json|markdown] [--fail-on wider|narrower|any|none]
       sluice diff --against REVISION PATH... [flags]
       sluice diff cluster PATH [--lab NAME | -n NS] [flags]

Says which connections become possible or impossible from A to B, between workloads, and between them and networks outside: wider,
narrower, or changed (wider in some ports, narrower in others). Both directions count: what the source's egress policies and the
destination's ingress policies let through together.

A and B are files, folders, - for standard input, or a git revision with a path in it, such as main:k8s/. What -f names is there on
both sides: the workloads, where A and B hold policies only. An object of A or B goes before one of -f.
With --against, all of the PATHs together are compared with what a git revision, such as origin/main, has in their place. A path that
only one of the two has is empty in the other.
The word cluster stands for the cluster of the kubeconfig, or the lab of --lab. The other side is then what the cluster becomes when
the files are applied: their objects take the place of those of the same name, and nothing is deleted.

What always passes is left out: a pod to itself, and to and from its own node.

Of many workloads or rules in one row text and markdown name the first few and say how many more there are; -o wide names all. Networks
outside and pods that may come stand first, before any workload is left out: of networks up to 30, the largest first.
`;

/** What the help has after the flags. */
export const DIFF_HELP_END = `Exit code: 0 nothing of what --fail-on names, 1 something, 2 error, 124 the time of --timeout is over.
`;

const OUTPUTS = ['text', 'wide', 'json', 'markdown'] as const;

/** Changes that may make the exit code 1. */
const FAIL_ON = ['wider', 'narrower', 'any', 'none'] as const;

/** The flags. */
export const DIFF_FLAGS = {
  ...INPUT_FLAGS,
  file: {
    short: 'f',
    value: 'PATH',
    help: `manifests that both sides have, such as workloads; may be repeated, may be a
shell glob after A and B`,
  },
  against: { value: 'REVISION', help: 'compare files and folders with what they were in this git revision' },
  output: {
    short: 'o',
    value: 'FORMAT',
    help: `text (the default), wide (all names and rules, and where these stand), json, or markdown for a
comment on a pull request`,
    choices: OUTPUTS,
  },
  'fail-on': {
    value: 'CHANGE',
    help: `exit code 1 for what becomes wider (the default), narrower, any or none; what is
changed is both`,
    choices: FAIL_ON,
  },
  ...IGNORE_ERRORS_FLAG,
  'no-headers': { help: 'text: changes only, without the lines that count and explain them' },
} as const satisfies FlagTable;

/** One of them. */
export type DiffFlag = keyof typeof DIFF_FLAGS;

/** How changes are printed. */
export type DiffOutput = (typeof OUTPUTS)[number];

/** What makes the exit code 1. */
export type FailOn = (typeof FAIL_ON)[number];

/** What is compared: paths, or `CLUSTER`. */
export type DiffSides =
  | { readonly kind: 'two'; readonly before: string; readonly after: string }
  | { readonly kind: 'against'; readonly revision: string; readonly paths: readonly string[] };

/** A checked command line. */
export interface DiffCommand {
  readonly sides: DiffSides;
  /** Paths of what both sides have. */
  readonly common: readonly string[];
  /** What `CLUSTER` stands for. */
  readonly cluster: InputChoice;
  readonly namespace?: string;
  readonly output: DiffOutput;
  readonly failOn: FailOn;
  readonly ignoreErrors: boolean;
  readonly headers: boolean;
}

/** @throws SluiceError `USAGE` */
export function diffCommand(values: FlagValues<DiffFlag>): DiffCommand {
  const common = values.list('file');
  const sides = sidesOf(values);
  const paths = sides.kind === 'two' ? [sides.before, sides.after] : sides.paths;
  if ([...paths, ...common].filter((path) => path === INPUT_PATH).length > 1)
    throw usage('standard input (-) can be one side only');
  const cluster = inputChoice({ ...values, list: (name) => (name === 'file' ? [] : values.list(name)) });
  if (sides.kind !== 'two' || !paths.includes(CLUSTER))
    for (const flag of ['lab', 'context', 'kubeconfig', 'all-namespaces'] as const)
      if (values.has(flag)) throw usage(`--${flag} is for the side ${CLUSTER}, and neither side is that`);
  return {
    sides,
    common,
    cluster,
    ...(cluster.namespace === undefined ? {} : { namespace: cluster.namespace }),
    output: choice(values.text('output') ?? 'text', OUTPUTS, '-o', 'diff'),
    failOn: failOnOf(values.text('fail-on') ?? 'wider'),
    ignoreErrors: values.has('ignore-errors'),
    headers: !values.has('no-headers'),
  };
}

function sidesOf(values: FlagValues<DiffFlag>): DiffSides {
  const revision = values.text('against');
  if (revision !== undefined) {
    const paths = values.positionals;
    if (paths.length === 0) throw usage('--against wants the files and folders that are compared');
    if (paths.includes(INPUT_PATH)) throw usage('standard input (-) is in no git revision');
    return { kind: 'against', revision, paths };
  }
  const [before, after, surplus] = values.positionals;
  if (before === undefined || after === undefined)
    throw usage('wants two to compare: two paths, or `cluster` and what to apply to it');
  if (surplus !== undefined) throw usage(`compares two, and '${surplus}' is a third`);
  if (before === CLUSTER && after === CLUSTER) throw usage('the cluster is on both sides');
  return { kind: 'two', before, after };
}

function failOnOf(text: string): FailOn {
  // Also by what changes do.
  const word = text === 'widen' ? 'wider' : text === 'narrow' ? 'narrower' : text;
  return choice(word, FAIL_ON, '--fail-on', 'diff');
}

function usage(message: string): SluiceError {
  return new SluiceError('USAGE', `${message} (see sluice diff --help)`);
}
