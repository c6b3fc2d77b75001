/** Which pods belong to which workload, and what pod a workload without pods would make. */
import type { RawObject } from '../../injector/manifests.ts';
import { SluiceError } from '../../policy/errors.ts';
import { type Cluster, isLive, objectKey, type Pod, parsePod } from '../../policy/index.ts';
import type { WorkloadKind } from './endpoint_ref.ts';

/** Looks up pods by the workload that owns them. */
export interface Workloads {
  /**
   * A pod of the workload: one of the manifests, the first by name that is live and has an address; else one made
   * from the workload's template, without an address.
   * @param avoid is passed over, so that a flow between two pods of a workload is not one of a pod to itself.
   * @returns undefined when neither exists.
   * @throws SluiceError `OBJECT_INVALID` when the template is broken.
   */
  findPod(kind: WorkloadKind, namespace: string, name: string, avoid?: Pod): WorkloadPod | undefined;
  /** `namespace/kind/name` of all workloads, for suggestions. */
  names(): Iterable<string>;
}

/** A pod that stands for its workload. */
export interface WorkloadPod {
  readonly pod: Pod;
  /** Made from the template: it is in no manifest. */
  readonly fromTemplate: boolean;
}

/** Kinds as the API spells them. */
const WORKLOAD_KINDS: Readonly<Record<string, WorkloadKind>> = {
  Deployment: 'deploy',
  StatefulSet: 'sts',
  DaemonSet: 'ds',
  ReplicaSet: 'rs',
  Job: 'job',
};

/**
 * A Deployment names its ReplicaSets after itself and a hash of the template, in this alphabet
 * (k8s.io/apimachinery `rand.SafeEncodeString`). Pods that lost their `pod-template-hash` label are told by it.
 */
const REPLICA_SET_OF_DEPLOYMENT = /^rs\/(.+)-[bcdfghjklmnpqrstvwxz2456789]{5,10}$/;

/** Where a namespaced object lives when its manifest does not say. */
const DEFAULT_NAMESPACE = 'default';

/** Indexes the manifests once; each look-up is then cheap. */
export function createWorkloads(cluster: Cluster, others: readonly RawObject[]): Workloads {
  const pods = podsByWorkload(cluster);
  const templates = templatesByWorkload(others);
  return {
    findPod(kind, namespace, name, avoid) {
      const key = workloadKey(namespace, kind, name);
      const owned = pods.get(key)?.find((pod) => pod !== avoid);
      if (owned !== undefined) return { pod: owned, fromTemplate: false };
      const template = templates.get(key);
      if (template !== undefined)
        return { pod: makePod(template, kind, namespace, name, avoid), fromTemplate: true };
      // One pod and no template: a flow of the workload to itself can only be that pod's.
      const only = pods.get(key)?.[0];
      return only === undefined ? undefined : { pod: only, fromTemplate: false };
    },
    *names() {
      yield* pods.keys();
      for (const key of templates.keys()) if (!pods.has(key)) yield key;
    },
  };
}

function workloadKey(namespace: string, kind: string, name: string): string {
  return `${namespace}/${kind}/${name}`;
}

function podsByWorkload(cluster: Cluster): Map<string, Pod[]> {
  const byWorkload = new Map<string, Pod[]>();
  const add = (key: string, pod: Pod) => {
    const list = byWorkload.get(key);
    if (list === undefined) byWorkload.set(key, [pod]);
    else list.push(pod);
  };
  for (const pod of cluster.pods.values()) {
    if (!isLive(pod)) continue;
    add(`${pod.namespace}/${pod.workload}`, pod);
    const deployment = REPLICA_SET_OF_DEPLOYMENT.exec(pod.workload)?.[1];
    if (deployment !== undefined) add(workloadKey(pod.namespace, 'deploy', deployment), pod);
  }
  for (const list of byWorkload.values()) {
    list.sort(
      (a, b) => Number(a.ips.length === 0) - Number(b.ips.length === 0) || (a.name < b.name ? -1 : 1),
    );
  }
  return byWorkload;
}

function templatesByWorkload(others: readonly RawObject[]): Map<string, RawObject> {
  const templates = new Map<string, RawObject>();
  for (const other of others) {
    const kind = WORKLOAD_KINDS[other.kind];
    const metadata = record(other.raw.metadata);
    const name = metadata.name;
    if (kind === undefined || typeof name !== 'string') continue;
    const namespace = typeof metadata.namespace === 'string' ? metadata.namespace : DEFAULT_NAMESPACE;
    templates.set(workloadKey(namespace, kind, name), other);
  }
  return templates;
}

function makePod(template: RawObject, kind: WorkloadKind, namespace: string, name: string, avoid?: Pod): Pod {
  const source = record(record(template.raw.spec).template);
  let podName = `${name}-template`;
  if (avoid !== undefined && objectKey(avoid.namespace, avoid.name) === objectKey(namespace, podName))
    podName += '-2';
  const parsed = parsePod({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...record(source.metadata), namespace, name: podName },
    spec: source.spec,
  });
  if (parsed.ok) return { ...parsed.object, workload: `${kind}/${name}` };
  const [first] = parsed.errors;
  throw new SluiceError(
    'OBJECT_INVALID',
    `${template.file}, document ${template.document}, ${template.kind} ${objectKey(namespace, name)}, ` +
      `spec.template.${first?.path ?? ''}: ${first?.message ?? 'is not a pod template'}`,
  );
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
