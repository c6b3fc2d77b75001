/** Which pods get a table: those that network policy can select and that a sidecar can protect. */

import type { Cluster, Pod } from '../../policy/index.ts';
import { isLive } from '../../policy/index.ts';

/** A pod that gets a table, or why it gets none (a sentence for people). `gone`: no such pod, or another of its name. */
export type SubjectLookup =
  | { readonly found: true; readonly pod: Pod }
  | { readonly found: false; readonly gone: boolean; readonly message: string };

/** What is asked of a pod. */
export interface Wanted {
  /** The pod must have it; absent: any pod of that name will do. */
  readonly uid?: string | undefined;
  /** It must have an address: a table of schema 1 says who the pod is by that. */
  readonly address: boolean;
}

/**
 * Looks a pod up by its key `namespace/name`. A pod that has no address yet is served: its containers start before the API server
 * has heard of the address, a second or two in which the sidecar would have no table. The address comes as a change.
 */
export function findSubject(cluster: Cluster, podKey: string, { uid, address }: Wanted): SubjectLookup {
  const pod = cluster.pods.get(podKey);
  if (pod === undefined) return none(podKey, true, 'is not known; is its manifest in the source?');
  if (uid !== undefined && pod.uid !== uid) return none(podKey, true, `has another UID than ${uid}`);
  const reason = address ? whyNoSubject(pod) : whyNeverSubject(pod);
  return reason === undefined ? { found: true, pod } : none(podKey, false, reason);
}

function none(podKey: string, gone: boolean, why: string): SubjectLookup {
  return { found: false, gone, message: `pod ${podKey} ${why}` };
}

/** `undefined` for a pod that has an address, and is to be enforced. */
export function whyNoSubject(pod: Pod): string | undefined {
  const never = whyNeverSubject(pod);
  return never ?? (pod.ips.length === 0 ? 'has no address yet (status.podIP)' : undefined);
}

/** `undefined` for a pod that gets a table. */
function whyNeverSubject(pod: Pod): string | undefined {
  if (pod.hostNetwork) return 'is on the host network: network policy cannot select it';
  if (!isLive(pod)) return `has finished (${pod.phase})`;
  return undefined;
}
