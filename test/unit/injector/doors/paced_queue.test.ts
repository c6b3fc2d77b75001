import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PacedQueue } from '../../../../injector/doors/paced_queue.ts';
import { waitFor } from '../wait_for.ts';

test('who has asked for little does not wait for those who ask for much', async () => {
  const queue = new PacedQueue();
  const done: string[] = [];
  for (let count = 0; count < 20; count += 1)
    for (const address of ['a', 'b', 'c']) queue.add(address, 10, () => done.push(address));
  await waitFor(() => done.length >= 10);
  queue.add('quiet', 1, () => done.push('quiet'));
  const before = done.length;
  await waitFor(() => done.includes('quiet'));
  // At its turn nobody had cost less; those that were as far may have been before it, once each.
  expect(done.indexOf('quiet') - before).toBeLessThanOrEqual(3);
  queue.close();
});

test('addresses that want the same are served alike, in any order of coming', async () => {
  const queue = new PacedQueue();
  const done: string[] = [];
  for (const address of ['a', 'b'])
    for (let count = 0; count < 10; count += 1) queue.add(address, 1, () => done.push(address));
  await waitFor(() => done.length === 20);
  expect(done.slice(0, 10).filter((address) => address === 'a')).toHaveLength(5);
});

test('what was taken out is not done', async () => {
  const queue = new PacedQueue();
  const done: string[] = [];
  const giveUp = queue.add('a', 1, () => done.push('given up'));
  queue.add('a', 1, () => done.push('next'));
  giveUp();
  giveUp();
  await waitFor(() => done.length > 0);
  expect(done).toEqual(['next']);
});

describe('by a clock', () => {
  let nowMs = 0;
  let idleMs = 0;
  const clock = { nowMs: () => nowMs, idleMs: () => idleMs };

  beforeEach(() => {
    [nowMs, idleMs] = [0, 0];
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate'] });
  });

  afterEach(() => void vi.useRealTimers());

  /** A millisecond passes, in which the thread has something else to do or not; then it is the queue's turn. */
  function pass(isIdle: boolean): void {
    nowMs += 1;
    if (isIdle) idleMs += 1;
    vi.advanceTimersByTime(1);
  }

  test('it takes half of the time at most while others want it', () => {
    const queue = new PacedQueue(undefined, undefined, clock);
    const pieceMs = 3;
    let own = 0;
    const work = (): void => {
      own += pieceMs;
      nowMs += pieceMs;
      queue.add('a', pieceMs, work);
    };
    for (let count = 0; count < 4; count += 1) queue.add('a', pieceMs, work);
    for (let others = 0; others < 200; others += 1) pass(false);
    queue.close();
    expect(own).toBeGreaterThan(nowMs / 4);
    expect(own).toBeLessThanOrEqual(nowMs / 2 + 2 * pieceMs);
  });

  describe('where others have nothing to do', () => {
    const stretchMs = 6;
    const stretches = 50;

    /** @returns how long it took, ms */
    function doAll(comesToSomething: boolean): number {
      const queue = new PacedQueue(undefined, undefined, clock);
      let done = 0;
      for (let count = 0; count < stretches; count += 1)
        queue.add('a', stretchMs, () => {
          done += 1;
          if (comesToSomething) setImmediate(() => queue.earn(stretchMs));
        });
      while (done < stretches) pass(true);
      return nowMs;
    }

    test('work that comes to something does not wait for them', () => {
      // Nothing is really done in a stretch here, so that there is much time to take.
      expect(doAll(true)).toBeLessThan(stretches * stretchMs);
    });

    test('work that comes to nothing does: nobody is to have the whole processor for it', () => {
      expect(doAll(false)).toBeGreaterThanOrEqual((stretches - 1) * 2 * stretchMs);
    });
  });
});

test('what was asked for in a stretch waits for the next one', async () => {
  const queue = new PacedQueue();
  let turn = 0;
  const turns: number[] = [];
  queue.add('a', 1, () => {
    turns.push(turn);
    queue.add('a', 1, () => turns.push(turn));
    setImmediate(() => {
      turn += 1;
    });
  });
  await waitFor(() => turns.length === 2);
  expect(turns).toEqual([0, 1]);
});
