/** Planning cut into steps of some 200 microseconds each. Pure: there is no clock here. */

import type { Steps } from '../../../common/steps.ts';

export { atOnce, type Steps } from '../../../common/steps.ts';

/** Elements that a loop looks at in one step. Each takes about a microsecond. */
const IN_STEP = 256;

/** Counts what a loop has done since its last pause. */
export class Pace {
  #left = IN_STEP;

  /** Whether it is time for a pause. @param work elements that were looked at since the last call */
  isDue(work = 1): boolean {
    this.#left -= work;
    if (this.#left > 0) return false;
    this.#left = IN_STEP;
    return true;
  }
}

/** A sorted copy; what compares as equal keeps its order. */
export function* sorted<T extends object>(
  list: readonly T[],
  compare: (a: T, b: T) => number,
): Steps<readonly T[]> {
  let runs: (readonly T[])[] = [];
  for (let at = 0; at < list.length; at += IN_STEP) {
    runs.push(list.slice(at, at + IN_STEP).sort(compare));
    yield;
  }
  while (runs.length > 1) {
    const longer: (readonly T[])[] = [];
    for (let at = 0; at < runs.length; at += 2)
      longer.push(yield* merged(runs[at] ?? [], runs[at + 1] ?? [], compare));
    runs = longer;
  }
  return runs[0] ?? [];
}

/** Both sorted lists as one. */
function* merged<T extends object>(
  left: readonly T[],
  right: readonly T[],
  compare: (a: T, b: T) => number,
): Steps<readonly T[]> {
  const both: T[] = [];
  const pace = new Pace();
  for (let [i, j] = [0, 0]; ; ) {
    if (pace.isDue()) yield;
    const [a, b] = [left[i], right[j]];
    if (a === undefined) return both.concat(right.slice(j));
    if (b === undefined) return both.concat(left.slice(i));
    if (compare(a, b) <= 0) {
      both.push(a);
      i += 1;
    } else {
      both.push(b);
      j += 1;
    }
  }
}
