import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { inSlices } from '../../../common/in_slices.ts';
import type { Steps } from '../../../common/steps.ts';

/** The clock goes on by the steps of the work only. */
let nowMs = 0;
vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
afterEach(() => {
  nowMs = 0;
});

/** Steps that take so long each, ms. */
function* work(steps: number, stepMs: number): Steps<string> {
  for (let step = 0; step < steps; step += 1) {
    nowMs += stepMs;
    yield;
  }
  return 'done';
}

/** How many turns others had until the work was done. */
async function turnsDuring(steps: Steps<string>): Promise<number> {
  let [turns, isOver] = [0, false];
  const others = (async () => {
    for (await turn(); !isOver; await turn()) turns += 1;
  })();
  expect(await inSlices(steps)).toBe('done');
  isOver = true;
  await others;
  return turns;
}

test('short work is done at once', async () => {
  expect(await turnsDuring(work(5, 0.1))).toBe(0);
});

test('after work that takes longer others have their turn before what comes next', async () => {
  expect(await turnsDuring(work(2, 1))).toBe(1);
});

test('others have a turn every few milliseconds of long work', async () => {
  expect(await turnsDuring(work(60, 1))).toBeGreaterThanOrEqual(9);
});

test('work that throws rejects', async () => {
  const failing = function* (): Steps<never> {
    yield;
    throw new Error('no');
  };
  await expect(inSlices(failing())).rejects.toThrow('no');
});
