/** The face of `lab/pods/`: what runs in a lab: its injector, and for each pod a sidecar and an app. */
export { bringUpInjector, bringUpPods, START_TIMEOUT_MS } from './bring_up.ts';
export { askInjector, revisionsOf, sidecarsByPod, waitEnforced } from './injector_client.ts';
export {
  applyRedirect,
  checkSettings,
  type SidecarOptions,
  servedPorts,
  startAppProcess,
  startSidecarProcess,
  unservedPorts,
} from './pod_processes.ts';
