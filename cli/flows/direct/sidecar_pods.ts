/** Pods whose sidecars can be asked, and the pages that they answer with. */
import type { Pod } from '../../../policy/index.ts';
import { lastingWorkload } from '../../../sources/index.ts';
import { observedWorkload } from '../../observed_workload.ts';

/** A pod with a sidecar. */
export interface SidecarPod {
  readonly namespace: string;
  readonly name: string;
  /** `deploy/web`, as flows name it. */
  readonly workload: string;
}

/** A pod, by an address. */
export type PodNames = ReadonlyMap<string, SidecarPod>;

/** Sidecars of a lab or a cluster. */
export interface SidecarPods {
  /** For messages: `lab x`, `namespace shop of context y`. */
  readonly where: string;
  /** Those that may be asked. */
  readonly pods: readonly SidecarPod[];
  /** All pods that are known, with or without a sidecar. */
  readonly names: PodNames;
  /**
   * An inspection page of a sidecar, such as `/flows`: JSON.
   * @throws Error that says in a few words why there is none
   */
  page(pod: SidecarPod, path: string, signal: AbortSignal): Promise<string>;
}

/** Longest page, bytes: 65,536 connections of 400 bytes. */
export const MAX_PAGE_BYTES = 32 * 1024 * 1024;

/** How long a sidecar is waited for, ms: it gives up a connection after 5 s. */
export const PAGE_MS = 10_000;

/** A pod of what was read. */
export function sidecarPod(pod: Pod): SidecarPod {
  return { namespace: pod.namespace, name: pod.name, workload: observedWorkload(lastingWorkload(pod)) };
}
