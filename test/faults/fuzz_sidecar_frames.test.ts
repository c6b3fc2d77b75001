/** The fuzzer of what sidecars send: CI's half minute. `npm run fuzz -- sidecar-frames` runs for long. */
import { expect } from 'vitest';
import { fuzzTest } from '../fuzz/fuzz_test.ts';
import { sidecarFramesTarget } from '../fuzz/targets/sidecar_frames.ts';

fuzzTest(sidecarFramesTarget, ({ counts }) => {
  expect(counts.of('snapshot')).toBeGreaterThan(0);
  expect(counts.of('refused')).toBeGreaterThan(0);
});
