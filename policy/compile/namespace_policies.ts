/** The policies that are in force in each namespace: those that were written, as far as they are within bounds. */

import { compareTexts, objectKey, ownEntry } from '../key.ts';
import type { Labels, NetworkPolicy } from '../model.ts';
import type { PolicyLimits } from '../objects/index.ts';
import type { Groups } from './groups.ts';
import type { GroupTest } from './live_group.ts';
import { PolicyBounds } from './policy_bounds.ts';
import { SetIndex } from './set_index.ts';

/** A change of the policies that are in force in one namespace. */
interface PolicyChange {
  readonly namespace: string;
  /** Those that came into force, and those that were and are no longer: an edit is one of each. */
  readonly changed: readonly NetworkPolicy[];
}

/** What is in force in one namespace. */
interface InForce {
  readonly policies: readonly NetworkPolicy[];
  readonly selectors: Selectors;
  /** The policies have to be measured again when the count of moved addresses reaches this. */
  readonly measureAt: number;
}

/** By group id. */
type Selectors = ReadonlyMap<string, GroupTest>;

const NONE: InForce = { policies: [], selectors: new Map(), measureAt: Number.POSITIVE_INFINITY };

/** Keeps the groups of policies in force. What is written waits until `enforce`, namespace by namespace. */
export class NamespacePolicies {
  readonly #groups: Groups;
  readonly #bounds: PolicyBounds;
  /** By namespace and name. */
  readonly #written = new Map<string, Map<string, NetworkPolicy>>();
  readonly #inForce = new Map<string, InForce>();
  /** What each namespace retains: the groups of its policies in force, and those that the waiting ones will need. */
  readonly #retained = new Map<string, Selectors>();
  /** Namespaces with something to put in force, those that have waited longest first. */
  readonly #waiting = new Set<string>();
  readonly #excess = new Map<string, string>();
  /** Labels of namespaces that the policies of each namespace ask for, and the other way round. */
  readonly #askedLabels = new Map<string, ReadonlySet<string>>();
  readonly #byAskedLabel = new SetIndex<string>();
  /** Addresses that have come, gone or changed since the beginning. */
  #moved = 0;
  /** The least `measureAt` of all namespaces. */
  #measureAt = Number.POSITIVE_INFINITY;

  constructor(groups: Groups, limits: PolicyLimits) {
    this.#groups = groups;
    this.#bounds = new PolicyBounds(limits);
  }

  /** The policies in force in a namespace, in the order of their names; the same list until one of them changes. */
  inForce(namespace: string): readonly NetworkPolicy[] {
    return (this.#inForce.get(namespace) ?? NONE).policies;
  }

  /** By policy key: which bound it is beyond. */
  get excess(): ReadonlyMap<string, string> {
    return this.#excess;
  }

  /** Whether a namespace has policies that are not in force yet. */
  isWaiting(namespace: string): boolean {
    return this.#waiting.has(namespace);
  }

  /** Namespaces that have policies that are not in force yet. */
  get waiting(): ReadonlySet<string> {
    return this.#waiting;
  }

  /** A policy was added (`before` absent), changed, or removed (`after` absent). */
  replace(before: NetworkPolicy | undefined, after: NetworkPolicy | undefined): void {
    const { namespace, name } = after ?? before ?? { namespace: '', name: '' };
    const policies = this.#written.get(namespace) ?? new Map<string, NetworkPolicy>();
    if (after === undefined) policies.delete(name);
    else {
      policies.set(name, after);
      this.#bounds.prepare(after);
    }
    if (policies.size === 0) this.#written.delete(namespace);
    else this.#written.set(namespace, policies);
    this.#waiting.add(namespace);
  }

  /** An address has another owner, or its owner other labels. */
  addressMoved(): void {
    this.#moved += 1;
  }

  /** A namespace has other labels: policies whose selectors ask for one that came or went have to be measured again. */
  relabelled(before: Labels, after: Labels): void {
    for (const [labels, others] of [
      [before, after],
      [after, before],
    ] as const)
      for (const [key, value] of Object.entries(labels)) {
        if (ownEntry(others, key) === value) continue;
        for (const namespace of this.#byAskedLabel.get(objectKey(key, value))) this.#waiting.add(namespace);
      }
  }

  /**
   * Puts in force what was written, one namespace after the other until `goOn` says no; at least one namespace, or a part of the
   * work for it: finding the members of its groups may take several calls.
   */
  enforce(goOn: () => boolean): PolicyChange[] {
    this.#measureDue();
    const changes: PolicyChange[] = [];
    for (const namespace of this.#waiting) {
      this.#waiting.delete(namespace);
      const changed = this.#enforce(namespace, goOn);
      if (changed === undefined) {
        this.#waiting.add(namespace);
        break;
      }
      if (changed.length > 0) changes.push({ namespace, changed });
      if (!goOn()) break;
    }
    return changes;
  }

  #measureDue(): void {
    if (this.#moved < this.#measureAt) return;
    this.#measureAt = Number.POSITIVE_INFINITY;
    for (const [namespace, { measureAt }] of this.#inForce) {
      if (this.#moved >= measureAt) this.#waiting.add(namespace);
      else this.#measureAt = Math.min(this.#measureAt, measureAt);
    }
  }

  /** @returns undefined: there was no time to find the members of all groups */
  #enforce(namespace: string, goOn: () => boolean): NetworkPolicy[] | undefined {
    const written = [...(this.#written.get(namespace)?.values() ?? [])];
    written.sort((a, b) => compareTexts(a.name, b.name));
    const before = this.#inForce.get(namespace) ?? NONE;
    const { inForce, excess, selectors, namespaceLabels, slack } = this.#bounds.decide(written, this.#groups);
    this.#noteAsked(namespace, namespaceLabels);
    this.#retain(
      namespace,
      before.selectors.size === 0 ? selectors : new Map([...before.selectors, ...selectors]),
    );
    if (!this.#groups.resolve(selectors.keys(), goOn)) return undefined;
    this.#retain(namespace, selectors);
    this.#noteExcess(namespace, [...before.policies, ...written], excess);
    const measureAt = this.#moved + slack;
    this.#measureAt = Math.min(this.#measureAt, measureAt);
    const changed = differing(before.policies, inForce);
    const policies = changed.length === 0 ? before.policies : inForce;
    if (policies.length === 0) this.#inForce.delete(namespace);
    else this.#inForce.set(namespace, { policies, selectors, measureAt });
    return changed;
  }

  #retain(namespace: string, after: Selectors): void {
    const before = this.#retained.get(namespace) ?? NONE.selectors;
    if (before === after) return;
    for (const [id, test] of after) if (!before.has(id)) this.#groups.retain(test, id);
    for (const [id, test] of before) if (!after.has(id)) this.#groups.release(test, id);
    if (after.size === 0) this.#retained.delete(namespace);
    else this.#retained.set(namespace, after);
  }

  #noteAsked(namespace: string, labels: ReadonlySet<string>): void {
    const before = this.#askedLabels.get(namespace);
    for (const label of before ?? []) if (!labels.has(label)) this.#byAskedLabel.delete(label, namespace);
    for (const label of labels) this.#byAskedLabel.add(label, namespace);
    if (labels.size > 0) this.#askedLabels.set(namespace, labels);
    else this.#askedLabels.delete(namespace);
  }

  #noteExcess(
    namespace: string,
    policies: readonly NetworkPolicy[],
    excess: ReadonlyMap<string, string>,
  ): void {
    if (excess.size === 0 && this.#excess.size === 0) return;
    for (const { name } of policies) {
      const why = excess.get(name);
      if (why === undefined) this.#excess.delete(objectKey(namespace, name));
      else this.#excess.set(objectKey(namespace, name), why);
    }
  }
}

/** Those that are in one of two lists only. */
function differing(before: readonly NetworkPolicy[], after: readonly NetworkPolicy[]): NetworkPolicy[] {
  if (before.length === 0) return [...after];
  const [was, is] = [new Set(before), new Set(after)];
  return [...before.filter((policy) => !is.has(policy)), ...after.filter((policy) => !was.has(policy))];
}
