/** How far policies are in force at pods: what sidecars have, where the input can tell. */

export {
  type InForce,
  type InForceData,
  type IsolatedPod,
  inForceOf,
  type LagCause,
  type PodState,
  type PolicyStatusData,
} from './in_force.ts';
export { inForceIn } from './in_force_in.ts';
