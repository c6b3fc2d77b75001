/** Which pods get a table: those that network policy can select and that a sidecar can protect. */
import { isLive } from '../policy/index.ts';
import type { Cluster, Pod } from '../policy/model.ts';

/** A pod that gets a table, or why it gets none (a sentence for people). */
export type SubjectLookup =
  | { readonly found: true; readonly pod: Pod }
  | { readonly found: false; readonly message: string };

/** Looks a pod up by its key `namespace/name`. */
export function findSubject(cluster: Cluster, podKey: string): SubjectLookup {
  const pod = cluster.pods.get(podKey);
  const reason = pod === undefined ? 'is not known; is its manifest in the source?' : whyNoSubject(pod);
  if (pod !== undefined && reason === undefined) return { found: true, pod };
  return { found: false, message: `pod ${podKey} ${reason}` };
}

/** `undefined` for a pod that gets a table. */
export function whyNoSubject(pod: Pod): string | undefined {
  if (pod.hostNetwork) return 'is on the host network: network policy cannot select it';
  if (!isLive(pod)) return `has finished (${pod.phase})`;
  if (pod.ips.length === 0) return 'has no address yet (status.podIP)';
  return undefined;
}
