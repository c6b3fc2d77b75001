/** The flags by which a command is told whose flows it is about. */
import { USUAL_NAMESPACE } from '../../common/contract.ts';
import { SluiceError } from '../../common/errors.ts';
import type { FlagTable, FlagValues } from '../flags/index.ts';
import { INPUT_FLAGS, type InputChoice } from '../input/index.ts';
import { checkNamespaceFlag } from '../namespace_flag.ts';

/** Of what runs: a lab, or a cluster. */
export const LIVE_FLAGS = {
  lab: { ...INPUT_FLAGS.lab, help: 'a lab of this machine; needs root' },
  direct: {
    help: `ask the sidecars themselves, of a cluster by port-forward (your right to create
pods/portforward), and not the injector`,
  },
  namespace: {
    ...INPUT_FLAGS.namespace,
    help: 'the namespace that is asked about, and of names without one',
  },
  'all-namespaces': { short: 'A', help: 'all namespaces' },
  context: INPUT_FLAGS.context,
  kubeconfig: INPUT_FLAGS.kubeconfig,
} as const satisfies FlagTable;

/** One of them. */
export type LiveFlag = keyof typeof LIVE_FLAGS;

/** For the table of a command that looks at flows. */
export const FLOW_FLAGS = {
  in: {
    short: 'i',
    value: 'FILE',
    help: 'flows as -o ndjson has written them, - for standard input',
    completes: 'file',
  },
  ...LIVE_FLAGS,
  'injector-namespace': {
    value: 'NAME',
    help: `where the cluster's injector is, which is asked; default ${USUAL_NAMESPACE}`,
    completes: 'namespace',
  },
} as const satisfies FlagTable;

/** One of them. */
export type FlowFlag = keyof typeof FLOW_FLAGS;

/** Something that runs. */
export type LiveChoice = {
  /** Absent: that of the kubeconfig's context, or of a lab all. */
  readonly namespace?: string;
  readonly allNamespaces: boolean;
  readonly direct: boolean;
} & (
  | { readonly kind: 'lab'; readonly lab: string }
  | { readonly kind: 'cluster'; readonly kubeconfig?: string; readonly context?: string }
);

/** Whose flows. */
export type FlowChoice =
  | (LiveChoice & {
      /** Of a cluster; absent: the usual one. */
      readonly injectorNamespace?: string;
    })
  | {
      readonly kind: 'lines';
      readonly path: string;
      readonly namespace?: string;
      readonly allNamespaces: boolean;
    };

/** The flags that say where something runs. */
type PlaceFlag = 'lab' | 'namespace' | 'context' | 'kubeconfig';

/** @throws SluiceError `USAGE` where two places are named */
export function placeChoice(
  values: FlagValues<PlaceFlag>,
  { allNamespaces, direct }: Pick<LiveChoice, 'allNamespaces' | 'direct'>,
): LiveChoice {
  const lab = values.text('lab');
  const given = values.text('namespace');
  const ofCluster = (['context', 'kubeconfig'] as const).find((flag) => values.has(flag));
  if (lab !== undefined && ofCluster !== undefined) throw twoSources(['--lab', `--${ofCluster}`]);
  if (given !== undefined && allNamespaces)
    throw new SluiceError('USAGE', '-n and -A: one namespace or all, leave one out');
  const common = {
    ...(given === undefined ? {} : { namespace: checkNamespaceFlag(given) }),
    allNamespaces,
    direct,
  };
  if (lab !== undefined) return { kind: 'lab', lab, ...common };
  const [kubeconfig, context] = [values.text('kubeconfig'), values.text('context')];
  return {
    kind: 'cluster',
    ...common,
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(context === undefined ? {} : { context }),
  };
}

/** @throws SluiceError `USAGE` */
export function liveChoice(values: FlagValues<LiveFlag>): LiveChoice {
  return placeChoice(values, { allNamespaces: values.has('all-namespaces'), direct: values.has('direct') });
}

/** @throws SluiceError `USAGE` where two sources are named */
export function flowChoice(values: FlagValues<FlowFlag>): FlowChoice {
  const path = values.text('in');
  const place = (['lab', 'context', 'kubeconfig'] as const).find((flag) => values.has(flag));
  if (path !== undefined && place !== undefined) throw twoSources(['-i', `--${place}`]);
  if (path !== undefined && values.has('direct'))
    throw new SluiceError('USAGE', 'a file has no sidecars: leave -i or --direct out');
  const injectorNamespace = values.text('injector-namespace');
  const without = path !== undefined ? 'in' : (['lab', 'direct'] as const).find((flag) => values.has(flag));
  if (injectorNamespace !== undefined && without !== undefined)
    throw new SluiceError(
      'USAGE',
      `with --${without} no injector of a cluster is asked: leave it or --injector-namespace out`,
    );
  const live = liveChoice(values);
  if (path === undefined)
    return injectorNamespace === undefined
      ? live
      : { ...live, injectorNamespace: checkNamespaceFlag(injectorNamespace, '--injector-namespace') };
  const { namespace, allNamespaces } = live;
  return { kind: 'lines', path, allNamespaces, ...(namespace === undefined ? {} : { namespace }) };
}

function twoSources(named: readonly string[]): SluiceError {
  return new SluiceError(
    'USAGE',
    `${named.join(' and ')} are of different sources: a file, a lab or a cluster; leave all but one out`,
  );
}

/** The objects of the same lab or cluster. */
export function objectsOf(choice: LiveChoice): InputChoice {
  const namespace = choice.namespace === undefined ? {} : { namespace: choice.namespace };
  if (choice.kind === 'lab') return { kind: 'lab', lab: choice.lab, ...namespace };
  const { kubeconfig, context, allNamespaces } = choice;
  return {
    kind: 'cluster',
    ...namespace,
    allNamespaces,
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(context === undefined ? {} : { context }),
  };
}
