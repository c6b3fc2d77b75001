/** The regular turns of sessions: each gets its own, and they are spread over the interval. */
import { afterEach, expect, test } from 'vitest';
import { Beats } from '../../../../injector/tables/beats.ts';
import { waitFor } from '../wait_for.ts';

const INTERVAL_MS = 400;
const SESSIONS = 1_000;

/** Turns of the thread are twenty an interval; on a busy machine some come together. */
const MOST_AT_ONCE = SESSIONS / 2;

interface Counting {
  beats: number;
}

let beats: Beats<Counting>;

afterEach(() => beats.close());

test('each has one turn an interval, and never all at once', async () => {
  const sessions = Array.from({ length: SESSIONS }, (): Counting => ({ beats: 0 }));
  let atOnce = 0;
  let mostAtOnce = 0;
  beats = new Beats(sessions, INTERVAL_MS, (session) => {
    session.beats += 1;
    if (atOnce === 0)
      setImmediate(() => {
        mostAtOnce = Math.max(mostAtOnce, atOnce);
        atOnce = 0;
      });
    atOnce += 1;
  });
  await waitFor(() => sessions.every((session) => session.beats >= 3), 20_000);
  const all = sessions.map((session) => session.beats);
  expect(Math.max(...all) - Math.min(...all)).toBeLessThanOrEqual(1);
  expect(mostAtOnce).toBeLessThanOrEqual(MOST_AT_ONCE);
});

test('one that comes later has its turns too, and one that has left has none', async () => {
  const sessions = new Set<Counting>();
  beats = new Beats(sessions, 20, (session) => {
    session.beats += 1;
  });
  const [first, second]: [Counting, Counting] = [{ beats: 0 }, { beats: 0 }];
  sessions.add(first);
  await waitFor(() => first.beats >= 2);
  sessions.delete(first);
  sessions.add(second);
  await waitFor(() => second.beats >= 2);
  const before = first.beats;
  await waitFor(() => second.beats >= 4);
  expect(first.beats).toBe(before);
});
