/** Label selectors of API objects. Source: `metav1.LabelSelector`. */

import type { LabelSelector, LabelSelectorRequirement } from '../model.ts';
import type { Field } from './field.ts';
import { readLabels } from './parse_metadata.ts';
import { labelKeyProblems, labelValueProblems } from './syntax.ts';

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

function readRequirement(field: Field): LabelSelectorRequirement | undefined {
  if (!field.object(['key', 'operator', 'values'])) return undefined;
  const keyField = field.child('key');
  const key = keyField.text() ?? '';
  // key: a label's key; it is required.
  if (keyField.isAbsent) keyField.required();
  else keyField.malformedAll(labelKeyProblems(key));

  const operatorField = field.child('operator');
  const operator = OPERATORS.find((word) => word === operatorField.value);
  // operator: one of In, NotIn, Exists and DoesNotExist, spelt so.
  if (operator === undefined) operatorField.invalid('not a valid selector operator');

  const valuesField = field.child('values');
  const values = valuesField.items().map((item) => {
    const value = item.isAbsent ? '' : (item.text() ?? '');
    item.malformedAll(labelValueProblems(value));
    return value;
  });
  const takesValues = operator === 'In' || operator === 'NotIn';
  // values: at least one for In and NotIn, none for Exists and DoesNotExist.
  if (takesValues && values.length === 0) {
    valuesField.required("must be specified when `operator` is 'In' or 'NotIn'");
  }
  if (operator !== undefined && !takesValues && values.length > 0) {
    valuesField.forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
  }
  return operator === undefined ? undefined : { key, operator, values };
}

/** Reads a label selector. Absent reads as the empty one, which matches everything. */
export function readSelector(field: Field): LabelSelector {
  field.object(['matchLabels', 'matchExpressions']);
  return {
    matchLabels: readLabels(field.child('matchLabels')),
    matchExpressions: field
      .child('matchExpressions')
      .items()
      .map(readRequirement)
      .filter((requirement) => requirement !== undefined),
  };
}
