/** What changes while a list comes is in it. */
import { expect, test } from 'vitest';
import { KnownObjects } from '../../../../injector/api/known_objects.ts';
import type { RawObject } from '../../../../injector/api/raw_object.ts';

const object = (name: string, uid: string, resourceVersion: string): RawObject => ({
  metadata: { name, uid, resourceVersion },
});

function known(...objects: readonly RawObject[]): KnownObjects<string> {
  const all = new KnownObjects({ trim: ({ metadata }) => metadata.resourceVersion });
  for (const one of objects) all.put(one);
  return all;
}

test('an object that changes meanwhile is passed on once, as it is then', () => {
  const intake = known().beginList();
  intake.add(object('a', 'u1', '1'));
  intake.add(object('a', 'u1', '3'));
  expect(intake.finish()).toEqual([{ type: 'put', key: 'a', object: '3' }]);
});

test('one that ends meanwhile is gone, if it was known, and nothing otherwise', () => {
  const all = known(object('a', 'u1', '1'));
  const intake = all.beginList();
  for (const [name, uid] of [
    ['a', 'u1'],
    ['b', 'u2'],
  ] as const) {
    intake.add(object(name, uid, '2'));
    intake.remove(object(name, uid, '3'));
  }
  expect(intake.finish()).toEqual([{ type: 'remove', key: 'a' }]);
  expect(all.size).toBe(0);
});

test('the end of an object is not that of the one that has its name by then', () => {
  const intake = known(object('a', 'u1', '1')).beginList();
  intake.add(object('a', 'u2', '5'));
  intake.remove(object('a', 'u1', '4'));
  expect(intake.finish()).toEqual([
    { type: 'remove', key: 'a' },
    { type: 'put', key: 'a', object: '5' },
  ]);
});
