import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SidecarLines } from '../../../../injector/tables/sidecar_lines.ts';
import { flowsLine, MAX_FLOWS_LINE_BYTES } from '../../../../policy/index.ts';

const MAX_FRAME = 100;

type Heard = readonly ['frame' | 'flows' | 'long flows', string];

/** What is heard of these bytes when they come in chunks of these lengths, the last of which goes on. */
function heardOf(bytes: Buffer, chunks: readonly number[]): { heard: Heard[]; isGood: boolean } {
  const heard: Heard[] = [];
  const lines = new SidecarLines(MAX_FRAME, {
    line: (text) => heard.push(['frame', text]),
    flows: (line, isWhole) => heard.push([isWhole ? 'flows' : 'long flows', isWhole ? line.toString() : '']),
  });
  for (let [at, next] = [0, 0]; at < bytes.length; next += 1) {
    const end = at + (chunks[next % chunks.length] ?? 1);
    if (!lines.push(bytes.subarray(at, end))) return { heard, isGood: false };
    at = end;
  }
  return { heard, isGood: true };
}

const long = flowsLine(9, 'x'.repeat(MAX_FLOWS_LINE_BYTES));

const kinds: Record<Heard[0], fc.Arbitrary<string>> = {
  frame: fc.oneof(
    fc.constantFrom('', '{"type":"flows"', '{"type":"ack"}'),
    fc.stringMatching(/^[a-z{]{0,100}$/),
  ),
  flows: fc.nat(3_000).map((length) => flowsLine(length, 'y'.repeat(length))),
  'long flows': fc.constant(long),
};

const line = fc
  .constantFrom<Heard[0]>('frame', 'flows', 'frame', 'flows', 'long flows')
  .chain((kind) => kinds[kind].map((text): Heard => [kind, text]));

test('lines are what they are, however they are cut, and a line of flows that is too long ends alone', () => {
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 12 }),
      fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 70_000 })), {
        minLength: 1,
      }),
      (lines, chunks) => {
        const isSlow = lines.some(([kind]) => kind === 'long flows');
        const cuts = isSlow ? chunks.map((length) => length * 100) : chunks;
        const { heard, isGood } = heardOf(Buffer.from(lines.map(([, text]) => `${text}\n`).join('')), cuts);
        expect(isGood).toBe(true);
        expect(heard).toEqual(lines.map(([kind, text]) => [kind, kind === 'long flows' ? '' : text]));
      },
    ),
  );
});

test.each([1, 7, 64, 1_000])('a frame that is too long ends the stream, in chunks of %i', (length) => {
  const { heard, isGood } = heardOf(Buffer.from(`{"type":"ack"}\n${'x'.repeat(MAX_FRAME + 1)}`), [length]);
  expect(isGood).toBe(false);
  expect(heard).toEqual([['frame', '{"type":"ack"}']]);
});

test('a line of exactly the bound is whole, with one byte more it is not', () => {
  const head = flowsLine(1, '').length;
  const exact = flowsLine(1, 'z'.repeat(MAX_FLOWS_LINE_BYTES - head));
  expect(heardOf(Buffer.from(`${exact}\n`), [65_536]).heard).toEqual([['flows', exact]]);
  expect(heardOf(Buffer.from(`${exact.replace('zz', 'zzz')}\n`), [65_536]).heard).toEqual([
    ['long flows', ''],
  ]);
});
