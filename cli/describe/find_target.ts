/** Finds what is to be described among what was read. */
import { SluiceError, unreachable } from '../../common/errors.ts';
import type { LintedPolicy, Model } from '../../lint/index.ts';
import { objectKey, type Pod } from '../../policy/index.ts';
import { WORKLOAD_KINDS, type WorkloadKind, type Workloads } from '../../sources/index.ts';
import type { Input } from '../input/index.ts';
import { firstHint } from '../likeness.ts';
import { ALWAYS_KNOWN, NAMESPACES, unknownName, type WantedName, workloadsOf } from '../unknown_name.ts';
import { likeKind, type Target } from './target.ts';

/** It, found. */
export type Found =
  | { readonly kind: 'pod'; readonly name: string; readonly pod: Pod }
  | FoundWorkload
  | { readonly kind: 'namespace'; readonly name: string }
  | { readonly kind: 'netpol'; readonly policy: LintedPolicy };

/** A workload, found. */
interface FoundWorkload {
  readonly kind: 'workload';
  readonly name: string;
  /** One at least; where `fromTemplate`, one made from the template. */
  readonly pods: readonly Pod[];
  readonly fromTemplate: boolean;
}

/**
 * @param input what was read, for messages
 * @throws SluiceError `NAME_UNKNOWN`, `USAGE` for a name of several workloads, `OBJECT_INVALID` for a broken template
 */
export function findTarget(
  target: Target,
  model: Model,
  workloads: Workloads,
  input: Pick<Input, 'noun' | 'unlisted'>,
): Found {
  const { pods } = model.cluster;
  const unknown = (
    what: string,
    name: string,
    mayBe: WantedName['mayBe'],
    ...known: readonly (() => Iterable<string>)[]
  ) => {
    return new SluiceError(
      'NAME_UNKNOWN',
      unknownName(input, { what, name, hint: firstHint(name, known), mayBe }),
    );
  };
  const workload = (kind: WorkloadKind, namespace: string, name: string): FoundWorkload | undefined => {
    const text = `${namespace}/${kind}/${name}`;
    const own = workloads.podsOf(kind, namespace, name);
    if (own.length > 0) return { kind: 'workload', name: text, pods: own, fromTemplate: false };
    const made = workloads.findPod(kind, namespace, name);
    return made && { kind: 'workload', name: text, pods: [made.pod], fromTemplate: true };
  };
  const ofAnyKind = (namespace: string, name: string): Found | undefined => {
    const found = Object.values(WORKLOAD_KINDS).flatMap((kind) => workload(kind, namespace, name) ?? []);
    const [first, second] = found;
    if (second === undefined) return first;
    const names = found.map((one) => one.name).join(' or ');
    throw new SluiceError('USAGE', `${objectKey(namespace, name)} may be ${names}: write which`);
  };
  switch (target.kind) {
    case 'namespace': {
      const { namespace } = target;
      if (!model.namespaces.includes(namespace))
        throw unknown('namespace', namespace, NAMESPACES, () => model.namespaces);
      return { kind: 'namespace', name: namespace };
    }
    case 'netpol': {
      const key = objectKey(target.namespace, target.name);
      const policy = model.policiesIn(target.namespace).find(({ object }) => object.key === key);
      if (policy === undefined)
        throw unknown('NetworkPolicy', key, ALWAYS_KNOWN, () =>
          model.policies.map(({ object }) => object.key),
        );
      return { kind: 'netpol', policy };
    }
    case 'pod': {
      const key = objectKey(target.namespace, target.name);
      const pod = pods.get(key);
      if (pod === undefined) throw unknown('pod', key, ALWAYS_KNOWN, () => pods.keys());
      return { kind: 'pod', name: key, pod };
    }
    case 'workload': {
      const { workload: kind, namespace, name } = target;
      const found = workload(kind, namespace, name);
      if (found === undefined)
        throw unknown('workload', `${namespace}/${kind}/${name}`, workloadsOf(kind), () => workloads.names());
      return found;
    }
    case 'any-workload':
    case 'named': {
      const { namespace, name } = target;
      const key = objectKey(namespace, name);
      const pod = target.kind === 'named' ? pods.get(key) : undefined;
      const found: Found | undefined =
        pod === undefined ? ofAnyKind(namespace, name) : { kind: 'pod', name: key, pod };
      if (found !== undefined) return found;
      // `depoly/web` looks like a name in a namespace.
      const kindHint = model.namespaces.includes(namespace) ? '' : likeKind(namespace);
      if (kindHint !== '')
        throw new SluiceError('USAGE', `'${namespace}' is neither a kind nor a namespace${kindHint}`);
      const what = target.kind === 'named' ? 'pod or workload' : 'workload';
      const keys = target.kind === 'named' ? [() => pods.keys()] : [];
      throw unknown(what, key, workloadsOf(), ...keys, () => workloads.names());
    }
    default:
      return unreachable(target);
  }
}
