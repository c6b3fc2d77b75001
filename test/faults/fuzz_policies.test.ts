/** Half a minute of random policies, judged directly, by compiled tables and by the gate's rules. */
import { expect } from 'vitest';
import { fuzzTest } from '../fuzz/fuzz_test.ts';
import { policiesTarget } from '../fuzz/targets/policies.ts';

fuzzTest(policiesTarget, ({ counts }) => {
  for (const seen of ['allow', 'deny', 'services served', 'services denied', 'tables']) {
    expect([seen, counts.of(seen) > 0]).toEqual([seen, true]);
  }
});
