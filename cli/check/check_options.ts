/** The command line of `sluice check`. */
import { SluiceError } from '../../common/errors.ts';
import { parseStrictly } from '../flags/index.ts';
import { checkNamespaceFlag } from '../namespace_flag.ts';

/** What `sluice check --help` prints. docs/reference/cli.md carries the same text. */
export const CHECK_HELP = `usage: sluice check [-n NAMESPACE] [--kubeconfig FILE] [--context NAME] [-o text|json]
       sluice check -f DIR|FILE... [-n NAMESPACE] [-o text|json]
       sluice check --node [-o text|json]

Says what keeps pods from being injected and enforced, before a ReplicaSet says it with FailedCreate: Pod Security, what
containers ask for, labels and annotations that mean nothing; and policies that admit nothing because they cannot be
enforced, such as one that is too large. Names the Services through which outsiders reach isolated pods under the node's
address, and pods whose egress leaves out DNS. Pods are judged with the settings of the installation in the cluster, with
default limits where there is none. In a cluster also its version, the webhook and its CA, the injector, pods that have no
sidecar, and sidecars that look for the injector at an address that it had. Looks at the namespaces labelled
sluice.dev/inject=enabled; with -n at that one, labelled or not.

With --node it looks at nothing but the kernel of this machine: whether it ends TCP connections, as the direct path needs
(sluice.dev/path). It tries that on a connection of its own. Run it as root on a node.

Flags:
  -f, --file PATH          manifests instead of a cluster: files or directories, - for standard input; may be repeated
  -n, --namespace NS       this namespace only, as if it were labelled; objects of manifests without a namespace are in it
      --node               the kernel of this machine, instead of manifests or a cluster
      --kubeconfig FILE    default: as kubectl finds it
      --context NAME       context of the kubeconfig
  -o, --output FORMAT      text (the default) or json
  -h, --help               this text

SLUICE_MAX_POLICY_ENTRIES and the other bounds on policies hold for manifests as in sluice can.

Exit code: 0 nothing found but warnings, 1 pods will be refused or are not enforced, 2 error.
`;

/** A checked command line. */
export type CheckCommand =
  | { readonly kind: 'help' }
  | { readonly kind: 'node'; readonly output: Common['output'] }
  | ({ readonly kind: 'files'; readonly paths: readonly string[] } & Common)
  | ({ readonly kind: 'cluster'; readonly kubeconfig?: string; readonly context?: string } & Common);

interface Common {
  readonly namespace?: string;
  readonly output: 'text' | 'json';
}

const FLAGS = {
  file: { type: 'string', short: 'f', multiple: true },
  namespace: { type: 'string', short: 'n' },
  node: { type: 'boolean' },
  kubeconfig: { type: 'string' },
  context: { type: 'string' },
  output: { type: 'string', short: 'o', default: 'text' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** @throws SluiceError `USAGE` */
export function readCheckCommand(argv: readonly string[]): CheckCommand {
  const { values, positionals } = parse(argv);
  if (values.help) return { kind: 'help' };
  const { file: paths, namespace, node, kubeconfig, context, output } = values;
  // -f *.yaml: the shell makes one flag and many words of it.
  if (positionals.length > 0 && paths === undefined) throw usage(`'${positionals[0]}' is not expected`);
  if (output !== 'text' && output !== 'json') throw usage(`-o is '${output}': wants text or json`);
  if (node) {
    if ([paths, namespace, kubeconfig, context].some((flag) => flag !== undefined))
      throw usage('--node looks at this machine: leave -f, -n, --kubeconfig and --context out');
    return { kind: 'node', output };
  }
  const common = {
    output,
    ...(namespace === undefined ? {} : { namespace: checkNamespaceFlag(namespace) }),
  } as const;
  if (paths === undefined)
    return {
      kind: 'cluster',
      ...common,
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
      ...(context === undefined ? {} : { context }),
    };
  if (kubeconfig !== undefined || context !== undefined)
    throw usage('-f checks manifests: leave --kubeconfig and --context out');
  return { kind: 'files', paths: [...paths, ...positionals], ...common };
}

function parse(argv: readonly string[]) {
  return parseStrictly(
    { args: [...argv], options: FLAGS, allowPositionals: true, strict: true } as const,
    'check',
  );
}

function usage(message: string): SluiceError {
  return new SluiceError('USAGE', `${message} (see sluice check --help)`);
}
