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

/** A selector with a choice of values as one for each of the values; of several choices one at a time. */
export function variantsOf(selector: LabelSelector): readonly LabelSelector[] {
  const { matchLabels, matchExpressions } = selector;
  const found = matchExpressions.flatMap((choice): readonly LabelSelector[] => {
    if (choice.operator !== 'In' || choice.values.length < 2) return [];
    return choice.values
      .filter((value) => !Object.hasOwn(matchLabels, choice.key) || matchLabels[choice.key] === value)
      .map((value) => ({
        matchLabels: { ...matchLabels, [choice.key]: value },
        matchExpressions: matchExpressions.filter((other) => other !== choice),
      }));
  });
  return found.length > 0 ? found : [selector];
}
