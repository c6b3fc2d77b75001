/** Lists that may be long: how many there are, and the first few. */

import { firstFew } from '../common/first_few.ts';

/** A count, and the first of what is counted. */
export interface Listed<Item> {
  readonly count: number;
  readonly first: readonly Item[];
}

/** Items of a list that are kept where no other bound is said: names that a reader still looks at. */
const FEW = 10;

/** Keeps the first of a list. */
export function listed<Item>(items: readonly Item[], most: number = FEW): Listed<Item> {
  return { count: items.length, first: items.slice(0, most) };
}

/** `a, b and 3 more`. @param most names that are written */
export function namesText({ count, first }: Listed<string>, most: number): string {
  return firstFew(first, most, count);
}

/** `1 pod`, `12 pods`. */
export function counted(count: number, word: string, plural = `${word}s`): string {
  return `${count} ${count === 1 ? word : plural}`;
}
