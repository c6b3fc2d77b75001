import { expect, test } from 'vitest';
import { quantile, ratioOf, summarize } from '../../../bench/statistics.ts';

test('the median of an even number of runs is between the two in the middle, in whatever order they came', () => {
  expect(summarize([4, 1, 3, 2])).toEqual({ median: 2.5, least: 1, most: 4, runs: [4, 1, 3, 2] });
});

test('one run is its own median, least and most', () => {
  expect(summarize([7])).toMatchObject({ median: 7, least: 7, most: 7 });
});

test('no runs have no median', () => {
  expect(() => summarize([])).toThrow(RangeError);
});

test('a quantile lies between its two nearest values', () => {
  const values = Array.from({ length: 101 }, (_, index) => index * 10);
  expect(quantile(values, 0.99)).toBeCloseTo(990);
  expect(quantile([10, 20], 0.25)).toBeCloseTo(12.5);
});

test('a ratio is that of the medians, and its spread that of runs of the same round', () => {
  const slow = summarize([10, 20, 30]);
  const fast = summarize([5, 5, 10]);
  expect(ratioOf(slow, fast)).toEqual({ ratio: 4, least: 2, most: 4 });
});
