import { expect, test } from 'vitest';
import { delaysOf, lastFrames } from '../../../bench/control_plane/crowd/delays.ts';

const frame = (member: number, revision: number, atMs: number) => ({ member, revision, atMs, bytes: 100 });
const change = (namespace: number, revision: number, atMs: number) => ({ namespace, revision, atMs });

test('a change is heard of with the first frame of a later revision', () => {
  const frames = [frame(0, 10, 105), frame(0, 12, 130), frame(0, 14, 140)];
  expect(delaysOf([change(0, 10, 100)], frames, [0])).toEqual({ ms: [30], missed: 0 });
});

test('one frame may bring several changes', () => {
  const changes = [change(0, 10, 100), change(0, 10, 110), change(0, 12, 150)];
  expect(delaysOf(changes, [frame(0, 12, 120), frame(0, 14, 155)], [0])).toEqual({
    ms: [5, 10, 20],
    missed: 0,
  });
});

test('each sidecar is asked about the changes of its namespace alone', () => {
  const changes = [change(0, 10, 100), change(1, 10, 100)];
  const frames = [frame(0, 12, 101), frame(1, 12, 102), frame(2, 12, 103)];
  expect(delaysOf(changes, frames, [0, 1, undefined])).toEqual({ ms: [1, 2], missed: 0 });
});

test('what a sidecar never heard of is missed', () => {
  expect(delaysOf([change(0, 10, 100), change(0, 12, 120)], [frame(0, 12, 105)], [0, 0])).toEqual({
    ms: [5],
    missed: 3,
  });
});

test('of several frames of a sidecar the last counts, where all are awaited', () => {
  expect(lastFrames([frame(0, 1, 110), frame(1, 1, 105), frame(0, 2, 140)], 100)).toEqual([5, 40]);
});
