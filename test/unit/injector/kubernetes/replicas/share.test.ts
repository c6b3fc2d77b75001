/** How many sidecars a replica lets go. */
import { expect, test } from 'vitest';
import { excessOf } from '../../../../../injector/kubernetes/replicas/share.ts';

test.each([
  { what: 'all alike', own: 100, others: [100, 100], excess: 0 },
  { what: 'up to a fifth more', own: 120, others: [90, 90], excess: 0 },
  { what: 'more than that', own: 126, others: [87, 87], excess: 26 },
  { what: 'the last of three has none after a rolling restart', own: 167, others: [133, 0], excess: 67 },
  { what: 'few above the mean, though it is a large share of it', own: 33, others: [27, 0], excess: 0 },
  { what: 'of two replicas one has all', own: 40, others: [0], excess: 20 },
  { what: 'fewer than the others', own: 10, others: [500, 500], excess: 0 },
  { what: 'nobody anywhere', own: 0, others: [0, 0], excess: 0 },
])('$what: $excess of $own', ({ own, others, excess }) => {
  expect(excessOf(own, others, false)).toBe(excess);
});

test('one that has begun goes on down to the mean', () => {
  expect(excessOf(110, [95, 95], false)).toBe(0);
  expect(excessOf(110, [95, 95], true)).toBe(10);
  expect(excessOf(100, [100, 100], true)).toBe(0);
  expect(excessOf(100, [101, 100], true)).toBe(0);
});
