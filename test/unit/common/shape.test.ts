import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  integer,
  list,
  nullable,
  object,
  objectFor,
  oneOf,
  part,
  problem,
  record,
  refined,
  type Shape,
  type TypeOf,
  tagged,
  text,
} from '../../../common/shape.ts';

const refuse = (what: string): Error => new RangeError(what);

const flow = object({ from: text(), ports: list(integer(1, 65_535)) }, { note: nullable(text()) });

const event = tagged('kind', {
  opened: object({ flow }),
  closed: object({}, { bytes: integer(0, 10) }),
});

describe('a shape', () => {
  test('declares the type of what passes it', () => {
    expectTypeOf<TypeOf<typeof flow>>().toEqualTypeOf<{
      readonly from: string;
      readonly ports: readonly number[];
      readonly note?: string | null;
    }>();
    expectTypeOf<TypeOf<typeof event>['kind']>().toEqualTypeOf<'opened' | 'closed'>();
  });

  test('returns the very value', () => {
    const value = { from: 'a', ports: [80], note: null };
    expect(flow.read(value, 'flow', refuse)).toBe(value);
    expect(flow.holds(value)).toBe(true);
  });

  test.each<[unknown, string]>([
    [null, 'flow must be an object, is null'],
    [[], 'flow must be an object, is a list'],
    [{ from: 'a' }, 'flow.ports is missing'],
    [{ from: 'a', ports: {} }, 'flow.ports must be a list, is object'],
    [{ from: 'a', ports: [80, 0] }, 'flow.ports[1] must be a whole number from 1 to 65535, is 0'],
    [{ from: 'a', ports: [true] }, 'flow.ports[0] must be a whole number from 1 to 65535, is true'],
    [{ from: 1, ports: [] }, 'flow.from must be a string, is number'],
    [{ from: 'a', ports: [], note: undefined }, 'flow.note must be a string, is missing'],
    [{ from: 'a', ports: [], to: 'b' }, 'flow.to is a field this version does not know'],
    [
      JSON.parse('{"from":"a","ports":[],"__proto__":{}}'),
      'flow.__proto__ is a field this version does not know',
    ],
  ])('refuses %j', (value, message) => {
    expect(() => flow.read(value, 'flow', refuse)).toThrow(new RangeError(message));
    expect(flow.holds(value)).toBe(false);
  });

  test.each<[unknown, string]>([
    [{}, 'event.kind must be one of opened, closed, is missing'],
    [{ kind: 'toString' }, 'event.kind must be one of opened, closed, is "toString"'],
    [{ kind: 'closed', bytes: 11 }, 'event.bytes must be a whole number from 0 to 10, is 11'],
    [{ kind: 'closed', flow: {} }, 'event.flow is a field this version does not know'],
    [{ kind: 'opened', flow: {} }, 'event.flow.from is missing'],
  ])('goes by the tag: refuses %j', (value, message) => {
    expect(() => event.read(value, 'event', refuse)).toThrow(message);
  });

  test('of a map takes any key, and gives it with the problem', () => {
    const counts = record(integer(0, 9));
    const value: unknown = JSON.parse('{"constructor":1,"__proto__":2}');
    expect(Object.keys(counts.read(value, 'counts', refuse))).toEqual(['constructor', '__proto__']);
    expect(() => counts.read(JSON.parse('{"__proto__":10}'), 'counts', refuse)).toThrow(
      'counts["__proto__"] must',
    );
  });

  test('of a part passes over other fields', () => {
    expect(part({ a: text() }).holds({ a: '', b: 1 })).toBe(true);
    expect(part({ a: text() }).holds({ b: 1 })).toBe(false);
  });

  test('asks further questions of what has the form', () => {
    const range = refined(object({ from: integer(0, 9), to: integer(0, 9) }), ({ from, to }) =>
      from <= to ? undefined : problem('ends before it begins', '.to'),
    );
    expect(range.check({ from: 1, to: 0 })).toEqual(problem('ends before it begins', '.to'));
    expect(range.check({ from: 1, to: 10 })?.text).toMatch(/^must be/);
  });

  test('says that a text is not JSON', () => {
    expect(flow.readJson('{"from":"a","ports":[]}', 'flow', refuse)).toEqual({ from: 'a', ports: [] });
    expect(() => flow.readJson('{"from":', 'flow', refuse)).toThrow(/^flow is not JSON: /);
  });
});

interface Named {
  readonly name: string;
  readonly kind?: 'a' | 'b';
}

test('a type declared elsewhere has to be covered, field by field', () => {
  const whole: Shape<Named> = objectFor<Named>({ name: text() }, { kind: oneOf('a', 'b') });
  expect(whole.holds({ name: '', kind: 'b' })).toBe(true);
  // @ts-expect-error a field without its check
  objectFor<Named>({ name: text() }, {});
  // @ts-expect-error a check that refuses what the type allows
  objectFor<Named>({ name: text() }, { kind: oneOf('a') });
  // @ts-expect-error a check that allows what the type does not
  objectFor<Named>({ name: text() }, { kind: text() });
  // @ts-expect-error a field that the type does not have
  objectFor<Named>({ name: text(), uid: text() }, { kind: oneOf('a', 'b') });
});
