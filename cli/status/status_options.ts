/** The command lines of `sluice status` and `sluice wait`. */
import { SluiceError } from '../../common/errors.ts';
import { type CommonFlag, choice } from '../command.ts';
import type { FlagTable, FlagValues } from '../flags/index.ts';
import { LIVE_FLAGS, type LiveChoice, liveChoice, placeChoice } from '../flows/index.ts';
import { type PolicyTarget, parsePolicyTarget } from './policy_target.ts';

/** What the help of status has before the flags. docs/reference/cli.md carries the same text. */
export const STATUS_HELP = `usage: sluice status [netpol/NAME] [-n NS | -A | --lab NAME] [-o text|wide|json|yaml]

Says how far policies are in force: how many of the pods that each selects enforce it, which do not and why, and a command to paste
that may help. Without a name it is about all policies of the namespace, of a lab all.

In a cluster it reads what the injector has written on the policies, and the pods, with your own rights; --direct asks the sidecars of
pods of which that leaves a doubt. In a lab the injector says it.

  enforced    by every pod that the policy selects
  partial     by all, but a part of it is not supported
  pending     not by all of them yet
  unenforced  not by all of them, and that stays so: pods of its namespace are not injected
  not-known   nothing says how far it is
`;

/** What it has after them. */
export const STATUS_HELP_END = `Exit code: 0 all are enforced, 1 some are not, or it is not known, 2 error, 124 the time of --timeout is over.
`;

/** What the help of wait has before the flags. */
export const WAIT_HELP = `usage: sluice wait netpol/NAME [--for enforced] [--timeout TIME] [-n NS | --lab NAME]

Waits until a policy, as it is now, is enforced by every pod that it selects, and says who lags where that does not come. In a cluster it
needs the right to get the policy; kubectl alone can wait for the annotation sluice.dev/enforced-generation.
`;

/** What it has after them. */
export const WAIT_HELP_END = `Exit code: 0 in force, 1 pending: it has not come within 30 s, where there is no --timeout, or cannot come by waiting, 2 error, 124 the time of
--timeout is over.
`;

const OUTPUTS = ['text', 'wide', 'json', 'yaml'] as const;
const FOR = ['enforced'] as const;

const OUTPUT = {
  short: 'o',
  value: 'FORMAT',
  help: 'text (the default), wide (all pods that lag), json or yaml',
  choices: OUTPUTS,
} as const;

/** The flags of status. */
export const STATUS_FLAGS = {
  ...LIVE_FLAGS,
  direct: { help: 'also ask sidecars, of a cluster by port-forward (your right to create pods/portforward)' },
  output: OUTPUT,
} as const satisfies FlagTable;

/** The flags of wait. */
export const WAIT_FLAGS = {
  lab: LIVE_FLAGS.lab,
  namespace: LIVE_FLAGS.namespace,
  context: LIVE_FLAGS.context,
  kubeconfig: LIVE_FLAGS.kubeconfig,
  for: { value: 'STATE', help: 'enforced (the default): by every pod, as a whole', choices: FOR },
  output: OUTPUT,
} as const satisfies FlagTable;

/** A checked command line. */
export interface StatusCommand {
  readonly live: LiveChoice;
  /** Absent: all policies. */
  readonly target?: PolicyTarget;
  readonly output: (typeof OUTPUTS)[number];
}

/** @throws SluiceError `USAGE` */
export function statusCommand(values: FlagValues<keyof typeof STATUS_FLAGS | CommonFlag>): StatusCommand {
  const { positionals } = values;
  const live = liveChoice(values);
  const target = positionals.length === 0 ? undefined : targetOf(positionals, live, 'status');
  return {
    live,
    ...(target === undefined ? {} : { target }),
    output: choice(values.text('output') ?? 'text', OUTPUTS, '-o', 'status'),
  };
}

/** @throws SluiceError `USAGE` */
export function waitCommand(
  values: FlagValues<keyof typeof WAIT_FLAGS | CommonFlag>,
): StatusCommand & { readonly target: PolicyTarget } {
  const { positionals } = values;
  if (positionals.length === 0)
    throw new SluiceError('USAGE', 'which policy? Write sluice wait netpol/NAME (see sluice wait --help)');
  choice(values.text('for') ?? 'enforced', FOR, '--for', 'wait');
  const live = placeChoice(values, { allNamespaces: false, direct: false });
  return {
    live,
    target: targetOf(positionals, live, 'wait'),
    output: choice(values.text('output') ?? 'text', OUTPUTS, '-o', 'wait'),
  };
}

function targetOf(words: readonly string[], live: LiveChoice, command: string): PolicyTarget {
  const target = parsePolicyTarget(words, command);
  if (live.allNamespaces && target.namespace === undefined)
    throw new SluiceError(
      'USAGE',
      `-A is for all policies: write NAMESPACE/netpol/${target.name}, or give -n`,
    );
  return target;
}
