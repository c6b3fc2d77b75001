import { expect, test } from 'vitest';
import { hasLines, readSealedLines, sealedLines } from '../../../../sidecar/table/sealed_lines.ts';

const sealed = (texts: readonly (readonly string[])[]) => Buffer.concat([...sealedLines(texts)]);
const read = (bytes: Buffer) => [...readSealedLines(bytes, (problem) => new Error(problem))];

test('a line is its text, a tab, its checksum and a newline', () => {
  const text = '{"a":1}\t561bacaf\n{}\ta3a6bf43\n'; // checksums of Python's zlib
  expect(sealed([['{"a"', ':1}'], ['{}']]).toString()).toBe(text);
});

test('texts come back, of any length and any characters', () => {
  const texts = ['', 'a', 'ä€𝄞'.repeat(40_000), '{}', 'x'.repeat(64 * 1024)];
  expect(read(sealed(texts.map((text) => [text])))).toEqual(texts);
  const pieces = texts.map((text) => text.match(/.{1,3}/gu) ?? []);
  expect(read(sealed(pieces))).toEqual(texts);
});

test('a chunk is some 64 kB, and a text is taken only as far as a chunk needs', () => {
  let taken = 0;
  function* endless(): Generator<string> {
    for (;;) {
      taken += 1;
      yield 'x'.repeat(1_000);
    }
  }
  const [chunk] = sealedLines([endless()]);
  expect(chunk?.length).toBeLessThan(70_000);
  expect(taken).toBeLessThan(70);
});

test('a line that does not match its checksum is named', () => {
  const bytes = sealed([['{}'], ['{"a":1}']]);
  bytes[bytes.length - 3] = 0x2e;
  expect(() => read(bytes)).toThrow('line 2 does not match its checksum');
  expect(() => read(Buffer.from('{}\n'))).toThrow('line 1 does not match its checksum');
});

test('a last line without its newline is left out', () => {
  const bytes = sealed([['{}'], ['{"a":1}']]);
  expect(read(bytes.subarray(0, -1))).toEqual(['{}']);
  expect(hasLines(bytes)).toBe(true);
  expect(hasLines(Buffer.from('{}'))).toBe(false);
});
