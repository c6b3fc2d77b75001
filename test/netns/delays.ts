/** Delays that a change may take. */
import { expect } from 'vitest';

/** In the first rounds Node still compiles what it runs: they are not counted. */
const WARM_UP = 2;

/** Of so many the one in the middle counts: a busy moment of the machine does not. */
const ROUNDS = 5;

/**
 * Does something several times; the 99th percentile of its delays is within `limitMs` in most rounds. Prints all it saw.
 * @param round the delays of one round, ms
 * @returns how many rounds there were
 */
export async function expectP99Within(
  limitMs: number,
  round: () => Promise<readonly number[]>,
): Promise<number> {
  const p99s: number[] = [];
  while (p99s.length < WARM_UP + ROUNDS) {
    const delays = (await round()).toSorted((a, b) => a - b);
    expect(delays).not.toEqual([]);
    p99s.push(delays[Math.ceil(delays.length * 0.99) - 1] ?? Number.NaN);
  }
  console.info(`p99 from the change on, ms: ${p99s.map((delay) => delay.toFixed()).join(', ')}`);
  const counted = p99s.slice(WARM_UP).toSorted((a, b) => a - b);
  expect(counted[ROUNDS >> 1]).toBeLessThanOrEqual(limitMs);
  return p99s.length;
}
