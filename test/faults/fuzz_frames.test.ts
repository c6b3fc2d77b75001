/** The fuzzer of what an injector sends: CI's half minute. `npm run fuzz -- frames --inputs 1e7` runs ten million. */
import { expect } from 'vitest';
import { fuzzTest } from '../fuzz/fuzz_test.ts';
import { framesTarget } from '../fuzz/targets/frames.ts';

fuzzTest(framesTarget, ({ counts }) => {
  for (const kind of ['snapshots', 'changes', 'outlines'])
    expect(counts.of(`accepted ${kind}`)).toBeGreaterThan(0);
  expect(counts.of('refused')).toBeGreaterThan(0);
});
