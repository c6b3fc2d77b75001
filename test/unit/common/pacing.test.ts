import { expect, test, vi } from 'vitest';
import { Changes, OncePer } from '../../../common/pacing.ts';

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
