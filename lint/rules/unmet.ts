/** Why a selector selects nobody, and what may have been meant. */
import {
  formatRequirement,
  formatSelector,
  type LabelSelector,
  type Labels,
  matchesSelector,
  meetsRequirement,
  type Requirement,
  requirementsOf,
} from '../../policy/index.ts';
import type { FieldPath } from '../../sources/index.ts';
import type { Fix } from '../finding.ts';
import { didYouMean, type NearLabel, nearLabels } from '../model/index.ts';

/** What is to be said of a selector that matches none of some labels. */
export interface Unmet {
  /** The requirement that is to blame, else the selector. */
  readonly path: FieldPath;
  /** `no pod has app=chekout; did you mean app=checkout?`. */
  readonly text: string;
  /** Something like it is there. */
  readonly hasNear: boolean;
  /** It asks for pods without a label, and all have it: the one that is meant may come later. */
  readonly isNegative?: true;
  readonly fix?: Fix;
}

/**
 * @param path of the selector
 * @param present the labels of all that could be meant
 * @param noun what has them: `pod`
 */
export function unmetSelector(
  selector: LabelSelector,
  path: FieldPath,
  present: readonly Labels[],
  noun: string,
): Unmet {
  const requirements = requirementsOf(selector);
  const at = requirements.findIndex(
    (requirement) => !present.some((labels) => meetsRequirement(requirement, labels)),
  );
  const unmet = requirements[at];
  if (unmet === undefined)
    return { path, text: `no ${noun} has all of ${formatSelector(selector)}`, hasNear: false };
  const placed = [...path, ...requirementPath(selector, at, unmet)];
  if (unmet.operator === 'DoesNotExist' || unmet.operator === 'NotIn') {
    const values = unmet.operator === 'NotIn' ? ` in (${unmet.values.join(',')})` : '';
    return {
      path: placed,
      text: `every ${noun} has ${unmet.key}${values}`,
      hasNear: false,
      isNegative: true,
    };
  }
  const text = `no ${noun} has ${formatRequirement(unmet)}`;
  if (unmet.operator === 'Exists') return { path: placed, text, hasNear: false };
  const values = unmet.operator === 'Equals' ? [unmet.value] : unmet.values;
  const near = values.flatMap((value) => nearLabels(unmet.key, value, present));
  const fix = unmet.operator === 'Equals' ? fixOf(selector, unmet, near, placed, present) : undefined;
  return {
    path: placed,
    text: `${text}${didYouMean(near.map(({ key, value }) => `${key}=${value}`))}`,
    hasNear: near.length > 0,
    ...(fix === undefined ? {} : { fix }),
  };
}

function requirementPath({ matchLabels }: LabelSelector, at: number, { key }: Requirement): FieldPath {
  const labels = Object.keys(matchLabels).length;
  return at < labels ? ['matchLabels', key] : ['matchExpressions', at - labels];
}

/** `web-v1` and `web-v2`: no slip of the pen. Which of them is meant only somebody who knows can say. */
function isOtherVersion(value: string, other: string): boolean {
  return value !== other && value.replaceAll(/\d+/g, '') === other.replaceAll(/\d+/g, '');
}

/** Done by itself where one label only is like it by a slip, and the selector then selects somebody. */
function fixOf(
  selector: LabelSelector,
  unmet: Extract<Requirement, { operator: 'Equals' }>,
  near: readonly NearLabel[],
  path: FieldPath,
  present: readonly Labels[],
): Fix | undefined {
  const [only, ...others] = near;
  if (only === undefined) return undefined;
  const { [unmet.key]: _, ...rest } = selector.matchLabels;
  const mended = { ...selector, matchLabels: { ...rest, [only.key]: only.value } };
  const text = `${only.key}: ${only.value}`;
  const isClear =
    others.length === 0 &&
    !isOtherVersion(unmet.value, only.value) &&
    !Object.hasOwn(rest, only.key) &&
    present.some((labels) => matchesSelector(mended, labels));
  if (!isClear) return { text };
  return {
    text,
    edits: [
      only.key === unmet.key
        ? { kind: 'set', path, value: only.value }
        : { kind: 'rename', path, key: only.key },
    ],
  };
}
