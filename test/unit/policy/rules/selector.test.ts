/** Label selectors: large ones mean what small ones mean, and cost little more. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { LabelSelector, LabelSelectorRequirement } from '../../../../policy/index.ts';
import { matchesSelector, meetsRequirement, requirementsOf } from '../../../../policy/rules/selector.ts';

const KEYS = ['a', 'b', 'constructor'];
const VALUES = ['', 'x', 'y', ...Array.from({ length: 12 }, (_, i) => `v${i}`)];

const key = fc.constantFrom(...KEYS);
const labels = fc.dictionary(key, fc.constantFrom(...VALUES.slice(0, 4)));

const requirement: fc.Arbitrary<LabelSelectorRequirement> = fc.oneof(
  fc.record({
    key,
    operator: fc.constantFrom('In' as const, 'NotIn' as const),
    values: fc.array(fc.constantFrom(...VALUES), { minLength: 1, maxLength: 20 }),
  }),
  fc.record({
    key,
    operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const),
    values: fc.constant([]),
  }),
);

const selector: fc.Arbitrary<LabelSelector> = fc.record({
  matchLabels: labels,
  matchExpressions: fc.oneof(
    fc.array(requirement, { maxLength: 3 }),
    // Most of many requirements contradict each other: some of the same kind may be met.
    fc.tuple(requirement, fc.integer({ min: 9, max: 12 })).map(([one, count]) => Array(count).fill(one)),
    fc.array(requirement, { minLength: 9, maxLength: 12 }),
  ),
});

it('matches where each requirement is met, however many there are', () => {
  let [met, large] = [0, 0];
  fc.assert(
    fc.property(selector, labels, (selector, labels) => {
      const each = requirementsOf(selector).every((one) => meetsRequirement(one, labels));
      expect(matchesSelector(selector, labels)).toBe(each);
      if (selector.matchExpressions.length > 8) large += 1;
      if (each) met += 1;
    }),
    { numRuns: 3_000 },
  );
  expect(met).toBeGreaterThan(100);
  expect(large).toBeGreaterThan(100);
});

it.each([
  ['expressions', { operator: 'DoesNotExist' as const, values: () => [] }, 10_000],
  [
    'values',
    { operator: 'NotIn' as const, values: () => Array.from({ length: 10_000 }, (_, i) => `v${i}`) },
    1,
  ],
])(
  'tries as many %s as one policy may have on each of 10,000 pods without stopping all else',
  (_what, form, count) => {
    const selector: LabelSelector = {
      matchLabels: {},
      matchExpressions: Array.from({ length: count }, (_, i) => ({
        key: count === 1 ? 'app' : `k${i}`,
        operator: form.operator,
        values: form.values(),
      })),
    };
    const beganMs = performance.now();
    let matching = 0;
    for (let pod = 0; pod < 10_000; pod += 1)
      if (matchesSelector(selector, { app: `web${pod}` })) matching += 1;
    expect(matching).toBe(10_000);
    // Some ms; one after the other they take seconds.
    expect(performance.now() - beganMs).toBeLessThan(250);
  },
);
