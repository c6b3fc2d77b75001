/** `sluice check`: what keeps pods from being injected and enforced, in a cluster or in manifests. */
export { runCheck } from './check.ts';
