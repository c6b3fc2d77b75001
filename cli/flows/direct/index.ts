/** What sidecars say themselves: their pages, from inside their pods. */

export { type AskContext, askPods, type PodPages, silentText } from './ask_pods.ts';
export { type ConnectionView, connectionsPage } from './connections.ts';
export { createDirectSource } from './direct_source.ts';
export { findPods } from './find_pods.ts';
export { openSidecars } from './open_sidecars.ts';
export { type Readiness, readyzPage } from './readiness.ts';
export type { PodNames, SidecarPod, SidecarPods } from './sidecar_pods.ts';
