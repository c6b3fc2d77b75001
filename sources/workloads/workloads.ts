/** Which pods belong to which workload, and what pod a workload without pods would make. */

import { SluiceError } from '../../common/errors.ts';
import { fieldsOf, itemsOf } from '../../common/shape.ts';
import { type Cluster, isLive, type Pod } from '../../policy/index.ts';
import type { RawObject } from '../files/index.ts';
import type { WorkloadKind } from '../objects/index.ts';
import { isWorkloadKind, WORKLOAD_KINDS, type WorkloadKindName } from '../objects/index.ts';
import { makeTemplatePod, type RawLabels, templateLabels, type WorkloadName } from './template_pod.ts';

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
  /** All its live pods, those with an address first, then by name; none where it has a template only, or is not there. */
  podsOf(kind: WorkloadKind, namespace: string, name: string): readonly Pod[];
  /**
   * A pod from the template of each of `withoutPods` in a namespace whose pods have such labels.
   * @throws as `findPod`
   */
  templatePods(namespace: string, wants: (labels: RawLabels) => boolean): readonly Pod[];
  /** The workloads that have no pod, but for those that another one of them has made. */
  withoutPods(): readonly Template[];
  /** The same with a pod each, of its template. */
  madePods(): MadePods;
  /** `namespace/kind/name` of all workloads, for suggestions. */
  names(): Iterable<string>;
}

/** A pod that stands for its workload. */
export interface WorkloadPod {
  readonly pod: Pod;
  /** Made from the template: it is in no manifest. */
  readonly fromTemplate: boolean;
}

/**
 * A Deployment names its ReplicaSets after itself and a hash of the template, in this alphabet
 * (k8s.io/apimachinery `rand.SafeEncodeString`). Pods that lost their `pod-template-hash` label are recognised by it.
 */
const REPLICA_SET_OF_DEPLOYMENT = /^rs\/(.+)-[bcdfghjklmnpqrstvwxz2456789]{5,10}$/;

/** A CronJob names its Jobs after itself and the minutes since the epoch. */
const JOB_OF_CRON_JOB = /^job\/(.+)-\d{8,}$/;

/** What a pod belongs to, as people know it for longer than one run: the Deployment of its ReplicaSet, the CronJob of its Job. */
export function lastingWorkload({ workload }: Pick<Pod, 'workload'>): string {
  const deployment = REPLICA_SET_OF_DEPLOYMENT.exec(workload)?.[1];
  if (deployment !== undefined) return `deploy/${deployment}`;
  const cronJob = JOB_OF_CRON_JOB.exec(workload)?.[1];
  return cronJob === undefined ? workload : `cj/${cronJob}`;
}

/** A workload with its template. */
export interface Template {
  readonly kind: WorkloadKindName;
  readonly workload: RawObject;
  readonly owner: WorkloadName;
}

/** Workloads that have no pod, and what their templates make. */
export interface MadePods {
  readonly made: readonly (Template & { readonly pod: Pod })[];
  /** What is wrong with templates that make no pod, a sentence each. */
  readonly problems: readonly string[];
}

/** Indexes the manifests once; each look-up is then cheap. */
export function createWorkloads(cluster: Cluster, others: readonly RawObject[]): Workloads {
  const pods = podsByWorkload(cluster);
  const templates = templatesByWorkload(others);
  const withoutPods = [...templates].flatMap(([key, template]) =>
    pods.has(key) || isMadeByKnown(template, templates) ? [] : [template],
  );
  const withoutPodsIn = Map.groupBy(withoutPods, ({ owner }) => owner.namespace);
  return {
    findPod(kind, namespace, name, avoid) {
      const key = workloadKey(namespace, kind, name);
      const owned = pods.get(key)?.find((pod) => pod !== avoid);
      if (owned !== undefined) return { pod: owned, fromTemplate: false };
      const template = templates.get(key);
      if (template !== undefined) {
        const { owner } = template;
        const first = makeTemplatePod(template.workload, template.kind, owner, 0);
        const isTaken = avoid?.namespace === namespace && avoid.name === first.name;
        const pod = isTaken ? makeTemplatePod(template.workload, template.kind, owner, 1) : first;
        return { pod, fromTemplate: true };
      }
      // One pod and no template: a flow of the workload to itself can only be that pod's.
      const only = pods.get(key)?.[0];
      return only === undefined ? undefined : { pod: only, fromTemplate: false };
    },
    podsOf: (kind, namespace, name) => pods.get(workloadKey(namespace, kind, name)) ?? [],
    templatePods: (namespace, wants) =>
      (withoutPodsIn.get(namespace) ?? [])
        .filter(({ kind, workload, owner }) => wants(templateLabels(workload, kind, owner)))
        .map(({ kind, workload, owner }) => makeTemplatePod(workload, kind, owner, 0)),
    withoutPods: () => withoutPods,
    madePods: () => madePods(withoutPods),
    *names() {
      yield* pods.keys();
      for (const key of templates.keys()) if (!pods.has(key)) yield key;
    },
  };
}

function madePods(templates: readonly Template[]): MadePods {
  const problems: string[] = [];
  const made = templates.flatMap((template) => {
    const { kind, workload, owner } = template;
    try {
      return [{ ...template, pod: makeTemplatePod(workload, kind, owner, 0) }];
    } catch (cause) {
      if (!(cause instanceof SluiceError && cause.code === 'OBJECT_INVALID')) throw cause;
      problems.push(cause.message);
      return [];
    }
  });
  return { made, problems };
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
    const cronJob = JOB_OF_CRON_JOB.exec(pod.workload)?.[1];
    if (cronJob !== undefined) add(workloadKey(pod.namespace, 'cj', cronJob), pod);
  }
  for (const list of byWorkload.values()) {
    list.sort(
      (a, b) => Number(a.ips.length === 0) - Number(b.ips.length === 0) || (a.name < b.name ? -1 : 1),
    );
  }
  return byWorkload;
}

/**
 * Whether a workload was made by another one of the files, such as a ReplicaSet by its Deployment or a Job by its CronJob. Its pods
 * count as that one's; without pods it is an old revision. Source: `metadata.ownerReferences`, the one that is `controller`.
 */
function isMadeByKnown({ workload, owner }: Template, templates: ReadonlyMap<string, Template>): boolean {
  return itemsOf(fieldsOf(workload.raw.metadata).ownerReferences).some((reference) => {
    const { kind, name, controller } = fieldsOf(reference);
    if (controller !== true || typeof kind !== 'string' || !isWorkloadKind(kind)) return false;
    return templates.has(workloadKey(owner.namespace, WORKLOAD_KINDS[kind], String(name)));
  });
}

function templatesByWorkload(others: readonly RawObject[]): Map<string, Template> {
  const templates = new Map<string, Template>();
  for (const workload of others) {
    const { kind } = workload;
    const { name, namespace } = fieldsOf(workload.raw.metadata);
    if (!isWorkloadKind(kind) || typeof name !== 'string' || typeof namespace !== 'string') continue;
    const word = WORKLOAD_KINDS[kind];
    const owner = { namespace, name, text: `${word}/${name}` };
    templates.set(workloadKey(namespace, word, name), { kind, workload, owner });
  }
  return templates;
}
