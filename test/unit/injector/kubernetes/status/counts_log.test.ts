/** A replica hears of each count that has changed since it asked last, and of no other. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CountsLog } from '../../../../../injector/kubernetes/status/counts_log.ts';
import { NOTHING_KNOWN } from '../../../../../injector/kubernetes/status/replica_counts.ts';

const none = () => undefined;

test('who asks again gets what has changed since', () => {
  const log = new CountsLog('r');
  const counts = new Map([
    ['a', 1],
    ['b', 0],
    ['c', 2],
  ]);
  const countOf = (key: string) => ({ version: `${key}/1`, enforcing: counts.get(key) ?? 0 });
  for (const key of counts.keys()) log.note(key);
  const all = log.since(NOTHING_KNOWN, 10, countOf);
  expect(all).toEqual({ run: 'r', from: 0, to: 3, more: false, enforcing: { 'a/1': 1, 'c/1': 2 } });
  expect(log.since({ run: 'r', at: 3 }, 10, countOf)).toMatchObject({ from: 3, to: 3, enforcing: {} });
  counts.set('a', 0);
  log.note('a');
  expect(log.since({ run: 'r', at: 3 }, 10, countOf)).toMatchObject({ to: 4, enforcing: { 'a/1': 0 } });
});

test('another run is told everything', () => {
  const log = new CountsLog('new');
  log.note('a');
  const answer = log.since({ run: 'old', at: 7 }, 10, () => ({ version: 'a/1', enforcing: 1 }));
  expect(answer).toEqual({ run: 'new', from: 0, to: 1, more: false, enforcing: { 'a/1': 1 } });
});

test('a policy that is gone is not named', () => {
  const log = new CountsLog('r');
  log.note('a');
  log.forget('a');
  expect(log.since(NOTHING_KNOWN, 10, none)).toMatchObject({ to: 1, more: false, enforcing: {} });
});

test('page by page everything is heard of, however counts change in between', () => {
  const change = fc.record({ key: fc.nat(9).map(String), count: fc.nat(2), asks: fc.boolean() });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 50 }), fc.integer({ min: 1, max: 3 }), (changes, most) => {
      const log = new CountsLog('r');
      const counts = new Map<string, number>();
      const heard = new Map<string, number>();
      let known = NOTHING_KNOWN;
      const askOnce = () => {
        const answer = log.since(known, most, (key) => ({ version: key, enforcing: counts.get(key) ?? 0 }));
        expect(Object.keys(answer.enforcing).length).toBeLessThanOrEqual(most);
        known = { run: answer.run, at: answer.to };
        for (const [key, count] of Object.entries(answer.enforcing)) heard.set(key, count);
        return answer.more;
      };
      for (const { key, count, asks } of changes) {
        counts.set(key, count);
        log.note(key);
        if (asks) askOnce();
      }
      while (askOnce());
      for (const [key, count] of counts) expect(heard.get(key) ?? 0).toBe(count);
    }),
  );
});
