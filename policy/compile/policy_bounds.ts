/** Which policies of a namespace are within bounds. The others isolate what they select, and admit nothing. */

import type { Cluster, NetworkPolicy } from '../model.ts';
import { noRoom, type PolicyLimits, policyEntries, tooMuch } from '../objects/index.ts';
import { policiesByNamespace } from '../rules/index.ts';
import { type Groups, LEAST_REACH, namespaceLabelsOf } from './groups.ts';
import { type GroupTest, groupId } from './live_group.ts';
import { MostReach } from './most_reach.ts';
import { groupsOf } from './table_rules.ts';

/** What a namespace's policies come to. */
interface BoundedPolicies {
  /** In the order given, those beyond a bound without their rules. */
  readonly inForce: readonly NetworkPolicy[];
  /** By name: which bound a policy is beyond. */
  readonly excess: ReadonlyMap<string, string>;
  /** The selectors that they need, by group id, each once. */
  readonly selectors: ReadonlyMap<string, GroupTest>;
  /** Labels of namespaces, `key/value`, that the reach of these policies depends on. */
  readonly namespaceLabels: ReadonlySet<string>;
  /** How many addresses have to get another owner or other labels before any of this can change. */
  readonly slack: number;
}

/** What is known of a policy without looking at the cluster. */
interface Measured {
  readonly entries: number;
  /** Each once; none where the policy is beyond a bound in every cluster. */
  readonly selectors: readonly Selector[];
  /** The bound that it is beyond in every cluster. */
  readonly excess: string | undefined;
  /** The policy without its rules; made when it is needed. */
  isolating: NetworkPolicy | undefined;
}

/** A selector that a policy needs. */
interface Selector {
  /** Of its group. */
  readonly id: string;
  readonly test: GroupTest;
  /** See `namespaceLabelsOf`. */
  readonly namespaceLabels: readonly string[];
}

/** A sum with an upper bound. */
class Budget {
  readonly #most: number;
  used = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Whether there is room for so much more. */
  fits(more: number): boolean {
    return this.used + more <= this.#most;
  }

  /** By how much `more` has to change before `fits` answers otherwise. */
  distance(more: number): number {
    const room = this.#most - this.used - more;
    return room < 0 ? -room : room + 1;
  }
}

/** Decides by the given limits. What it measures of a policy is kept as long as the policy exists. */
export class PolicyBounds {
  readonly #limits: PolicyLimits;
  readonly #measured = new WeakMap<NetworkPolicy, Measured>();

  constructor(limits: PolicyLimits) {
    this.#limits = limits;
  }

  /** Measures a new policy ahead of `decide`, so that `decide` does not measure many at once. */
  prepare(policy: NetworkPolicy): void {
    this.#measure(policy);
  }

  /**
   * Decides which policies are in force as they are, and which only isolate.
   * @param policies of one namespace, in the order of their names: earlier ones take the room first
   */
  decide(policies: readonly NetworkPolicy[], groups: Pick<Groups, 'reach'>): BoundedPolicies {
    const { maxNamespaceEntries, maxPolicyReach, maxNamespaceReach } = this.#limits;
    const entries = new Budget(maxNamespaceEntries);
    const reach = new Budget(maxNamespaceReach);
    const reaches = new Map<string, number>();
    const selectors = new Map<string, GroupTest>();
    const excess = new Map<string, string>();
    const namespaceLabels = new Set<string>();
    let asked = 0;
    let slack = Number.POSITIVE_INFINITY;
    const inForce = policies.map((policy) => {
      const measured = this.#measure(policy);
      // Entries are counted first: they do not depend on the cluster, and they bound how many selectors are looked up below.
      const beyond =
        measured.excess ??
        (entries.fits(measured.entries)
          ? undefined
          : noRoom('entries', measured.entries, maxNamespaceEntries));
      if (beyond !== undefined) {
        excess.set(policy.name, beyond);
        return isolatingOf(policy, measured);
      }
      entries.used += measured.entries;
      const own = new Budget(maxPolicyReach);
      let ownReach = 0;
      let newReach = 0;
      for (const { id, test, namespaceLabels: labels } of measured.selectors) {
        const pods = reaches.get(id) ?? groups.reach(test);
        reaches.set(id, pods);
        for (const label of labels) namespaceLabels.add(label);
        ownReach += pods;
        if (!selectors.has(id)) newReach += pods;
      }
      asked += measured.selectors.length;
      const distance = Math.min(own.distance(ownReach), reach.distance(newReach));
      if (asked > 0) slack = Math.min(slack, Math.ceil(distance / asked));
      const why =
        tooMuch('reach', ownReach, maxPolicyReach) ??
        (reach.fits(newReach) ? undefined : noRoom('reach', newReach, maxNamespaceReach));
      if (why !== undefined) {
        excess.set(policy.name, why);
        return isolatingOf(policy, measured);
      }
      reach.used += newReach;
      for (const { id, test } of measured.selectors) selectors.set(id, test);
      return policy;
    });
    return { inForce, excess, selectors, namespaceLabels, slack };
  }

  #measure(policy: NetworkPolicy): Measured {
    const known = this.#measured.get(policy);
    if (known !== undefined) return known;
    const { maxPolicyEntries, maxPolicyReach } = this.#limits;
    const entries = policyEntries(policy);
    const selectors = entries > maxPolicyEntries ? NO_SELECTORS : selectorsOf(policy);
    const excess =
      tooMuch('entries', entries, maxPolicyEntries) ??
      tooMuch('reach', selectors.length * LEAST_REACH, maxPolicyReach);
    const measured = {
      entries,
      selectors: excess === undefined ? selectors : NO_SELECTORS,
      excess,
      isolating: undefined,
    };
    this.#measured.set(policy, measured);
    return measured;
  }
}

const NO_SELECTORS: readonly Selector[] = [];

function selectorsOf(policy: NetworkPolicy): readonly Selector[] {
  const tests = groupsOf(policy);
  const selectors = tests.map((test) => ({
    id: groupId(test),
    test,
    namespaceLabels: namespaceLabelsOf(test),
  }));
  return selectors.length < 2 ? selectors : [...new Map(selectors.map((one) => [one.id, one])).values()];
}

function isolatingOf(policy: NetworkPolicy, measured: Measured): NetworkPolicy {
  measured.isolating ??= { ...policy, ingress: [], egress: [] };
  return measured.isolating;
}

/** Whether any policy may be beyond a bound. Cheap: selectors are not looked up, and count for as much as they may reach. */
export function mayExceed(cluster: Cluster, limits: PolicyLimits): boolean {
  const bounds = new PolicyBounds(limits);
  const most = new MostReach(cluster);
  return [...policiesByNamespace(cluster).values()].some(
    (policies) => bounds.decide(policies, most).excess.size > 0,
  );
}
