import { expect, test } from 'vitest';
import { Backoff, jittered } from '../../../common/backoff.ts';

const BOUNDS = { firstMs: 100, lastMs: 1_000 };

test('without jitter the delays double up to the last, and begin again after a reset', () => {
  const backoff = new Backoff({ ...BOUNDS, jitter: false });
  expect([1, 2, 3, 4, 5, 6].map(() => backoff.next())).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  backoff.reset();
  expect(backoff.next()).toBe(100);
});

test('with jitter each delay is between half of what is due and all of it', () => {
  for (let round = 0; round < 100; round += 1) {
    const backoff = new Backoff(BOUNDS);
    for (const dueMs of [100, 200, 400, 800, 1_000, 1_000]) {
      const delayMs = backoff.next();
      expect(delayMs).toBeGreaterThanOrEqual(dueMs / 2);
      expect(delayMs).toBeLessThanOrEqual(dueMs);
    }
  }
});

test('the first delay begins at zero where many lose the same at once, and again after a reset', () => {
  for (let round = 0; round < 100; round += 1) {
    const backoff = new Backoff({ ...BOUNDS, firstFromZero: true });
    for (const [leastMs, mostMs] of [
      [0, 100],
      [100, 200],
      [200, 400],
    ] as const) {
      const delayMs = backoff.next();
      expect(delayMs).toBeGreaterThanOrEqual(leastMs);
      expect(delayMs).toBeLessThanOrEqual(mostMs);
    }
    backoff.reset();
    expect(backoff.next()).toBeLessThanOrEqual(100);
  }
  const firsts = Array.from({ length: 200 }, () => new Backoff({ ...BOUNDS, firstFromZero: true }).next());
  expect(Math.min(...firsts)).toBeLessThan(50);
});

test('two that back off together do not stay together', () => {
  const delays = Array.from({ length: 20 }, () => new Backoff(BOUNDS).next());
  expect(new Set(delays).size).toBeGreaterThan(1);
});

test('a jittered number lies between its bounds', () => {
  for (let round = 0; round < 100; round += 1) {
    const number = jittered(5, 7);
    expect(number).toBeGreaterThanOrEqual(5);
    expect(number).toBeLessThanOrEqual(7);
  }
});
