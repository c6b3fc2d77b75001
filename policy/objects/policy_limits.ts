/** How large policies may be, so that what one namespace writes does not slow the tables of others. */

/** Bounds on the policies of one namespace; whole numbers from 1. A policy beyond one isolates and admits nothing. */
export interface PolicyLimits {
  /** Entries of one policy: see `policyEntries`. They cost text in each table that the policy is in. */
  readonly maxPolicyEntries: number;
  /** Entries of all policies of a namespace: all of them may come together in one pod's table. */
  readonly maxNamespaceEntries: number;
  /** The sum, over the selectors of one policy's peers, of the pods that each has to be tried on: see `Groups.reach`. */
  readonly maxPolicyReach: number;
  /** The same for all policies of a namespace; a selector that several of them have counts once. */
  readonly maxNamespaceReach: number;
}

/**
 * Entries: 10,000 are what one turn of the injector's event loop reads and writes in well under 100 ms. Reach: a table of
 * 50,000 members is the most that a sidecar with the default memory limit holds, 15 MB if all are different pods.
 */
export const DEFAULT_POLICY_LIMITS: PolicyLimits = {
  maxPolicyEntries: 10_000,
  maxNamespaceEntries: 20_000,
  maxPolicyReach: 50_000,
  maxNamespaceReach: 100_000,
};

type Measure = 'entries' | 'reach';

const WORDS: Readonly<Record<Measure, string>> = {
  entries: 'entries (rules, ports, peers, exceptions, and what selectors are made of)',
  reach: 'pods to try its selectors on',
};

const CONSEQUENCE = 'it isolates the pods that it selects and admits nothing';

/** Says that a policy is beyond a bound of its own; undefined: it is not. */
export function tooMuch(measure: Measure, amount: number, most: number): string | undefined {
  if (amount <= most) return undefined;
  return `has ${amount} ${WORDS[measure]}, ${most} are allowed (SLUICE_MAX_POLICY_${measure.toUpperCase()}): ${CONSEQUENCE}`;
}

/** Says that there is no room for a policy in its namespace. */
export function noRoom(measure: Measure, amount: number, most: number): string {
  return (
    `has ${amount} ${WORDS[measure]}, more than its namespace has room for after the policies before it by name: ` +
    `${most} in all (SLUICE_MAX_NAMESPACE_${measure.toUpperCase()}): ${CONSEQUENCE}`
  );
}
