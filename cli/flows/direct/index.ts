/** What sidecars say themselves: their pages, from inside their pods. */

export { type AskContext, askPods, type PodPages, silentText } from './ask_pods.ts';
export { clusterPods } from './cluster_pods.ts';
export { createDirectSource } from './direct_source.ts';
export { labPods } from './lab_pods.ts';
export { edgeOfRecord, flowsPage } from './records.ts';
export type { PodNames, SidecarPod, SidecarPods } from './sidecar_pods.ts';
export { workloadText } from './workload_text.ts';
