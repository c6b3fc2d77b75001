/** The flags by which a command is told what to look at. */
import { SluiceError } from '../../common/errors.ts';
import type { FlagTable, FlagValues } from '../flags/index.ts';
import { checkNamespaceFlag } from '../namespace_flag.ts';

/** For the table of a command that looks at objects. */
export const INPUT_FLAGS = {
  file: {
    short: 'f',
    value: 'PATH',
    help: `manifests, YAML or JSON: files or directories, - for standard input, or a git
revision with a path in it, such as main:k8s/; may be repeated, may be a shell glob`,
  },
  lab: { value: 'NAME', help: 'the objects of a lab of this machine; needs root', completes: 'lab' },
  namespace: {
    short: 'n',
    value: 'NS',
    help: 'the namespace of names without one, and of objects in manifests without one',
    completes: 'namespace',
  },
  'all-namespaces': { short: 'A', help: 'of a cluster, read all namespaces' },
  context: { value: 'NAME', help: 'context of the kubeconfig', completes: 'context' },
  kubeconfig: { value: 'FILE', help: 'default: as kubectl finds it (KUBECONFIG, ~/.kube/config)' },
} as const satisfies FlagTable;

/** One of them. */
export type InputFlag = keyof typeof INPUT_FLAGS;

/** What to look at. */
export type InputChoice = { readonly namespace?: string } & (
  | { readonly kind: 'files'; readonly paths: readonly string[] }
  | { readonly kind: 'lab'; readonly lab: string }
  | {
      readonly kind: 'cluster';
      readonly kubeconfig?: string;
      readonly context?: string;
      readonly allNamespaces: boolean;
    }
);

/** @throws SluiceError `USAGE` where two inputs are named */
export function inputChoice(values: FlagValues<InputFlag>): InputChoice {
  const paths = values.list('file');
  const lab = values.text('lab');
  const given = values.text('namespace');
  const namespace = given === undefined ? {} : { namespace: checkNamespaceFlag(given) };
  const ofCluster = (['all-namespaces', 'context', 'kubeconfig'] as const).find((flag) => values.has(flag));
  const named = [
    ...(paths.length > 0 ? ['-f'] : []),
    ...(lab === undefined ? [] : ['--lab']),
    ...(ofCluster === undefined ? [] : [`--${ofCluster}`]),
  ];
  if (named.length > 1)
    throw new SluiceError(
      'USAGE',
      `${named.join(' and ')} are of different inputs: files, a lab or a cluster; leave all but one out`,
    );
  if (paths.length > 0) return { kind: 'files', paths, ...namespace };
  if (lab !== undefined) return { kind: 'lab', lab, ...namespace };
  const [kubeconfig, context] = [values.text('kubeconfig'), values.text('context')];
  return {
    kind: 'cluster',
    ...namespace,
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(context === undefined ? {} : { context }),
    allNamespaces: values.has('all-namespaces'),
  };
}
