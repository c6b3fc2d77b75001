/** How far policies are in force at pods: what sidecars have, where the input can tell. */

export { clusterStates, type PolicyStatusData, policyStatus } from './cluster.ts';
export { type InForce, type InForceData, type IsolatedPod, inForceOf, notKnown } from './in_force.ts';
export { labStates } from './lab.ts';
