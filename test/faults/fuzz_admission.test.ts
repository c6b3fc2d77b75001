/** The fuzzer of admission reviews: CI's half minute. `npm run fuzz -- admission` runs for long. */
import { expect } from 'vitest';
import { fuzzTest } from '../fuzz/fuzz_test.ts';
import { admissionTarget } from '../fuzz/targets/admission.ts';

fuzzTest(admissionTarget, ({ counts }) => {
  expect(counts.of('injected')).toBeGreaterThan(0);
  expect(counts.of('refused')).toBeGreaterThan(0);
});
