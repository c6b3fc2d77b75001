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
import { didYouMean, listed, type NearLabel, nearLabels } from '../model/index.ts';
import { elsewhere, type Searched } from './elsewhere.ts';

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
  /** Of pods: the one other namespace that has what is asked for. */
  readonly elsewhere?: string;
}

/**
 * @param path of the selector
 * @param present the labels of all that could be meant
 * @param noun what has them: `pod`
 * @param searched where pods were looked for; absent for namespaces
 */
export function unmetSelector(
  selector: LabelSelector,
  path: FieldPath,
  present: readonly Labels[],
  noun: string,
  searched?: Searched,
): Unmet {
  const requirements = requirementsOf(selector);
  const at = requirements.findIndex(
    (requirement) => !present.some((labels) => meetsRequirement(requirement, labels)),
  );
  const unmet = requirements[at];
  const others = searched && elsewhere(searched, selector, unmet);
  const nobody = others === undefined ? `no ${noun}` : `no ${noun} in ${namespacesText(searched)}`;
  const there = others === undefined ? '' : `; ${others.text}`;
  const other = others?.namespace === undefined ? {} : { elsewhere: others.namespace };
  if (unmet === undefined)
    return {
      path,
      text: `${nobody} has all of ${formatSelector(selector)}${there}`,
      hasNear: false,
      ...other,
    };
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
  const text = `${nobody} has ${formatRequirement(unmet)}${there}`;
  // What is there by this very label is more likely meant than a label like it.
  if (unmet.operator === 'Exists' || others !== undefined)
    return { path: placed, text, hasNear: false, ...other };
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

function namespacesText(searched: Searched | undefined): string {
  const names = searched?.namespaces ?? [];
  return names.length === 1 ? `namespace ${names.join()}` : `namespaces ${listed(names)}`;
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
