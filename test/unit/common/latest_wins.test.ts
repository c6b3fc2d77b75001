import { expect, test } from 'vitest';
import { LatestWins } from '../../../common/latest_wins.ts';

/** Work that waits until the test ends it, and what it was done for. */
function heldWork() {
  const begun: number[] = [];
  const runs: PromiseWithResolvers<void>[] = [];
  const latest = new LatestWins<number>((value) => {
    begun.push(value);
    const run = Promise.withResolvers<void>();
    runs.push(run);
    return run.promise;
  });
  return {
    latest,
    begun,
    end: (index: number, error?: Error) => (error ? runs[index]?.reject(error) : runs[index]?.resolve()),
  };
}

/** Lets all that is due now happen. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('the first value is worked on at once', () => {
  const { latest, begun } = heldWork();
  void latest.do(1);
  expect(begun).toEqual([1]);
  expect(latest.isBusy).toBe(true);
});

test('of the values that come during a run only the last is worked on', async () => {
  const { latest, begun, end } = heldWork();
  void latest.do(1);
  for (const value of [2, 3, 4]) void latest.do(value);
  end(0);
  await settled();
  expect(begun).toEqual([1, 4]);
  end(1);
  await latest.idle();
  expect(begun).toEqual([1, 4]);
});

test('a caller that asks during a run waits for the next one, with all that asked before', async () => {
  const { latest, end } = heldWork();
  const done: string[] = [];
  void latest.do(1).then(() => done.push('first'));
  void latest.do(2).then(() => done.push('second'));
  void latest.do(3).then(() => done.push('third'));
  end(0);
  await settled();
  expect(done).toEqual(['first']);
  end(1);
  await settled();
  expect(done).toEqual(['first', 'second', 'third']);
});

test('a run that fails rejects for those that wait for it, and the next goes on', async () => {
  const { latest, begun, end } = heldWork();
  const first = latest.do(1);
  const second = latest.do(2);
  end(0, new Error('why'));
  await expect(first).rejects.toThrow('why');
  await settled();
  expect(begun).toEqual([1, 2]);
  end(1);
  await second;
  await latest.idle();
  expect(latest.isBusy).toBe(false);
});

test('work that throws before it waits is a run that failed', async () => {
  const latest = new LatestWins<void>(() => {
    throw new Error('at once');
  });
  await expect(latest.do()).rejects.toThrow('at once');
  await expect(latest.do()).rejects.toThrow('at once');
});

test('a value that comes in the step in which a run ends is worked on', async () => {
  const begun: number[] = [];
  const latest: LatestWins<number> = new LatestWins(async (value) => {
    begun.push(value);
  });
  // Each is asked for by the caller that waited for the one before: in the very step in which that run is over.
  let last = latest.do(0);
  for (let value = 1; value <= 20; value += 1) last = last.then(() => latest.do(value));
  await last;
  expect(begun).toEqual(Array.from({ length: 21 }, (_, index) => index));
});

test('work may ask for more work', async () => {
  const begun: number[] = [];
  const latest: LatestWins<number> = new LatestWins(async (value) => {
    begun.push(value);
    if (value < 3) void latest.do(value + 1);
  });
  await latest.do(1);
  await latest.idle();
  expect(begun).toEqual([1, 2, 3]);
});

test('nothing is under way before the first value', async () => {
  const { latest } = heldWork();
  await latest.idle();
  expect(latest.isBusy).toBe(false);
});
