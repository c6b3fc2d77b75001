/** The command line of `sluice lint`. */
import { RULES, SEVERITIES, type Severity } from '../../lint/index.ts';
import { choice } from '../command.ts';
import type { FlagTable, FlagValues } from '../flags/index.ts';
import { IGNORE_ERRORS_FLAG } from '../ignore_errors.ts';
import { INPUT_FLAGS, type InputChoice, inputChoice } from '../input/index.ts';

/** What the help has before the flags. docs/reference/cli.md carries the same text. */
export const LINT_HELP = `usage: sluice lint [-f PATH... | --lab NAME | -n NS | -A] [-o text|json|sarif|github] [--fail-on SEVERITY]
       sluice lint -f PATH... --fix
       sluice lint --explain CODE

Finds what in NetworkPolicies does not do what it says, or was probably not meant: labels that nobody has, two entries where
one was meant, the port of a Service where that of the pod was meant, DNS forgotten. Each finding has a code, in files a place with
line and column, and mostly what would mend it. Rules that need to know the workloads of a namespace say nothing where none is known.
Of a cluster the whole is read, as far as the user may, and the findings of one namespace are printed, with -A all.

A finding that is meant is suppressed by the annotation sluice.dev/lint-ignore: "NP006 why" of the object, or by a comment:
# sluice-lint: ignore NP006 why. Those without a reason are listed.
`;

/** What the help has after the flags. */
export const LINT_HELP_END = `Exit code: 0 nothing found of the severity of --fail-on, 1 something found, 2 error; also where a manifest other than a policy
could not be read (without --ignore-errors), even if something was found, 124 the time of --timeout is over.
`;

const OUTPUTS = ['text', 'json', 'sarif', 'github'] as const;

/** The flags. */
export const LINT_FLAGS = {
  ...INPUT_FLAGS,
  output: {
    short: 'o',
    value: 'FORMAT',
    help: 'text (the default), json, sarif (2.1.0) or github (annotations of a workflow)',
    choices: OUTPUTS,
  },
  'fail-on': {
    value: 'SEVERITY',
    help: 'exit code 1 from this severity on: error (the default), warning or info',
    choices: SEVERITIES,
  },
  baseline: { value: 'FILE', help: 'an earlier -o json: what it has is not counted' },
  fix: { help: 'mends in the files what can be meant in one way only, and prints what is left' },
  explain: {
    value: 'CODE',
    help: 'what a rule finds, why, and when it says nothing; all for a list',
    choices: RULES.map(({ code }) => code),
  },
  ...IGNORE_ERRORS_FLAG,
  'no-headers': { help: 'text: findings only, without the lines that count them' },
} as const satisfies FlagTable;

/** One of them. */
export type LintFlag = keyof typeof LINT_FLAGS;

/** How findings are printed. */
export type LintOutput = (typeof OUTPUTS)[number];

/** A checked command line. */
export interface LintCommand {
  readonly input: InputChoice;
  readonly output: LintOutput;
  readonly failOn: Severity;
  readonly baseline?: string;
  readonly fix: boolean;
  readonly ignoreErrors: boolean;
  readonly headers: boolean;
}

/** @throws SluiceError `USAGE` */
export function lintCommand(values: FlagValues<LintFlag>): LintCommand {
  const baseline = values.text('baseline');
  return {
    input: inputChoice(values),
    output: choice(values.text('output') ?? 'text', OUTPUTS, '-o', 'lint'),
    failOn: choice(values.text('fail-on') ?? 'error', SEVERITIES, '--fail-on', 'lint'),
    fix: values.has('fix'),
    ignoreErrors: values.has('ignore-errors'),
    headers: !values.has('no-headers'),
    ...(baseline === undefined ? {} : { baseline }),
  };
}
