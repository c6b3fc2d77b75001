/** What somebody may have meant by a label, a name or a field that is not there. */
import { editDistance } from '../../common/edit_distance.ts';
import { firstFew } from '../../common/first_few.ts';
import { type Labels, likeliestKeys } from '../../policy/index.ts';

/** Characters beyond which nothing is compared: no name of the API is longer. */
const MAX_LENGTH = 512;

/** Labels, of which those that are like another are looked for: more are not gone through. */
const MAX_LABELS = 5_000;

/** Edits after which two words no longer look alike: a third of the length, at least 1. */
function tolerance(word: string): number {
  return Math.max(1, Math.floor(word.length / 3));
}

/** Words like one, nearest first. Only those that are nearest of all, so that one of them is no guess. */
export function nearest(word: string, known: Iterable<string>): readonly string[] {
  if (word.length > MAX_LENGTH) return [];
  let least = tolerance(word);
  let found: string[] = [];
  for (const other of new Set(known)) {
    const distance = editDistance(word, other, least);
    if (distance === undefined || distance === 0) continue;
    if (distance < least) found = [];
    least = distance;
    found.push(other);
  }
  return found.sort();
}

/** A label that somebody has, and how it differs from the one that was asked for. */
export interface NearLabel {
  readonly key: string;
  readonly value: string;
}

/** Labels like `key=value`: the same value under another key first, then values like it, then keys like it with that value. */
export function nearLabels(key: string, value: string, present: Iterable<Labels>): readonly NearLabel[] {
  const values = new Map<string, Set<string>>();
  let count = 0;
  for (const labels of present) {
    count += 1;
    if (count > MAX_LABELS) break;
    for (const [one, its] of Object.entries(labels)) values.set(one, (values.get(one) ?? new Set()).add(its));
  }
  const alike = nearest(value, values.get(key) ?? []).map((near) => ({ key, value: near }));
  const holders = [...values].flatMap(([other, its]) => (its.has(value) ? [other] : []));
  const { keys, isLike } = likeliestKeys(key, holders);
  const elsewhere = keys.map((other) => ({ key: other, value }));
  if (isLike) return elsewhere;
  return alike.length > 0 ? alike : elsewhere;
}

/** `; did you mean app=cart?`, or nothing. */
export function didYouMean(near: readonly string[]): string {
  return near.length === 0 ? '' : `; did you mean ${near.slice(0, MAX_OFFERED).join(' or ')}?`;
}

/** How many are offered. */
const MAX_OFFERED = 2;

/** Names, the first few, and how many more there are. */
export function listed(names: readonly string[], most = 4): string {
  return firstFew([...new Set(names)], most);
}

/** `1 workload`, `12 workloads`. */
export function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
