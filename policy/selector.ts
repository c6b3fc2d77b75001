/** Label selectors: matching, and the canonical text that names one. Source: `metav1.LabelSelector`. */

import { compareTexts, ownEntry, sortedRecord } from './key.ts';
import type { LabelSelector, LabelSelectorRequirement, Labels } from './model.ts';

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
    // operator Exists: the key is present, whatever its value.
    case 'Exists':
      return value !== undefined;
    // operator DoesNotExist: the key is missing.
    case 'DoesNotExist':
      return value === undefined;
    default:
      return requirement satisfies never;
  }
}

/** All requirements of a selector, `matchLabels` first. */
export function requirementsOf(selector: LabelSelector): Requirement[] {
  const equals = Object.entries(selector.matchLabels).map(
    ([key, value]): Requirement => ({ operator: 'Equals', key, value }),
  );
  return [...equals, ...selector.matchExpressions];
}

/** Whether labels match a selector. `matchLabels` and `matchExpressions` are and-ed; an empty selector matches all. */
export function matchesSelector(selector: LabelSelector, labels: Labels): boolean {
  for (const key of Object.keys(selector.matchLabels)) {
    if (ownEntry(labels, key) !== selector.matchLabels[key]) return false;
  }
  for (const requirement of selector.matchExpressions) {
    if (!meetsRequirement(requirement, labels)) return false;
  }
  return true;
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
      return requirement satisfies never;
  }
}

/** A selector for people: `app=web,tier in (a,b)`; `*` when it matches everything. */
export function formatSelector(selector: LabelSelector): string {
  const requirements = requirementsOf(selector);
  return requirements.length === 0 ? '*' : requirements.map(formatRequirement).join(',');
}

/** The same selector with labels, expressions and values in order: equal meaning as written gives equal data. */
export function canonicalSelector(selector: LabelSelector): LabelSelector {
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
