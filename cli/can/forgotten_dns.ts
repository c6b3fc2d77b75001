/** Whether the source of a question may ask for names: `sluice can --explain` says so where it may not. */

import { createCompiler, objectKey, type Pod } from '../../policy/index.ts';
import type { Manifests } from '../../sources/index.ts';
import { withEndpoints } from '../../sources/index.ts';

/** @param pod of the manifests, or made from a workload's template; undefined: no pod, of which nothing is to be said */
export function forgottenDns(manifests: Manifests, pod: Pod | undefined): string | undefined {
  if (pod === undefined) return undefined;
  const cluster = withEndpoints(manifests);
  const key = objectKey(pod.namespace, pod.name);
  return createCompiler({ ...cluster, pods: new Map([...cluster.pods, [key, pod]]) }).forgottenDns(key);
}
