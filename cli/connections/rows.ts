/** Live connections of several pods, as the JSON has them: docs/schema/connections.v1.json. */
import { objectKey } from '../../policy/index.ts';
import type { ConnectionView, PodNames, SidecarPod } from '../flows/index.ts';

/** One connection. */
export interface ConnectionData {
  /** `namespace/name` of the pod that it goes to, and its workload. */
  readonly pod: string;
  readonly workload: string;
  /** The peer; `pod` and `workload` where it is known to be a pod. */
  readonly src: {
    readonly address: string;
    readonly port: number;
    readonly pod?: string;
    readonly workload?: string;
  };
  readonly dst: { readonly address: string; readonly port: number };
  /** RFC 3339, UTC. */
  readonly since: string;
  readonly state: string;
  readonly path: string;
  readonly reason: string;
  /** `namespace/name` of the policy whose rule admits it. */
  readonly policy?: string;
  readonly rule?: number;
  readonly bytes_from_source: number;
  readonly bytes_to_source: number;
}

/** @param names of pods by address: a sidecar knows only peers that a rule's selector admits */
export function connectionData(
  { path, state, since, src, dst, verdict, ...bytes }: ConnectionView,
  own: SidecarPod,
  names: PodNames,
): ConnectionData {
  const { policy, rule, reason } = verdict;
  return {
    pod: objectKey(own.namespace, own.name),
    workload: own.workload,
    src: { address: src.addr, port: src.port, ...peerOf(src, names) },
    dst: { address: dst.addr, port: dst.port },
    since,
    state,
    path,
    reason,
    ...(policy === undefined ? {} : { policy: objectKey(policy.namespace, policy.name) }),
    ...(rule === undefined ? {} : { rule }),
    bytes_from_source: bytes.bytes_recv,
    bytes_to_source: bytes.bytes_sent,
  };
}

function peerOf(
  { addr, pod, workload }: ConnectionView['src'],
  names: PodNames,
): { readonly pod?: string; readonly workload?: string } {
  if (pod !== undefined) return { pod, ...(workload === undefined ? {} : { workload }) };
  const known = names.get(addr);
  return known === undefined ? {} : { pod: objectKey(known.namespace, known.name), workload: known.workload };
}
