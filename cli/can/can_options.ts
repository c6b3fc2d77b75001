/** The command line of `sluice can`: its flags, its help text and what they come to. */
import { SluiceError } from '../../common/errors.ts';
import { INPUT_PATH } from '../../sources/index.ts';
import { type CommonFlag, choice } from '../command.ts';
import type { FlagTable, FlagValues } from '../flags/index.ts';
import { IGNORE_ERRORS_FLAG } from '../ignore_errors.ts';
import { INPUT_FLAGS, type InputChoice, inputChoice } from '../input/index.ts';
import { checkNamespaceFlag } from '../namespace_flag.ts';
import { hasServicePort, splitServiceProtocol } from './endpoint_ref.ts';

/** What `sluice can --help` says before the flags. */
export const CAN_HELP = `usage: sluice can SRC DST PORT[/PROTO] [flags]
       sluice can SRC svc/NAME:PORT[/PROTO] [flags]
       sluice can SRC DST --all-ports [flags]
       sluice can --batch FILE|- [flags]

Says whether NetworkPolicy lets SRC open a flow to DST, and why. It looks at manifests (-f), at a lab (--lab), or else at
the cluster of the kubeconfig, with your own rights.

SRC and DST:
  NAME, NAMESPACE/NAME     a pod, or a workload of that name. A workload is one of its pods, or a pod made from its
                           template when it has none
  KIND/NAME                pod/, deploy/, sts/, ds/, rs/, rc/, job/, cronjob/ in -n NAMESPACE (without -n: that of the
                           kubeconfig's context, with -f default); NAMESPACE/KIND/NAME in another
  ADDRESS                  an IPv4 or IPv6 address, also [IPv6]; one that a pod owns is that pod, and one of a Service
                           (cluster IP, external IP, a node's with a nodePort) is that Service
  CIDR, internet           a block of addresses; internet is every public address that no pod, node or Service has,
                           of the families that pods, Services or policies have
  svc/NAME[:PORT]          as DST, a Service: its backends are judged, at the port that they have. Without :PORT,
                           PORT is a number or a name that the Service has
PORT is a number or the name of a port that DST declares. PROTO is TCP (the default), UDP or SCTP.
`;

/** What it says after the flags. */
export const CAN_HELP_END = `A policy that is too large isolates and admits nothing. Set the variables by which the injector has other bounds than the
default ones here as well: SLUICE_MAX_POLICY_ENTRIES, SLUICE_MAX_NAMESPACE_ENTRIES, SLUICE_MAX_POLICY_REACH,
SLUICE_MAX_NAMESPACE_REACH. The own node always gets in, as the API says; a note names a pod with sluice.dev/node-traffic: probes.

Exit code: 0 allowed, 1 denied, wholly or in part (some backends of a Service, addresses of a block or ports), 2 error, 124
the time of --timeout is over. With --batch: 0 when every line was answered, else 2. A reader of the output that goes away
early (| head) ends the command quietly with 141.
`;

const OUTPUTS = ['text', 'wide', 'json', 'yaml'] as const;

/** The flags of `sluice can`. */
export const CAN_FLAGS = {
  ...INPUT_FLAGS,
  'to-namespace': {
    value: 'NS',
    help: 'the namespace of DST, where it is not that of -n',
    completes: 'namespace',
  },
  output: {
    short: 'o',
    value: 'FORMAT',
    help: 'text (the default), wide (as --explain), json or yaml',
    choices: OUTPUTS,
  },
  explain: {
    help: 'with text: both directions, the isolating policies, the rule that matched or the nearest ones',
  },
  'all-ports': { help: 'every port that DST declares or a policy names, instead of PORT' },
  batch: {
    value: 'FILE',
    help: 'one question a line, {"from","to","port","protocol"}; one JSON answer a line, same order;\n- for standard input',
  },
  ...IGNORE_ERRORS_FLAG,
} as const satisfies FlagTable;

/** One of them. */
export type CanFlag = keyof typeof CAN_FLAGS;

/** A checked command line. */
export type CanCommand = CommonOptions &
  (
    | { readonly kind: 'single'; readonly question: SingleQuestion; readonly output: OutputFormat }
    /** `file` is a path, or `-` for standard input. */
    | { readonly kind: 'batch'; readonly file: string }
  );

/** How a single answer is printed. */
export type OutputFormat = (typeof OUTPUTS)[number];

/** The positional arguments, as given. */
export interface SingleQuestion {
  readonly from: string;
  readonly to: string;
  /** Absent where `to` has it, as `svc/web:http`, and with `allPorts`. */
  readonly port?: string;
  /** Every port, instead of one. */
  readonly allPorts?: true;
  /** Where `to` has it, as `svc/dns:53/UDP`. */
  readonly protocol?: string;
}

interface CommonOptions {
  readonly input: InputChoice;
  /** Of names without one in the place of DST. */
  readonly toNamespace?: string;
  readonly explain: boolean;
  readonly ignoreErrors: boolean;
}

/** SRC, DST and PORT. */
const QUESTION_ARGUMENTS = 3;

/** How many of the positionals are the question. */
export function wantedArguments(
  positionals: readonly string[],
  has: (flag: CanFlag | CommonFlag) => boolean,
): number {
  if (has('batch')) return 0;
  return has('all-ports') || positionals.some((one) => hasServicePort(splitServiceProtocol(one).end))
    ? QUESTION_ARGUMENTS - 1
    : QUESTION_ARGUMENTS;
}

/** @throws SluiceError `USAGE` saying what is wrong with the command line. */
export function canCommand(values: FlagValues<CanFlag | CommonFlag>): CanCommand {
  const { positionals } = values;
  const output = choice(values.text('output') ?? 'text', OUTPUTS, '-o', 'can');
  const toNamespace = values.text('to-namespace');
  const common = {
    input: inputChoice(values),
    explain: values.has('explain') || output === 'wide',
    ignoreErrors: values.has('ignore-errors'),
    ...(toNamespace === undefined ? {} : { toNamespace: checkNamespaceFlag(toNamespace) }),
  };
  const batch = values.text('batch');
  if (batch !== undefined) {
    if (positionals.length > 0) throw usage(`--batch takes no SRC DST PORT, and '${positionals[0]}' is one`);
    if (batch === INPUT_PATH && values.list('file').includes(INPUT_PATH))
      throw usage('--batch - and -f - both cannot be standard input: give one of them a file');
    if (values.has('all-ports')) throw usage('--batch asks about single ports: leave --all-ports out');
    if (values.has('output') && output !== 'json')
      throw usage(`--batch answers in JSON lines: leave -o ${output} out`);
    return { kind: 'batch', ...common, file: batch };
  }
  const wanted = wantedArguments(positionals, values.has);
  const [from, to, port] = positionals;
  if (
    from === undefined ||
    to === undefined ||
    positionals.length < wanted ||
    positionals.length > QUESTION_ARGUMENTS
  )
    throw usage(`wants SRC DST PORT[/PROTO], got ${describeArguments(positionals)}${portHint(positionals)}`);
  const allPorts = values.has('all-ports');
  if (allPorts && port !== undefined) throw usage(`--all-ports takes no PORT, and '${port}' is one`);
  const { end, protocol } = splitServiceProtocol(to);
  return {
    kind: 'single',
    question: {
      from,
      to: end,
      ...(protocol === undefined ? {} : { protocol }),
      ...(port === undefined ? {} : { port }),
      ...(allPorts ? { allPorts } : {}),
    },
    output,
    ...common,
  };
}

function describeArguments(given: readonly string[]): string {
  if (given.length === 0) return 'no argument';
  return `${given.length} argument${given.length === 1 ? '' : 's'}: ${given.join(' ')}`;
}

/** Two ends, and no port. */
function portHint(given: readonly string[]): string {
  return given.length === QUESTION_ARGUMENTS - 1
    ? '; without PORT: DST as svc/NAME:PORT, or --all-ports'
    : '';
}

function usage(message: string): SluiceError {
  return new SluiceError('USAGE', `${message} (see sluice can --help)`);
}
