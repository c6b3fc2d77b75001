import { expect, test } from 'vitest';
import { compareRounds, describeComparison } from '../../../bench/report/comparison.ts';
import type { Results } from '../../../bench/report/results.ts';
import { summarize } from '../../../bench/statistics.ts';

/** Results of one run with one metric on one path. */
function resultsOf(better: 'more' | 'less', value: number): Pick<Results, 'figures'> {
  const paths = { 'sluice-splice': summarize([value]) };
  const metrics = [{ id: 'rate', title: 'rate', unit: '1/s', better, paths }];
  return { figures: [{ name: 'f', title: '', method: '', seconds: 1, rounds: 1, failures: [], metrics }] };
}

const compare = (better: 'more' | 'less', before: readonly number[], after: readonly number[]) =>
  compareRounds(
    before.map((value) => resultsOf(better, value)),
    after.map((value) => resultsOf(better, value)),
    'sluice-splice',
  );

test('runs of the same round are compared with each other: what drifts meets both', () => {
  const [rate] = compare('more', [100, 200, 400], [90, 180, 360]);
  expect(rate).toMatchObject({ before: 200, after: 180, ratio: 0.9, low: 0.9, high: 0.9, verdict: 'worse' });
});

test.each([
  ['more', [100, 100, 100], [110, 111, 112], 'better'],
  ['less', [100, 100, 100], [110, 111, 112], 'worse'],
  ['less', [100, 100, 100], [101, 102, 103], 'same'],
  ['less', [100, 100, 100], [90, 104, 120], 'unclear'],
  ['more', [100, 100, 100], [90, 104, 120], 'same'],
] as const)('%s is better: %j and %j are %s', (better, before, after, verdict) => {
  expect(compare(better, before, after)).toMatchObject([{ verdict }]);
});

test('a metric that one of them does not have is left out', () => {
  expect(compareRounds([{ figures: [] }], [resultsOf('more', 1)], 'sluice-splice')).toEqual([]);
});

test('the table has a line for each metric', () => {
  expect(describeComparison(compare('less', [100, 100], [110, 110]))).toBe(
    'metric  before -> after  ratio (middle half)  beyond 3 %\n' +
      'rate    100 -> 110 1/s   1.10 (1.10 to 1.10)  worse\n',
  );
});
