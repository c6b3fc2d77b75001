/** Names that a word may become: of what the flags before it tell the command to look at. */
import { SluiceError, unreachable } from '../../common/errors.ts';
import { fieldsOf } from '../../common/shape.ts';
import { DEFAULT_NAMESPACE } from '../../policy/index.ts';
import { isWorkloadKind, type Manifests, WORKLOAD_KINDS } from '../../sources/index.ts';
import type { Completes } from '../flags/index.ts';
import { type InputChoice, inputChoice, liveCluster, readInput, type Scope } from '../input/index.ts';
import type { Candidate } from './expected.ts';

/** How long a cluster is waited for, ms: somebody has pressed a key. */
const PATIENCE_MS = 1_500;

/** Values of flags that stand on the line before. */
type Values = ReadonlyMap<string, readonly string[]>;

/** @throws what reading throws; where there are no names, there are no candidates */
export async function namesOf(kind: Completes, values: Values): Promise<readonly Candidate[]> {
  switch (kind) {
    case 'file':
    case 'command':
    case 'nothing':
      return [];
    case 'context':
      return (await liveCluster()).contextNames(values.get('kubeconfig')?.at(-1)).map((value) => ({ value }));
    case 'lab':
      return (await import('../../lab/index.ts')).labNames().map((value) => ({ value }));
    case 'namespace':
      return await namespaces(values);
    case 'endpoint':
      return await endpoints(values, true);
    case 'pod':
      return await endpoints(values, false);
    case 'netpol':
      return await policies(values);
    case 'target':
      return await targets(values.get('name')?.at(-1));
    default:
      return unreachable(kind);
  }
}

async function namespaces(values: Values): Promise<readonly Candidate[]> {
  const choice = choiceOf(values);
  if (choice.kind === 'cluster') {
    const { namespaceNames, quietTarget } = await liveCluster();
    const target = await quietTarget(choice);
    const names = await namespaceNames(target, AbortSignal.timeout(PATIENCE_MS));
    return names.map((value) => ({ value }));
  }
  const { manifests } = await read(choice);
  const { cluster } = manifests;
  const names = [
    ...cluster.namespaces.keys(),
    ...[...cluster.policies.values(), ...cluster.pods.values()].map(({ namespace }) => namespace),
  ];
  return [...new Set(names)].sort().map((value) => ({ value }));
}

/** `deploy/web` in the namespace that is meant, `shop/deploy/web` in others. */
async function endpoints(values: Values, withServices: boolean): Promise<readonly Candidate[]> {
  const { manifests, namespace = DEFAULT_NAMESPACE } = await read(choiceOf(values));
  return [...new Set(endpointNames(manifests, namespace, withServices))].sort().map((value) => ({ value }));
}

/** `netpol/web` in the namespace that is meant, `shop/netpol/web` in others. */
async function policies(values: Values): Promise<readonly Candidate[]> {
  const { manifests, namespace = DEFAULT_NAMESPACE } = await read(choiceOf(values));
  return [...manifests.cluster.policies.values()]
    .map((one) => `${one.namespace === namespace ? '' : `${one.namespace}/`}netpol/${one.name}`)
    .sort()
    .map((value) => ({ value }));
}

function endpointNames(
  { cluster, objects, others }: Manifests,
  own: string,
  withServices: boolean,
): readonly string[] {
  const text = (namespace: string, kind: string, name: string): string =>
    `${namespace === own ? '' : `${namespace}/`}${kind}/${name}`;
  const workloads = others.flatMap(({ raw }) => {
    const { kind } = raw;
    const { namespace, name } = fieldsOf(raw.metadata);
    return typeof kind === 'string' && isWorkloadKind(kind)
      ? [text(String(namespace ?? DEFAULT_NAMESPACE), WORKLOAD_KINDS[kind], String(name))]
      : [];
  });
  const services = objects.flatMap(({ kind, raw }) => {
    const { namespace, name } = fieldsOf(raw.metadata);
    return kind === 'Service' ? [text(String(namespace ?? DEFAULT_NAMESPACE), 'svc', String(name))] : [];
  });
  const pods = [...cluster.pods.values()].map(({ namespace, name }) => text(namespace, 'pod', name));
  return [...workloads, ...(withServices ? services : []), ...pods];
}

async function targets(name: string | undefined): Promise<readonly Candidate[]> {
  const { DEFAULT_LAB_NAME, readState } = await import('../../lab/index.ts');
  const { topology } = readState(name ?? DEFAULT_LAB_NAME);
  return [
    ...topology.pods.map(({ key }) => ({ value: key })),
    ...topology.nodes.map((node) => ({ value: `node/${node.name}` })),
    { value: 'outside' },
  ];
}

function choiceOf(values: Values): InputChoice {
  const list = (name: string): readonly string[] => values.get(name) ?? [];
  return inputChoice({
    text: (name) => list(name).at(-1),
    list,
    has: (name) => values.has(name),
    positionals: [],
  });
}

/** @throws SluiceError those of `readInput`; also where it takes longer than people wait */
async function read(choice: InputChoice) {
  // What is read from standard input would be gone for the command.
  if (choice.kind === 'files' && choice.paths.includes('-'))
    throw new SluiceError('USAGE', 'standard input is not read for names');
  const scope = (namespace: string): Scope => ({
    namespaces: [namespace],
    fallback: [namespace],
    services: 'optional',
  });
  const progress = { say() {}, end() {} };
  // Neither the library of the Kubernetes API nor the program of a kubeconfig takes of the time of the cluster.
  const target = choice.kind === 'cluster' ? await (await liveCluster()).quietTarget(choice) : undefined;
  const signal = AbortSignal.timeout(PATIENCE_MS);
  return await readInput(choice, scope, { progress, signal }, target);
}
