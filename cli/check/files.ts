/** Namespaces, pods and workloads of manifests, for `sluice check -f`. */

import { fieldsOf } from '../../common/shape.ts';
import { DEFAULT_NAMESPACE, type NetworkPolicy } from '../../policy/index.ts';
import type { Manifests } from '../../sources/index.ts';
import { podTemplate } from '../../sources/index.ts';
import type { CheckedNamespace, CheckedPod } from './namespace_check.ts';

/** An object of which only a few fields matter. */
type Json = Readonly<Record<string, unknown>>;

/** A namespace and what is in it. */
export interface NamespaceContent {
  readonly namespace: CheckedNamespace;
  readonly pods: readonly CheckedPod[];
  /** Its Services, as the API has them. */
  readonly services: readonly unknown[];
  readonly policies: readonly NetworkPolicy[];
  /** Of its policies: what admits nothing, because it cannot be enforced. */
  readonly unenforced: readonly UnenforcedPart[];
}

/** A part of a policy, or a whole one. */
export interface UnenforcedPart {
  /** Name of the policy. */
  readonly policy: string;
  readonly message: string;
}

/** Every namespace that the manifests have, or have something in. */
export function namespacesOf({ cluster, objects, others }: Manifests): readonly NamespaceContent[] {
  const pods = Map.groupBy(
    [
      ...objects.flatMap(({ kind, raw }) => (kind === 'Pod' ? [madeOf(raw, raw)] : [])),
      ...others.flatMap(({ raw }) => {
        const template = podTemplate(raw);
        return template?.spec === undefined ? [] : [madeOf(raw, template)];
      }),
    ],
    ({ namespace }) => namespace,
  );
  const services = Map.groupBy(
    objects.flatMap(({ kind, raw }) => (kind === 'Service' ? [raw] : [])),
    namespaceOf,
  );
  const policies = Map.groupBy(cluster.policies.values(), ({ namespace }) => namespace);
  const names = [cluster.namespaces, pods, services, policies].flatMap((known) => [...known.keys()]);
  return [...new Set(names)].sort().map((name) => {
    const { labels = {}, annotations = {} } = cluster.namespaces.get(name) ?? {};
    return {
      namespace: { name, labels, annotations },
      pods: (pods.get(name) ?? []).map(({ pod }) => pod),
      services: services.get(name) ?? [],
      policies: policies.get(name) ?? [],
      unenforced: [], // it is among the problems of the manifests
    };
  });
}

/** @param raw the pod, or the workload that makes pods like `object` */
function madeOf(raw: Json, object: unknown): { readonly namespace: string; readonly pod: CheckedPod } {
  const namespace = namespaceOf(raw);
  const workload = {
    kind: String(raw.kind).toLowerCase(),
    namespace,
    name: String(fieldsOf(raw.metadata).name),
  };
  const { replicas } = fieldsOf(raw.spec);
  const count =
    typeof replicas === 'number' && Number.isSafeInteger(replicas) && replicas >= 0 ? replicas : 1;
  return { namespace, pod: { workload, count, object } };
}

/** What makes pods has been given a namespace when it was read, if its metadata can be read. */
function namespaceOf(raw: Json): string {
  return String(fieldsOf(raw.metadata).namespace ?? DEFAULT_NAMESPACE);
}
