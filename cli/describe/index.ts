/** `sluice describe`: what governs a pod, a workload or a namespace, and whom a policy is about. */
export { runDescribe } from './describe.ts';
