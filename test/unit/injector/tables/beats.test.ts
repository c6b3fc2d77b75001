/** The regular turns of sessions: each gets its own, and they are spread over the interval. */
import { afterEach, expect, test, vi } from 'vitest';
import { Beats } from '../../../../injector/tables/beats.ts';
import { waitFor } from '../wait_for.ts';

const INTERVAL_MS = 400;
const SESSIONS = 1_000;

/** Turns of the thread are twenty an interval; on a busy machine some come together. */
const MOST_AT_ONCE = SESSIONS / 2;

interface Counting {
  beats: number;
}

let beats: Beats<Counting> | undefined;
let watched: Beats<object> | undefined;

afterEach(() => {
  for (const one of [beats, watched]) one?.close();
  vi.useRealTimers();
});

test.each([
  ['one that comes at any time', 1, 1],
  ['one of those that stay while most leave', 40, 0],
  ['one of many that come at once', 1, 500],
])('nobody waits for a turn longer than the interval: %s', (_, leaving, coming) => {
  vi.useFakeTimers();
  const sessions = new Set<object>(Array.from({ length: 50 }, () => ({})));
  const seenAtMs = new Map<object, number>();
  let longestMs = 0;
  const look = (session: object) => {
    longestMs = Math.max(longestMs, performance.now() - (seenAtMs.get(session) ?? performance.now()));
    seenAtMs.set(session, performance.now());
  };
  watched = new Beats(sessions, INTERVAL_MS, look);
  for (const session of sessions) seenAtMs.set(session, performance.now());
  for (let atMs = 0; atMs < 20 * INTERVAL_MS; atMs += 30) {
    vi.advanceTimersByTime(30);
    if (atMs === 600) for (const session of [...sessions].slice(-leaving)) sessions.delete(session);
    for (let come = 0; come < coming && sessions.size < 5_000; come += 1) {
      const session = {};
      sessions.add(session);
      seenAtMs.set(session, performance.now());
    }
  }
  for (const session of sessions) look(session);
  expect(longestMs).toBeLessThanOrEqual(INTERVAL_MS);
});

test('each has one turn an interval, and never all at once', async () => {
  const all = Array.from({ length: SESSIONS }, (): Counting => ({ beats: 0 }));
  let atOnce = 0;
  let mostAtOnce = 0;
  beats = new Beats(new Set(all), INTERVAL_MS, (session) => {
    session.beats += 1;
    if (atOnce === 0)
      setImmediate(() => {
        mostAtOnce = Math.max(mostAtOnce, atOnce);
        atOnce = 0;
      });
    atOnce += 1;
  });
  await waitFor(() => all.every((session) => session.beats >= 3), 20_000);
  const counts = all.map((session) => session.beats);
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
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
