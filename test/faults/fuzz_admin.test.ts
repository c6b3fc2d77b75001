/** The fuzzer of the admin port: CI's half minute. `npm run fuzz -- admin` runs for long. */
import { expect } from 'vitest';
import { fuzzTest } from '../fuzz/fuzz_test.ts';
import { adminTarget } from '../fuzz/targets/admin.ts';

fuzzTest(adminTarget, ({ counts }) => {
  expect(counts.of('answer 200')).toBeGreaterThan(0);
  expect(counts.of('answer 400')).toBeGreaterThan(0);
  expect(counts.of('answer 431')).toBeGreaterThan(0);
});
