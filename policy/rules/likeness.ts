/** What somebody may have meant by a label that a peer does not have. */
import { editDistance } from '../../common/edit_distance.ts';
import { ownEntry } from '../key.ts';
import type { Labels } from '../model.ts';
import type { Meant } from '../verdict.ts';
import { NAMESPACE_NAME_LABEL } from './ownership.ts';
import type { Requirement } from './selector.ts';

/** Edits that a slip may have, at most; and it may be no more than every third character. */
const MAX_EDITS = 2;
const CHARACTERS_AN_EDIT = 3;

/** Labels of a peer that are looked at for a value: an object may have many thousands. */
const MAX_LABELS = 64;

/** Undefined where nothing is like it, or a requirement does not ask for one value. */
export function meantLabel(requirement: Requirement, labels: Labels): Meant | undefined {
  const wanted = singleValue(requirement);
  if (wanted === undefined || wanted === '') return undefined;
  const value = ownEntry(labels, requirement.key);
  if (value !== undefined && isSlip(wanted, value)) return { kind: 'value', value };
  const found: string[] = ownEntry(labels, NAMESPACE_NAME_LABEL) === wanted ? [NAMESPACE_NAME_LABEL] : [];
  let looked = 0;
  for (const key of Object.keys(labels)) {
    looked += 1;
    if (looked > MAX_LABELS) break;
    if (ownEntry(labels, key) === wanted) found.push(key);
  }
  const [key] = likeliestKeys(requirement.key, found).keys;
  return key === undefined ? undefined : { kind: 'key', key };
}

/**
 * Of keys that all have the value that was wanted, those that are likeliest meant: the name of a namespace, which nobody can
 * set; else keys like the one that was written; else all of them.
 * @returns also whether the likeness of the key speaks for them, and not the value alone
 */
export function likeliestKeys(
  wanted: string,
  keys: readonly string[],
): { readonly keys: readonly string[]; readonly isLike: boolean } {
  if (keys.includes(NAMESPACE_NAME_LABEL)) return { keys: [NAMESPACE_NAME_LABEL], isLike: true };
  const like = keys.filter((key) => likeKeys(wanted, key));
  return like.length > 0 ? { keys: like, isLike: true } : { keys, isLike: false };
}

/** `name` and `app.kubernetes.io/name`, `app` and `apps`: the same word, with or without a prefix, or one like it. */
function likeKeys(a: string, b: string): boolean {
  const [last, other] = [lastPart(a), lastPart(b)];
  return last === other || other.endsWith(`.${last}`) || editDistance(last, other, 1) !== undefined;
}

function lastPart(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

/** The value that a requirement asks for, where it asks for one alone. */
export function singleValue(requirement: Requirement): string | undefined {
  if (requirement.operator === 'Equals') return requirement.value;
  return requirement.operator === 'In' && requirement.values.length === 1 ? requirement.values[0] : undefined;
}

function isSlip(wanted: string, got: string): boolean {
  const limit = Math.min(MAX_EDITS, Math.floor(Math.min(wanted.length, got.length) / CHARACTERS_AN_EDIT));
  return limit > 0 && editDistance(wanted, got, limit) !== undefined;
}
