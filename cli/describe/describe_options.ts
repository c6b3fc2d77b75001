/** The command line of `sluice describe`. */
import type { CommonFlag } from '../command.ts';
import { choice } from '../command.ts';
import type { FlagTable, FlagValues } from '../flags/index.ts';
import { IGNORE_ERRORS_FLAG } from '../ignore_errors.ts';
import { INPUT_FLAGS, type InputChoice, inputChoice } from '../input/index.ts';

/** What the help has before the flags. docs/reference/cli.md carries the same text. */
export const DESCRIBE_HELP = `usage: sluice describe KIND/NAME [-f PATH... | --lab NAME | -n NS] [-o text|wide|json|yaml]
       sluice describe KIND NAME [flags]

Says what governs a pod, a workload or a namespace, and whom a policy is about: the policies that isolate it, whom their rules
admit, who that is now, and to which ports; whether names can be asked for; what is wider than it should be, with lint's codes;
and how far all that is in force, where a lab or a cluster can tell. It looks at manifests (-f), at a lab (--lab), or else at the
cluster of the kubeconfig, with your own rights.

What to describe:
  pod/NAME                 a pod
  KIND/NAME                a workload, with all of its pods: deploy/, sts/, ds/, rs/, rc/, job/, cronjob/
  workload/NAME            a workload of any of these kinds
  NAME, NAMESPACE/NAME     a pod, or a workload where no pod has the name
  namespace/NAME           a namespace: its workloads and its policies
  netpol/NAME              a NetworkPolicy
Names are in -n NAMESPACE (without -n: that of the kubeconfig's context, with -f default); NAMESPACE/KIND/NAME is in another.

Peers are written as shop/* (all pods of the namespace shop), shop/[app=web] (those with the label), */* (all pods) and
[team=books]/* (all pods of namespaces with the label).
`;

/** What the help has after the flags. */
export const DESCRIBE_HELP_END = `Exit code: 0 described, 1 described, and some pod is known not to enforce it, 2 error; also where a manifest other than a policy
could not be read (without --ignore-errors), even if all else is described, 124 the time of --timeout is over.
`;

const OUTPUTS = ['text', 'wide', 'json', 'yaml'] as const;

/** The flags. */
export const DESCRIBE_FLAGS = {
  ...INPUT_FLAGS,
  output: {
    short: 'o',
    value: 'FORMAT',
    help: 'text (the default), wide (more names and lines, and where rules stand in files), json or yaml',
    choices: OUTPUTS,
  },
  ...IGNORE_ERRORS_FLAG,
} as const satisfies FlagTable;

/** One of them. */
export type DescribeFlag = keyof typeof DESCRIBE_FLAGS;

/** A checked command line. */
export interface DescribeCommand {
  readonly input: InputChoice;
  /** What to describe, as it was written. */
  readonly words: readonly string[];
  readonly output: (typeof OUTPUTS)[number];
  readonly ignoreErrors: boolean;
}

/** @throws SluiceError `USAGE` */
export function describeCommand(values: FlagValues<DescribeFlag | CommonFlag>): DescribeCommand {
  return {
    input: inputChoice(values),
    words: values.positionals,
    output: choice(values.text('output') ?? 'text', OUTPUTS, '-o', 'describe'),
    ignoreErrors: values.has('ignore-errors'),
  };
}
