/** The pods that policies select and admit: pods that are the same to policy stand as one. */
import { isLive, objectKey, type Pod } from '../../policy/index.ts';
import { createWorkloads, type Manifests } from '../../sources/index.ts';
import type { LintedObject } from '../finding.ts';
import { lintedObject } from './linted_object.ts';

/** Pods of one workload that are the same to policy: labels, ports and network. */
export interface Subject {
  /** One of them, for the engine; made from the workload's template where there are no pods. */
  readonly pod: Pod;
  /** All of them; none where it is made from a template. */
  readonly pods: readonly Pod[];
  /** As people call it: `deploy/web`. */
  readonly name: string;
  readonly object: LintedObject;
  /** As it is written, checked by nobody. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** All of them; pods that have finished, and templates that make no pod, are left out. */
export function subjectsOf({ cluster, objects, others }: Manifests): readonly Subject[] {
  const subjects = new Map<string, Subject & { readonly pods: Pod[] }>();
  for (const loaded of objects) {
    if (loaded.kind !== 'Pod' || !isLive(loaded.object)) continue;
    const { object: pod, raw } = loaded;
    const { namespace, workload, labels, ports, hostNetwork } = pod;
    const key = JSON.stringify([namespace, workload, labels, ports, hostNetwork]);
    const known = subjects.get(key);
    if (known === undefined)
      subjects.set(key, { pod, pods: [pod], name: workload, object: lintedObject(loaded), raw });
    else known.pods.push(pod);
  }
  const { made } = createWorkloads(cluster, others).madePods();
  return [
    ...subjects.values(),
    ...made.map(({ kind, workload, owner, pod }): Subject => {
      const object = { ...lintedObject(workload), kind, key: objectKey(owner.namespace, owner.name) };
      return { pod, pods: [], name: owner.text, object, raw: workload.raw };
    }),
  ];
}
