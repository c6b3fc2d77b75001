/** Label selectors: matching, and the canonical text that names one. Source: `metav1.LabelSelector`. */

import { unreachable } from '../../common/errors.ts';
import { compareTexts, ownEntry, sortedRecord } from '../key.ts';
import type { LabelSelector, LabelSelectorRequirement, Labels } from '../model.ts';

/** One requirement of a selector, `matchLabels` entries included. */
export type Requirement =
  | { readonly operator: 'Equals'; readonly key: string; readonly value: string }
  | LabelSelectorRequirement;

/** Whether labels meet one requirement. */
export function meetsRequirement(requirement: Requirement, labels: Labels): boolean {
  const value = ownEntry(labels, requirement.key);
  switch (requirement.operator) {
    // matchLabels: the key must be present with exactly this value; an empty value still needs the key.
    case 'Equals':
      return value === requirement.value;
    // operator In: the key is present and its value is one of `values`.
    case 'In':
      return value !== undefined && requirement.values.includes(value);
    // operator NotIn: the value is none of `values`; an object without the key matches too.
    case 'NotIn':
      return value === undefined || !requirement.values.includes(value);
    // operator Exists: the key is present, with any value.
    case 'Exists':
      return value !== undefined;
    // operator DoesNotExist: the key is missing.
    case 'DoesNotExist':
      return value === undefined;
    default:
      return unreachable(requirement);
  }
}

/** All requirements of a selector, `matchLabels` first. */
export function requirementsOf(selector: LabelSelector): Requirement[] {
  const equals = Object.entries(selector.matchLabels).map(
    ([key, value]): Requirement => ({ operator: 'Equals', key, value }),
  );
  return [...equals, ...selector.matchExpressions];
}

/** A selector with more requirements, or an expression with more values, gets an index instead of being gone through. */
const FEW = 8;

/** Large selectors by key: made once for each. */
const indexes = new WeakMap<LabelSelector, SelectorIndex>();

/**
 * Whether labels match a selector. `matchLabels` and `matchExpressions` are and-ed; an empty selector matches all. The cost
 * grows with the labels or with the selector, and with no more than the smaller of the two.
 */
export function matchesSelector(selector: LabelSelector, labels: Labels): boolean {
  const { matchExpressions } = selector;
  const keys = Object.keys(selector.matchLabels);
  if (
    keys.length + matchExpressions.length > FEW ||
    matchExpressions.some(({ values }) => values.length > FEW)
  ) {
    const index = indexes.get(selector) ?? new SelectorIndex(selector);
    indexes.set(selector, index);
    return index.matches(labels);
  }
  for (const key of keys) {
    if (ownEntry(labels, key) !== selector.matchLabels[key]) return false;
  }
  for (const requirement of matchExpressions) {
    if (!meetsRequirement(requirement, labels)) return false;
  }
  return true;
}

/** All requirements of a selector together, by key. */
class SelectorIndex {
  /** Keys that must be there; undefined: with any value. */
  readonly #wanted = new Map<string, ReadonlySet<string> | undefined>();
  /** Keys that must not have one of these values; undefined: any. */
  readonly #unwanted = new Map<string, Set<string> | undefined>();

  constructor(selector: LabelSelector) {
    for (const requirement of requirementsOf(selector)) this.#add(requirement);
  }

  #add(requirement: Requirement): void {
    const { key } = requirement;
    switch (requirement.operator) {
      case 'Equals':
        return this.#want(key, new Set([requirement.value]));
      case 'In':
        return this.#want(key, new Set(requirement.values));
      case 'Exists':
        return this.#want(key, undefined);
      case 'NotIn': {
        const known = this.#unwanted.get(key);
        if (known === undefined && this.#unwanted.has(key)) return;
        const values = known ?? new Set<string>();
        for (const value of requirement.values) values.add(value);
        this.#unwanted.set(key, values);
        return;
      }
      case 'DoesNotExist':
        this.#unwanted.set(key, undefined);
        return;
      default:
        return unreachable(requirement);
    }
  }

  #want(key: string, values: ReadonlySet<string> | undefined): void {
    const known = this.#wanted.get(key);
    this.#wanted.set(
      key,
      known === undefined || values === undefined ? (known ?? values) : meet(known, values),
    );
  }

  matches(labels: Labels): boolean {
    for (const [key, values] of this.#wanted) {
      const value = ownEntry(labels, key);
      if (value === undefined || values?.has(value) === false) return false;
    }
    if (this.#unwanted.size === 0) return true;
    for (const [key, value] of Object.entries(labels)) {
      if (!this.#unwanted.has(key)) continue;
      const values = this.#unwanted.get(key);
      if (values === undefined || values.has(value)) return false;
    }
    return true;
  }
}

/** What is in both; goes through the smaller one. */
function meet(a: ReadonlySet<string>, b: ReadonlySet<string>): ReadonlySet<string> {
  const [small, large] = a.size < b.size ? [a, b] : [b, a];
  return new Set([...small].filter((value) => large.has(value)));
}

/** Whether a selector has no requirement at all, so that it matches everything. */
export function isEmptySelector(selector: LabelSelector): boolean {
  return Object.keys(selector.matchLabels).length === 0 && selector.matchExpressions.length === 0;
}

/** One requirement for people, in the notation of `kubectl -l`. */
export function formatRequirement(requirement: Requirement): string {
  switch (requirement.operator) {
    case 'Equals':
      return `${requirement.key}=${requirement.value}`;
    case 'In':
      return `${requirement.key} in (${requirement.values.join(',')})`;
    case 'NotIn':
      return `${requirement.key} notin (${requirement.values.join(',')})`;
    case 'Exists':
      return requirement.key;
    case 'DoesNotExist':
      return `!${requirement.key}`;
    default:
      return unreachable(requirement);
  }
}

/** A selector for people: `app=web,tier in (a,b)`; `*` when it matches everything. */
export function formatSelector(selector: LabelSelector): string {
  const requirements = requirementsOf(selector);
  return requirements.length === 0 ? '*' : requirements.map(formatRequirement).join(',');
}

/** The same selector with labels, expressions and values in order, so that selectors that say the same are equal data. */
export function canonicalSelector(selector: LabelSelector): LabelSelector {
  // As most are: there is nothing to be put in order.
  if (selector.matchExpressions.length === 0 && Object.keys(selector.matchLabels).length < 2) return selector;
  const expressions = selector.matchExpressions.map((requirement) => ({
    key: requirement.key,
    operator: requirement.operator,
    values: [...new Set(requirement.values)].sort(compareTexts),
  }));
  const byText = new Map(expressions.map((requirement) => [formatRequirement(requirement), requirement]));
  return {
    matchLabels: sortedRecord(Object.entries(selector.matchLabels)),
    matchExpressions: Object.values(sortedRecord(byText)),
  };
}
