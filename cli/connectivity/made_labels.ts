/** Labels for pods and namespaces that do not exist: just those that a selector asks for. */
import { type LabelSelector, type Labels, matchesSelector, requirementsOf } from '../../policy/index.ts';

/** Stands for a value where any will do, and in names of namespaces, which cannot hold it. */
export const ANY = '*';

/** Labels that a selector selects and that have nothing else; undefined where it selects nothing. */
export function labelsFor(selector: LabelSelector | undefined): Labels | undefined {
  if (selector === undefined) return {};
  const labels: Record<string, string> = {};
  for (const requirement of requirementsOf(selector)) {
    const { key } = requirement;
    if (requirement.operator === 'Equals') labels[key] = requirement.value;
    // What another requirement has set may do.
    else if (requirement.operator === 'In' && !Object.hasOwn(labels, key))
      labels[key] = requirement.values[0] ?? ANY;
    else if (requirement.operator === 'Exists' && !Object.hasOwn(labels, key)) labels[key] = ANY;
  }
  return matchesSelector(selector, labels) ? labels : undefined;
}

/** Values that selectors leave out, by key; of a selector that wants no such label it is `ANY`. */
export type LeftOutValues = ReadonlyMap<string, ReadonlySet<string>>;

/** What some selectors leave out. @param most values of all keys together @returns also how many are beyond that */
export function leftOutValues(
  selectors: Iterable<LabelSelector>,
  most: number,
): { readonly values: LeftOutValues; readonly beyond: number } {
  const values = new Map<string, Set<string>>();
  let count = 0;
  for (const { matchExpressions } of selectors)
    for (const { key, operator, values: named } of matchExpressions) {
      if (operator !== 'NotIn' && operator !== 'DoesNotExist') continue;
      const own = values.get(key) ?? new Set<string>();
      values.set(key, own);
      for (const value of operator === 'NotIn' ? named : [ANY]) {
        if (own.has(value)) continue;
        count += 1;
        if (count <= most) own.add(value);
      }
    }
  return { values, beyond: Math.max(0, count - most) };
}

/**
 * A selector with a choice of values as one for each of the values; of several choices one at a time. With each value that others
 * leave out and this one does not: who has it is told apart by that.
 */
export function variantsOf(selector: LabelSelector, leftOut: LeftOutValues): readonly LabelSelector[] {
  const { matchLabels, matchExpressions } = selector;
  const without = (key: string) => matchExpressions.filter((other) => other.key !== key);
  const chosen = matchExpressions.flatMap((choice): readonly LabelSelector[] => {
    if (choice.operator !== 'In' || choice.values.length < 2) return [];
    return choice.values
      .filter((value) => !Object.hasOwn(matchLabels, choice.key) || matchLabels[choice.key] === value)
      .map((value) => ({
        matchLabels: { ...matchLabels, [choice.key]: value },
        matchExpressions: matchExpressions.filter((other) => other !== choice),
      }));
  });
  const admitted = [...leftOut].flatMap(([key, values]): readonly LabelSelector[] => {
    const own = matchExpressions.filter((one) => one.key === key);
    const isBound = own.some(({ operator }) => operator === 'In' || operator === 'DoesNotExist');
    if (isBound || Object.hasOwn(matchLabels, key)) return [];
    const refused = new Set(own.flatMap((one) => one.values));
    return [...values]
      .filter((value) => !refused.has(value))
      .map((value) =>
        value === ANY
          ? { matchLabels, matchExpressions: [...without(key), { key, operator: 'Exists', values: [] }] }
          : { matchLabels: { ...matchLabels, [key]: value }, matchExpressions: without(key) },
      );
  });
  return [...(chosen.length > 0 ? chosen : [selector]), ...admitted];
}
