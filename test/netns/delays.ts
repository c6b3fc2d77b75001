/** Delays that a change may take. */
import { expect } from 'vitest';

/**
 * Rounds, of which the third best counts: busy moments of the machine do not, nor do the first rounds, in which Node still
 * compiles what it runs.
 */
const ROUNDS = 7;
const COUNTED = 2;

/**
 * Does something several times; the 99th percentile of its delays is within `limitMs` in at least three rounds. Prints all
 * it saw.
 * @param round the delays of one round, ms
 * @returns how many rounds there were
 */
export async function expectP99Within(
  limitMs: number,
  round: () => Promise<readonly number[]>,
): Promise<number> {
  const p99s: number[] = [];
  while (p99s.length < ROUNDS) {
    const delays = (await round()).toSorted((a, b) => a - b);
    expect(delays).not.toEqual([]);
    p99s.push(delays[Math.ceil(delays.length * 0.99) - 1] ?? Number.NaN);
  }
  console.info(`p99 from the change on, ms: ${p99s.map((delay) => delay.toFixed()).join(', ')}`);
  expect(p99s.toSorted((a, b) => a - b)[COUNTED]).toBeLessThanOrEqual(limitMs);
  return ROUNDS;
}
