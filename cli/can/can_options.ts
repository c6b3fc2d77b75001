/** The command line of `sluice can`: its flags, its help text and the reading of both. */
import { parseArgs } from 'node:util';
import { firstSentenceOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import { INPUT_PATH } from '../../sources/index.ts';
import { checkNamespaceFlag } from '../namespace_flag.ts';
import { hasServicePort } from './endpoint_ref.ts';

/** What `sluice can --help` prints. docs/reference/cli.md carries the same text. */
export const CAN_HELP = `usage: sluice can SRC DST PORT[/PROTO] -f DIR|FILE... [flags]
       sluice can SRC svc/NAME:PORT -f DIR|FILE... [flags]
       sluice can --batch FILE|- -f DIR|FILE... [flags]

Says whether NetworkPolicy lets SRC open a flow to DST, and why. It reads manifests only: no cluster, no root.

SRC and DST:
  NAMESPACE/POD            a pod
  pod/NAME, deploy/NAME    with -n NAMESPACE (without -n: namespace default); also sts/, ds/, rs/, rc/,
                           job/, cj/. A workload is one of its pods, or a pod made from its template when it has none.
  NAMESPACE/deploy/NAME    the same in a namespace of its own; a bare NAME is a pod of -n NAMESPACE
  ADDRESS                  an IPv4 or IPv6 address, also [IPv6]; one that a pod of the manifests owns is that pod,
                           and one of a Service (cluster IP, external IP, a node's with a nodePort) is that Service
  svc/NAME[:PORT]          as DST, a Service: its backends are judged, at the port that they have. Without :PORT,
                           PORT is a number or a name that the Service has
PORT is a number or the name of a port that DST declares. PROTO is TCP (the default), UDP or SCTP.

Flags:
  -f, --file PATH          manifests, YAML or JSON: files or directories, - for standard input; may be
                           repeated, may be a shell glob
  -n, --namespace NS       the namespace of names without one, and of objects in the manifests without one
  -o, --output FORMAT      text (the default) or json
      --explain            with text: both directions, the isolating policies, the rule that matched or came nearest
      --batch FILE|-       one question a line, {"from","to","port","protocol"}; one JSON answer a line, same order
      --ignore-errors      answer in spite of broken manifests: faulty rules of a policy admit nothing, and it isolates
                           where its podSelector can be read; other broken objects count as absent
  -h, --help               this text

A policy that is too large isolates and admits nothing. Set the variables by which the injector has other bounds than the
default ones here as well: SLUICE_MAX_POLICY_ENTRIES, SLUICE_MAX_NAMESPACE_ENTRIES, SLUICE_MAX_POLICY_REACH,
SLUICE_MAX_NAMESPACE_REACH. The own node always gets in, as the API says; a note names a pod with sluice.dev/node-traffic: probes.

Exit code: 0 allowed, 1 denied, by all backends of a Service or by some (partly), 2 error. With --batch: 0 when every line
was answered, else 2. A reader of the output that goes away early (| head) ends the command quietly with 141.
`;

/** A checked command line. */
export type CanCommand =
  | { readonly kind: 'help' }
  | ({
      readonly kind: 'single';
      readonly question: SingleQuestion;
      readonly output: OutputFormat;
    } & CommonOptions)
  /** `input` is a file, or `-` for standard input. */
  | ({ readonly kind: 'batch'; readonly input: string } & CommonOptions);

/** How a single answer is printed. */
export type OutputFormat = 'text' | 'json';

/** The three positional arguments, as given. */
export interface SingleQuestion {
  readonly from: string;
  readonly to: string;
  /** Absent where `to` has it, as `svc/web:http`. */
  readonly port?: string;
}

interface CommonOptions {
  readonly paths: readonly string[];
  readonly namespace?: string;
  readonly explain: boolean;
  readonly ignoreErrors: boolean;
}

const FLAGS = {
  file: { type: 'string', short: 'f', multiple: true },
  namespace: { type: 'string', short: 'n' },
  output: { type: 'string', short: 'o' },
  explain: { type: 'boolean' },
  batch: { type: 'string' },
  'ignore-errors': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** SRC, DST and PORT. */
const QUESTION_ARGUMENTS = 3;

/** @throws SluiceError `USAGE` saying what is wrong with the command line. */
export function readCanCommand(argv: readonly string[]): CanCommand {
  const parsed = parse(argv);
  const { values } = parsed;
  if (values.help) return { kind: 'help' };

  const named = parsed.positionals.some(hasServicePort);
  const wanted = values.batch !== undefined ? 0 : named ? QUESTION_ARGUMENTS - 1 : QUESTION_ARGUMENTS;
  const { positionals, paths } = separatePaths(parsed.tokens, wanted);
  if (paths.length === 0) throw usage('-f is missing: give the manifests, a directory or files');
  const output = values.output ?? 'text';
  if (output !== 'text' && output !== 'json') throw usage(`-o is '${output}': wants text or json`);

  const common = {
    paths,
    explain: values.explain ?? false,
    ignoreErrors: values['ignore-errors'] ?? false,
    ...(values.namespace === undefined ? {} : { namespace: checkNamespaceFlag(values.namespace) }),
  };
  if (values.batch !== undefined) {
    if (positionals.length > 0) throw usage(`--batch takes no SRC DST PORT, and '${positionals[0]}' is one`);
    if (values.batch === INPUT_PATH && paths.includes(INPUT_PATH))
      throw usage('--batch - and -f - both cannot be standard input: give one of them a file');
    if (values.output === 'text') throw usage('--batch answers in JSON lines: leave -o text out');
    return { kind: 'batch', input: values.batch, ...common };
  }
  const [from, to, port] = positionals;
  if (
    from === undefined ||
    to === undefined ||
    (port === undefined && !named) ||
    positionals.length > QUESTION_ARGUMENTS
  ) {
    throw usage(`wants SRC DST PORT[/PROTO], got ${describeArguments(positionals)}`);
  }
  return {
    kind: 'single',
    question: { from, to, ...(port === undefined ? {} : { port }) },
    output,
    ...common,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, allowPositionals: true, strict: true, tokens: true });
  } catch (cause) {
    throw usage(firstSentenceOf(cause), cause);
  }
}

type Token = NonNullable<ReturnType<typeof parse>['tokens']>[number];

/**
 * Separates the question from the manifests. `-f *.yaml` becomes `-f a.yaml b.yaml c.yaml` in the shell, so arguments
 * that follow a `-f` belong to it as far as there are more of them than the question needs.
 */
function separatePaths(tokens: readonly Token[], wanted: number): { positionals: string[]; paths: string[] } {
  let surplus = tokens.filter((token) => token.kind === 'positional').length - wanted;
  const positionals: string[] = [];
  const paths: string[] = [];
  let afterFile = false;
  for (const token of tokens) {
    if (token.kind === 'option') {
      afterFile = token.name === 'file';
      if (afterFile && token.value !== undefined) paths.push(token.value);
    } else if (token.kind === 'positional') {
      if (afterFile && surplus > 0) {
        paths.push(token.value);
        surplus -= 1;
      } else {
        positionals.push(token.value);
        afterFile = false;
      }
    }
  }
  return { positionals, paths };
}

function describeArguments(given: readonly string[]): string {
  if (given.length === 0) return 'no argument';
  return `${given.length} argument${given.length === 1 ? '' : 's'}: ${given.join(' ')}`;
}

function usage(message: string, cause?: unknown): SluiceError {
  return new SluiceError('USAGE', `${message} (see sluice can --help)`, { cause });
}
