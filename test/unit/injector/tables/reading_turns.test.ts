/** Connections that have much to read take a part of a turn of the event loop together, and all have theirs. */
import { expect, test } from 'vitest';
import { ReadingTurns } from '../../../../injector/tables/reading_turns.ts';
import { waitFor } from '../wait_for.ts';

/** Some of this make a turn's share. */
const COST_MS = 2;

test('as many read on in a turn as there is time for, in the order in which they came', async () => {
  let nowMs = 0;
  const turns = new ReadingTurns(() => nowMs);
  const read: { readonly who: number; readonly turn: number }[] = [];
  let turn = 0;
  const next = () => {
    turn += 1;
    if (read.length < 40) setImmediate(next);
  };
  for (let who = 0; who < 40; who += 1)
    turns.add(() =>
      process.nextTick(() => {
        nowMs += COST_MS;
        read.push({ who, turn });
      }),
    );
  setImmediate(next);
  await waitFor(() => read.length === 40);
  expect(read.map(({ who }) => who)).toEqual(read.map((_, place) => place));
  const perTurn = Map.groupBy(read, (one) => one.turn);
  // The share is 5 ms: three of them.
  expect(Math.max(...[...perTurn.values()].map((list) => list.length))).toBe(3);
});

test('one that has more each time is read on once in a turn', async () => {
  const turns = new ReadingTurns();
  let [turn, reads] = [0, 0];
  const readsOfTurn = new Map<number, number>();
  const next = () => {
    turn += 1;
    if (reads < 20) setImmediate(next);
  };
  const resume = () =>
    process.nextTick(() => {
      reads += 1;
      readsOfTurn.set(turn, (readsOfTurn.get(turn) ?? 0) + 1);
      if (reads < 20) turns.add(resume);
    });
  turns.add(resume);
  setImmediate(next);
  await waitFor(() => reads === 20);
  expect(Math.max(...readsOfTurn.values())).toBe(1);
});
