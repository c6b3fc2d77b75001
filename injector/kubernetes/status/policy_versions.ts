/** Policies by wording: each edit of a policy makes it another one, as far as counts go. */
import type { PolicyFacts } from '../policy_facts.ts';

/** Names a policy in one wording: another of its name is another, and so is it after an edit. */
export function versionOf({ uid, generation }: PolicyFacts): string {
  return `${uid}/${generation}`;
}

/** The present wording of each policy, and which policy has a wording. */
export class PolicyVersions {
  readonly #versions = new Map<string, string>();
  readonly #keys = new Map<string, string>();

  /** The wording of the policy with this key. */
  of(key: string): string | undefined {
    return this.#versions.get(key);
  }

  /** @param facts about the policy with this key; absent: it is gone */
  set(key: string, facts: PolicyFacts | undefined): void {
    const before = this.#versions.get(key);
    if (before !== undefined) this.#keys.delete(before);
    this.#versions.delete(key);
    if (facts === undefined) return;
    const now = versionOf(facts);
    this.#versions.set(key, now);
    this.#keys.set(now, key);
  }

  /** The key of the policy that has this wording now. */
  keyOf(version: string): string | undefined {
    return this.#keys.get(version);
  }
}
