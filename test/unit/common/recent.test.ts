import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Recent } from '../../../common/recent.ts';

test('the one that was kept longest goes first', () => {
  const recent = new Recent<string, number>(2);
  recent.keep('a', 1);
  recent.keep('b', 2);
  recent.keep('c', 3);
  expect([recent.get('a'), recent.get('b'), recent.get('c')]).toEqual([undefined, 2, 3]);
  expect(recent.size).toBe(2);
});

test('keeping again makes younger, looking does not', () => {
  const recent = new Recent<string, number>(2);
  recent.keep('a', 1);
  recent.keep('b', 2);
  recent.get('a');
  recent.keep('b', 4);
  recent.keep('a', 3);
  recent.keep('c', 5);
  expect([recent.has('a'), recent.has('b'), recent.has('c')]).toEqual([true, false, true]);
});

test('the value that is kept is returned', () => {
  expect(new Recent<string, number>(1).keep('a', 7)).toBe(7);
});

test('what is over is dropped from the oldest on, as far as it goes', () => {
  const recent = new Recent<string, number>(10);
  for (const [key, ms] of [
    ['a', 1],
    ['b', 5],
    ['c', 2],
  ] as const)
    recent.keep(key, ms);
  recent.dropWhile((ms) => ms < 4);
  expect([recent.has('a'), recent.has('b'), recent.has('c')]).toEqual([false, true, true]);
  recent.dropWhile(() => true);
  expect(recent.size).toBe(0);
  recent.keep('d', 9);
  recent.dropWhile((ms) => ms < 4);
  expect(recent.get('d')).toBe(9);
});

test('a map that is full does each thing in constant time', () => {
  const [most, calls] = [65_536, 400_000];
  const recent = new Recent<number, number>(most);
  const startedMs = performance.now();
  for (let key = 0; key < calls; key += 1) recent.keep(key, key);
  // An iterator for each call would take half a minute.
  expect(performance.now() - startedMs).toBeLessThan(10_000);
  expect(recent.size).toBe(most);
});

/** The same in an obvious way: a list, the newest last. */
class Obvious {
  readonly #most: number;
  #entries: (readonly [number, number])[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  get entries(): readonly (readonly [number, number])[] {
    return [...this.#entries].sort(([a], [b]) => a - b);
  }

  keep(key: number, value: number): void {
    this.delete(key);
    this.#entries = [...this.#entries, [key, value] as const].slice(-this.#most);
  }

  delete(key: number): void {
    this.#entries = this.#entries.filter(([other]) => other !== key);
  }

  dropBelow(bound: number): void {
    const first = this.#entries.findIndex(([, value]) => value >= bound);
    this.#entries = first === -1 ? [] : this.#entries.slice(first);
  }

  clear(): void {
    this.#entries = [];
  }
}

test('it does what the obvious one does', () => {
  const key = fc.nat(6);
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ do: fc.constant('keep' as const), key, value: fc.nat(9) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), key }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('dropBelow' as const), bound: fc.nat(9) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const) }) },
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 40 }), (most, steps) => {
      const [recent, obvious] = [new Recent<number, number>(most), new Obvious(most)];
      for (const one of steps) {
        if (one.do === 'keep') {
          recent.keep(one.key, one.value);
          obvious.keep(one.key, one.value);
        } else if (one.do === 'delete') {
          recent.delete(one.key);
          obvious.delete(one.key);
        } else if (one.do === 'dropBelow') {
          recent.dropWhile((value) => value < one.bound);
          obvious.dropBelow(one.bound);
        } else {
          recent.clear();
          obvious.clear();
        }
        const kept = [0, 1, 2, 3, 4, 5, 6].flatMap((at) => {
          const value = recent.get(at);
          return value === undefined ? [] : [[at, value] as const];
        });
        expect(kept).toEqual(obvious.entries);
        expect(recent.size).toBe(kept.length);
      }
    }),
  );
});
