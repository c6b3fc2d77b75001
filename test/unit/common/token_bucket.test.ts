import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TokenBucket } from '../../../common/token_bucket.ts';

const LIMITS = { burst: 3, perSecond: 2 };

test('as many as the burst are taken at once, then one whenever the rate has earned it', () => {
  const bucket = new TokenBucket(LIMITS, 1_000);
  const taken = (nowMs: number) => bucket.take(nowMs);
  expect([1_000, 1_000, 1_000, 1_000, 1_499, 1_500, 1_500, 2_000].map(taken)).toEqual([
    true,
    true,
    true,
    false,
    false,
    true,
    false,
    true,
  ]);
});

test('a quiet time fills it up to the burst and no further', () => {
  const bucket = new TokenBucket(LIMITS, 0);
  while (bucket.take(0));
  expect([bucket.left(0), bucket.isFull(1_499), bucket.isFull(1_500)]).toEqual([0, false, true]);
  expect(bucket.left(60_000)).toBe(3);
});

test('what is spent beyond what there is, is owed', () => {
  const bucket = new TokenBucket(LIMITS, 0);
  bucket.spend(5, 0);
  expect([bucket.left(0), bucket.owedMs(0), bucket.owedMs(400)]).toEqual([-2, 1_000, 600]);
  expect([bucket.take(1_000), bucket.owedMs(1_000), bucket.take(1_500)]).toEqual([false, 0, true]);
});

test('however often it is asked, in no time more is taken than the burst and the rate allow', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 50 }),
      fc.array(fc.nat(2_000), { maxLength: 200 }),
      (burst, perSecond, pausesMs) => {
        const bucket = new TokenBucket({ burst, perSecond }, 0);
        const takenAtMs: number[] = [];
        let nowMs = 0;
        for (const pauseMs of pausesMs) {
          nowMs += pauseMs;
          if (bucket.take(nowMs)) takenAtMs.push(nowMs);
        }
        for (const [first, fromMs] of takenAtMs.entries())
          for (const [last, toMs] of takenAtMs.entries())
            if (last >= first)
              expect(last - first + 1).toBeLessThanOrEqual(
                burst + ((toMs - fromMs) * perSecond) / 1_000 + 1e-6,
              );
      },
    ),
  );
});
