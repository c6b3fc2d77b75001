/** What differs between two versions of a list, a record or a map; what is the same object is not looked into. */

/** Members that came and went. Both lists are sorted, each member once. */
export function changedMembers(
  before: readonly string[],
  after: readonly string[],
): { readonly added: readonly string[]; readonly removed: readonly string[] } {
  const added: string[] = [];
  const removed: string[] = [];
  if (before === after) return { added, removed };
  let [old, now] = [0, 0];
  for (;;) {
    const [left, right] = [before[old], after[now]];
    if (left === undefined && right === undefined) return { added, removed };
    if (left === right) {
      old += 1;
      now += 1;
    } else if (right === undefined || (left !== undefined && left < right)) {
      removed.push(left ?? '');
      old += 1;
    } else {
      added.push(right);
      now += 1;
    }
  }
}

/** Keys whose values came, went, or are another object. */
export function changedEntries(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): readonly string[] {
  if (before === after) return [];
  const changed: string[] = [];
  const [old, now] = [Object.keys(before), Object.keys(after)];
  let added = 0;
  for (const key of now) {
    if (before[key] === after[key]) continue; // never the same by inheritance: `after` has it itself
    changed.push(key);
    if (!Object.hasOwn(before, key)) added += 1;
  }
  if (now.length - added === old.length) return changed;
  for (const key of old) if (!Object.hasOwn(after, key)) changed.push(key);
  return changed;
}

/** Entries that came and went; one whose value is another did both. */
export function changedPairs(
  before: ReadonlyMap<string, string> | undefined,
  after: ReadonlyMap<string, string>,
): {
  readonly added: readonly (readonly [string, string])[];
  readonly removed: readonly (readonly [string, string])[];
} {
  const added: [string, string][] = [];
  const removed: [string, string][] = [];
  if (before === after) return { added, removed };
  for (const pair of before ?? []) if (after.get(pair[0]) !== pair[1]) removed.push(pair);
  for (const pair of after) if (before?.get(pair[0]) !== pair[1]) added.push(pair);
  return { added, removed };
}
