import { expect, test } from 'vitest';
import { FrameHeads } from '../../../bench/control_plane/crowd/frame_heads.ts';
import { readHead, speechOf } from '../../../bench/control_plane/crowd/speech.ts';
import { TABLE_SCHEMA } from '../../../policy/index.ts';

const snapshot = (padding: number) =>
  `{"type":"snapshot","table":{"schema":1,"revision":17,"x":"${'x'.repeat(padding)}"}}\n`;
const HEARTBEAT = '{"type":"heartbeat","revision":17}\n';

function headsOf(chunks: readonly Buffer[]) {
  const found: { type: string; revision: number; bytes: number }[] = [];
  const heads = new FrameHeads((head, bytes) => found.push({ ...readHead(head), bytes }));
  for (const chunk of chunks) heads.push(chunk);
  return found;
}

test.each([1, 7, 64, 1_000, 100_000])(
  'frames in chunks of %i bytes have their type, revision and length',
  (size) => {
    const stream = Buffer.from(`${snapshot(10)}${HEARTBEAT}${snapshot(5_000)}${HEARTBEAT}`);
    const chunks = Array.from({ length: Math.ceil(stream.length / size) }, (_, index) =>
      stream.subarray(index * size, (index + 1) * size),
    );
    const heartbeat = { type: 'heartbeat', revision: 17, bytes: HEARTBEAT.length };
    expect(headsOf(chunks)).toEqual([
      { type: 'snapshot', revision: 17, bytes: snapshot(10).length },
      heartbeat,
      { type: 'snapshot', revision: 17, bytes: snapshot(5_000).length },
      heartbeat,
    ]);
  },
);

test('a frame that has not ended is none yet', () => {
  expect(headsOf([Buffer.from(snapshot(10)).subarray(0, -1)])).toEqual([]);
});

test('a frame without a revision has none', () => {
  expect(readHead('{"type":"unknown-pod","message":"none"}')).toEqual({
    type: 'unknown-pod',
    revision: Number.NaN,
  });
});

test("the simulated sidecars speak this checkout's schema", () => {
  expect(speechOf().schema).toBe(TABLE_SCHEMA);
});

test('a schema that they do not speak is refused', () => {
  expect(() => speechOf(99)).toThrow('do not speak schema 99');
});
