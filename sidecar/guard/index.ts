/** The face of `sidecar/guard/`: what other parts may use. */

export { Guard, type GuardEvents } from './guard.ts';
export {
  bindGuard,
  type GuardProblems,
  installGuard,
  planGuard,
  removeGuard,
  verifyGuard,
} from './install.ts';
export { type Binding, bindingText, type GuardPlan, type NodeAddress } from './plan.ts';
export { framesRuleset, type GuardReason, guardRuleset } from './ruleset.ts';
