/** Drops packets whose addresses cannot be what they say, whether policy isolates the pod or not. */

export { Guard, type GuardEvents } from './guard.ts';
export {
  bindGuard,
  bindPlan,
  type GuardProblems,
  type InstalledGuard,
  installGuard,
  planGuard,
  removeGuard,
  verifyGuard,
} from './install.ts';
export { type Binding, bindingText, type GuardPlan, type NodeAddress, type OwnAddresses } from './plan.ts';
export { framesRuleset, type GuardReason, guardRuleset } from './ruleset.ts';
export { ownAddresses } from './surroundings.ts';
