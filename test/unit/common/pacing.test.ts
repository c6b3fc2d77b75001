import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { Changes, OncePer, OneAtATime } from '../../../common/pacing.ts';

test('something happens once per interval, the first time at once', () => {
  vi.useFakeTimers({ toFake: ['performance'], now: 5 });
  try {
    const lines = new OncePer(1_000);
    expect([lines.isDue(), lines.isDue()]).toEqual([true, false]);
    vi.advanceTimersByTime(999);
    expect(lines.isDue()).toBe(false);
    vi.advanceTimersByTime(1);
    expect([lines.isDue(), lines.isDue()]).toEqual([true, false]);
  } finally {
    vi.useRealTimers();
  }
});

test('a value is new when it differs from the one before', () => {
  const names = new Changes('');
  expect(['', 'a', 'a', 'b', 'a', ''].map((name) => names.isNew(name))).toEqual([
    false,
    true,
    false,
    true,
    true,
    true,
  ]);
});

test('who asks while an action runs waits for it, and the next one runs it again', async () => {
  let runs = 0;
  const action = new OneAtATime(async () => {
    runs += 1;
    await sleep(1);
  });
  await Promise.all([action.run(), action.run()]);
  expect(runs).toBe(1);
  await action.run();
  expect(runs).toBe(2);
});

test('a run that fails does not keep the next one from running', async () => {
  const action = new OneAtATime(() => Promise.reject(new Error('no')));
  await expect(action.run()).rejects.toThrow('no');
  await expect(action.run()).rejects.toThrow('no');
});
