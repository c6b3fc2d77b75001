/** The command line of `sluice check`. */
import { SluiceError } from '../../common/errors.ts';
import { choice } from '../command.ts';
import type { FlagTable, FlagValues } from '../flags/index.ts';
import { IGNORE_ERRORS_FLAG } from '../ignore_errors.ts';
import { INPUT_FLAGS, type InputChoice, inputChoice } from '../input/index.ts';
import { surplusWord } from '../surplus_word.ts';
import { CHECK_CODE_LIST } from './codes.ts';

const OUTPUTS = ['text', 'json'] as const;

/** What `sluice check --help` says before the flags. docs/reference/cli.md carries the same text. */
export const CHECK_HELP = `usage: sluice check [-n NS] [flags]
       sluice check -f PATH... | --lab NAME [flags]
       sluice check --node [flags]
       sluice check --explain CODE

Says what keeps pods from being injected and enforced, before a ReplicaSet says it with FailedCreate: Pod Security, what
containers ask for, labels and annotations that mean nothing; and policies that admit nothing because they cannot be
enforced, such as one that is too large. Names the Services through which outsiders reach isolated pods under the node's
address, and pods whose egress leaves out DNS. Pods are judged with the settings of the installation in the cluster, with
default limits where there is none. In a cluster also its version, the webhook and its CA, the injector, pods that have no
sidecar, sidecars that look for the injector at an address that it had, nodes that cannot run a sidecar, have refused one, or
have sluice.dev/path=auto come to the proxy, and other programs that enforce policy. Looks at the namespaces labelled
sluice.dev/inject=enabled; with -n at that one, labelled or not. Says what the sidecars request together, and ends with what
it did not look at.

Each finding has a code, the commands that mend it or say more, and the page of the project's docs that explains it; --explain
says the same.
Findings that say the same of several pods of a workload are one.

With --node it looks at nothing but the kernel of this machine: in a network namespace of its own it puts the rules of a pod
in force, and on a connection of its own it tries what the direct path (sluice.dev/path) needs. Run it as root on a node.
`;

/** What it says after the flags. */
export const CHECK_HELP_END = `SLUICE_MAX_POLICY_ENTRIES and the other bounds on policies hold for manifests as in sluice can.

Exit code: 0 nothing found but warnings, 1 pods will be refused or are not enforced, 2 error, 124 the time of --timeout is
over.
`;

/** The flags. */
export const CHECK_FLAGS = {
  ...INPUT_FLAGS,
  namespace: {
    ...INPUT_FLAGS.namespace,
    help: 'this namespace only, as if it were labelled; objects of manifests without one are in it',
  },
  'all-namespaces': { short: 'A', help: 'all labelled namespaces of a cluster, which is the default' },
  node: { help: 'the kernel of this machine, instead of manifests or a cluster' },
  output: { short: 'o', value: 'FORMAT', help: 'text (the default) or json', choices: OUTPUTS },
  explain: {
    value: 'CODE',
    help: 'what a code means, and what to do; all for a list',
    choices: CHECK_CODE_LIST,
  },
  ...IGNORE_ERRORS_FLAG,
  'no-headers': { help: 'text: findings only, without what was not looked at' },
} as const satisfies FlagTable;

/** One of them. */
export type CheckFlag = keyof typeof CHECK_FLAGS;

/** A checked command line. */
export interface CheckCommand {
  readonly what: InputChoice | { readonly kind: 'node' };
  readonly output: (typeof OUTPUTS)[number];
  readonly ignoreErrors: boolean;
  readonly headers: boolean;
}

/** @throws SluiceError `USAGE` */
export function checkCommand(values: FlagValues<CheckFlag>): CheckCommand {
  const [surplus] = values.positionals;
  if (surplus !== undefined) throw usage(surplusWord(surplus));
  const common = {
    output: choice(values.text('output') ?? 'text', OUTPUTS, '-o', 'check'),
    ignoreErrors: values.has('ignore-errors'),
    headers: !values.has('no-headers'),
  };
  if (!values.has('node')) return { what: inputChoice(values), ...common };
  const inputs = { ...INPUT_FLAGS, ...IGNORE_ERRORS_FLAG };
  const other = (Object.keys(inputs) as (keyof typeof inputs)[]).find((flag) => values.has(flag));
  if (other !== undefined) throw usage(`--node looks at this machine: leave --${other} out`);
  return { what: { kind: 'node' }, ...common };
}

function usage(message: string): SluiceError {
  return new SluiceError('USAGE', `${message} (see sluice check --help)`);
}
