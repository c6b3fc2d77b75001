/** Delays that a change may take. */
import { expect } from 'vitest';

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
  while (p99s.length < ROUNDS) {
    const delays = (await round()).toSorted((a, b) => a - b);
    expect(delays).not.toEqual([]);
    p99s.push(delays[Math.ceil(delays.length * 0.99) - 1] ?? Number.NaN);
  }
  console.info(`p99 from the change on, ms: ${p99s.map((delay) => delay.toFixed()).join(', ')}`);
  expect(p99s.toSorted((a, b) => a - b)[ROUNDS >> 1]).toBeLessThanOrEqual(limitMs);
  return ROUNDS;
}
