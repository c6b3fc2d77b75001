/** A list is cut into its objects, wherever the chunks of the answer end; what is no list is not taken for one. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AnswerMalformed } from '../../../../injector/api/api_failure.ts';
import { ListCutter } from '../../../../injector/api/list_cutter.ts';

interface Cut {
  readonly items: unknown[];
  readonly members: Record<string, unknown>;
}

/** @param sizes lengths of the chunks, in turn */
function cut(text: string, sizes: readonly number[] = [Number.MAX_SAFE_INTEGER]): Cut {
  const cutter = new ListCutter('/pods');
  const bytes = Buffer.from(text);
  const items: unknown[] = [];
  const members: Record<string, unknown> = {};
  for (let from = 0, turn = 0; from < bytes.length; turn += 1) {
    const to = Math.min(bytes.length, from + (sizes[turn % sizes.length] ?? 1));
    for (const piece of cutter.push(bytes.subarray(from, to))) {
      if (piece.kind === 'item') items.push(JSON.parse(piece.text));
      else Object.assign(members, JSON.parse(`{${piece.text}}`));
    }
    from = to;
  }
  cutter.end();
  return { items, members };
}

const UNITS = ['a', '"', '{', '}', '[', ']', ',', ':', 'ü', '🙂', '\n'] as const;
const word = fc.string({ unit: fc.constantFrom('\\', ...UNITS) });

/**
 * Without backslashes: after an object with the key "\\", JSON.parse of Node 24 (nodejs/node#63785) reads the keys "\"" and "\n" of a like
 * object as "\\". No key of a Kubernetes object may have a backslash.
 */
const key = fc.string({ unit: fc.constantFrom(...UNITS) });

const list = fc.record({
  kind: word,
  metadata: fc.record({ resourceVersion: word, continue: word, items: fc.array(fc.integer()) }),
  items: fc.array(fc.dictionary(key, fc.oneof(word, fc.array(fc.dictionary(key, fc.array(word)))))),
  more: fc.array(fc.array(word)),
});

test('its pieces are what the whole says', () => {
  fc.assert(
    fc.property(
      list,
      fc.shuffledSubarray(['kind', 'metadata', 'items', 'more'] as const, { minLength: 4 }),
      fc.integer({ min: 0, max: 2 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      (whole, order, indent, sizes) => {
        const text = JSON.stringify(Object.fromEntries(order.map((key) => [key, whole[key]])), null, indent);
        const { items, ...members } = whole;
        expect(cut(text, sizes)).toEqual({ items, members });
      },
    ),
  );
});

test('a list that is cut short has no end, wherever', () => {
  const text = '{"metadata":{"resourceVersion":"7"},"items":[{"a":"}]"},{"b":[1]}],"kind":"PodList"}';
  for (let length = 0; length < text.length; length += 1)
    expect(() => cut(text.slice(0, length)), text.slice(0, length)).toThrow(AnswerMalformed);
});

describe('what is no list is refused', () => {
  test.each(['', '[]', 'null', '<html>', '{}x', '{}{}', '{]', '{"items":[}', '{"items":[{}}', '{"kind":1]'])(
    '%s',
    (text) => {
      expect(() => cut(text)).toThrow(AnswerMalformed);
    },
  );

  test.each(['{"items":[{},]}', '{"items":[,{}]}', '{"items":[{}{}]}', '{"items":[{]}]}', '{"items":[]x}'])(
    '%s',
    (text) => {
      expect(() => cut(text)).toThrow();
    },
  );
});

test('no items, or null in their place', () => {
  expect(cut('{"items":[]}')).toEqual({ items: [], members: {} });
  expect(cut(' { "items" : [ ] , "a" : 1 } \n')).toEqual({ items: [], members: { a: 1 } });
  expect(cut('{"items":null}')).toEqual({ items: [], members: { items: null } });
  expect(cut('{}')).toEqual({ items: [], members: {} });
});

test('an object without end is given up', () => {
  const cutter = new ListCutter('/pods');
  expect([...cutter.push(Buffer.from('{"items":["'))]).toEqual([]);
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  expect(() => {
    for (let megabytes = 0; megabytes < 9; megabytes += 1) for (const _ of cutter.push(chunk));
  }).toThrow('an object longer than');
});
