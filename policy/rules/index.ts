/** What the NetworkPolicy API means: which policies isolate a pod, what a rule matches, and verdicts straight from the objects. */

export { createEvaluator, type Endpoint, type Evaluator, type Flow } from './evaluate.ts';
export { likeliestKeys, singleValue } from './likeness.ts';
export { nearestMisses } from './near_miss.ts';
export {
  addressOwners,
  type Claim,
  compareClaimants,
  isLive,
  isSubject,
  LATE,
  NAMESPACE_NAME_LABEL,
  namespaceLabels,
  nodeAddresses,
  podKey,
  takesOver,
  UNSEEN,
} from './ownership.ts';
export {
  blockMatches,
  namespaceMatches,
  type Peer,
  type PodsPeer,
  podMatches,
  type ResolvedPeer,
} from './peer.ts';
export { portMatches, type TablePort } from './ports.ts';
export {
  isolatingPolicies,
  policiesByNamespace,
  policyRef,
  type ResolvedRule,
  resolveRules,
} from './rules.ts';
export {
  formatRequirement,
  formatSelector,
  isEmptySelector,
  matchesSelector,
  meetsRequirement,
  type Requirement,
  requirementsOf,
} from './selector.ts';
export type { SubjectFlow } from './tier.ts';
