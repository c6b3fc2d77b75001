/** Namespaces, pods and workloads of manifests, for `sluice check -f`. */
import type { Manifests, RawObject } from '../../injector/manifests.ts';
import type { NetworkPolicy } from '../../policy/index.ts';
import type { CheckedNamespace, CheckedPod } from './namespace_check.ts';

/** A namespace and what is in it. */
export interface NamespaceContent {
  readonly namespace: CheckedNamespace;
  readonly pods: readonly CheckedPod[];
  /** Its Services, as the API has them. */
  readonly services: readonly unknown[];
  readonly policies: readonly NetworkPolicy[];
}

type Json = Readonly<Record<string, unknown>>;

/** Where a namespaced object lives when its manifest does not say. */
const DEFAULT_NAMESPACE = 'default';

/** Every namespace that the manifests have, or have something in. */
export function namespacesOf({ cluster, objects, others }: Manifests): readonly NamespaceContent[] {
  const pods = new Map<string, CheckedPod[]>();
  const add = (raw: Json, object: unknown): void => {
    const metadata = record(raw.metadata);
    const namespace = String(metadata.namespace ?? DEFAULT_NAMESPACE);
    const subject = `${String(raw.kind).toLowerCase()} ${namespace}/${metadata.name}`;
    pods.set(namespace, [...(pods.get(namespace) ?? []), { subject, object, running: false }]);
  };
  for (const { kind, raw } of objects) if (kind === 'Pod') add(raw, raw);
  for (const { raw } of others) {
    const template = templateOf(raw);
    if (template !== undefined) add(raw, template);
  }
  const names = new Set([...cluster.namespaces.keys(), ...pods.keys()]);
  const isIn = (name: string) => (raw: Json) =>
    String(record(raw.metadata).namespace ?? DEFAULT_NAMESPACE) === name;
  const services = objects.flatMap(({ kind, raw }) => (kind === 'Service' ? [raw] : []));
  return [...names].sort().map((name) => {
    const { labels = {}, annotations = {} } = cluster.namespaces.get(name) ?? {};
    return {
      namespace: { name, labels, annotations },
      pods: pods.get(name) ?? [],
      services: services.filter(isIn(name)),
      policies: [...cluster.policies.values()].filter(({ namespace }) => namespace === name),
    };
  });
}

/** `spec.template`, or a CronJob's `spec.jobTemplate.spec.template`, where it is a pod's. */
function templateOf(raw: RawObject['raw']): unknown {
  const spec = record(raw.spec);
  const template = record(record(record(spec.jobTemplate).spec).template ?? spec.template);
  return template.spec === undefined ? undefined : template;
}

function record(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}
