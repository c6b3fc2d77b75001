/** Manifests laid over others, as `kubectl apply` does it: an object takes the place of the one of its name. */
import { isDeepStrictEqual } from 'node:util';
import { fieldsOf } from '../../common/shape.ts';
import { objectKey, type Pod } from '../../policy/index.ts';
import {
  assumedLabels,
  createWorkloads,
  lastingWorkload,
  type Manifests,
  manifestsOf,
  objectId,
  type RawObject,
} from '../../sources/index.ts';

/** What is below, less what is also above, and what is above. */
export function overlay(below: Manifests, above: Manifests): Manifests {
  const objects = new Set(above.objects.map(objectId));
  const others = new Set(above.others.map(rawId));
  const kept = below.files.map((file) => ({
    ...file,
    objects: file.objects.filter((object) => !objects.has(objectId(object))),
    others: file.others.filter((object) => !others.has(rawId(object))),
  }));
  return manifestsOf([...kept, ...above.files]);
}

/**
 * The same over a cluster that runs: where the template of a workload is another, its pods get the labels and ports of the new one,
 * and keep their addresses and what controllers gave them.
 */
export function applied(running: Manifests, files: Manifests): Manifests {
  const manifests = overlay(running, files);
  const [was, is] = [templatePods(running), templatePods(files)];
  const pods = new Map(manifests.cluster.pods);
  for (const [key, pod] of pods) {
    const workload = objectKey(pod.namespace, lastingWorkload(pod));
    const template = is.get(workload);
    if (template !== undefined && !isDeepStrictEqual(partOf(template), partOf(was.get(workload))))
      pods.set(key, renewed(pod, template));
  }
  return { ...manifests, cluster: { ...manifests.cluster, pods } };
}

/** By workload; templates that make no pod are left out. */
function templatePods({ cluster, others }: Manifests): ReadonlyMap<string, Pod> {
  const { made } = createWorkloads({ ...cluster, pods: new Map() }, others).madePods();
  return new Map(made.map(({ pod, owner }) => [objectKey(owner.namespace, owner.text), pod]));
}

/** What policy can tell of a template. */
function partOf(pod: Pod | undefined) {
  return pod === undefined ? undefined : [pod.labels, pod.ports, pod.hostNetwork];
}

function renewed(pod: Pod, template: Pod): Pod {
  const own = assumedLabels(template).flatMap((label): readonly (readonly [string, string])[] => {
    const value = Object.hasOwn(pod.labels, label) ? pod.labels[label] : undefined;
    return value === undefined ? [] : [[label, value]];
  });
  return {
    ...pod,
    labels: { ...template.labels, ...Object.fromEntries(own) },
    ports: template.ports,
    hostNetwork: template.hostNetwork,
  };
}

function rawId({ kind, raw }: RawObject): string {
  const { namespace, name } = fieldsOf(raw.metadata);
  return JSON.stringify([kind, namespace, name]);
}
