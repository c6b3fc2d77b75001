/** Questions about members of partial groups: who waits, for how long, and how many are asked. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { MembershipQueries } from '../../../../sidecar/table/membership_queries.ts';

const ANSWER_MS = 500;

let asked: string[][];
let membership: MembershipQueries;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  asked = [];
  membership = new MembershipQueries({ meet: (addresses) => asked.push([...addresses]) });
});
afterEach(() => {
  vi.useRealTimers();
});

const addresses = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `10.${((from + i) >> 8) & 255}.${(from + i) & 255}.1`);

/** Whether it has resolved, or has by the next turn. */
async function isDone(promise: Promise<void>): Promise<boolean> {
  const open = Symbol();
  return (await Promise.race([promise, Promise.resolve(open).then((one) => one)])) !== open;
}

test('who asks hears of each answer at once, and is done with the last', async () => {
  const heard: string[] = [];
  const all = membership.ask(['10.0.0.1', '10.0.0.2', '10.0.0.1'], (address) => heard.push(address));
  expect(asked).toEqual([['10.0.0.1', '10.0.0.2']]);
  membership.answered(['10.0.0.2', '10.0.0.9']);
  expect(heard).toEqual(['10.0.0.2']);
  expect(await isDone(all)).toBe(false);
  membership.answered(['10.0.0.1']);
  expect(heard).toEqual(['10.0.0.2', '10.0.0.1']);
  await all;
});

test('who gets no answer in time has had one', async () => {
  const all = membership.ask(['10.0.0.1']);
  vi.advanceTimersByTime(ANSWER_MS - 1);
  expect(await isDone(all)).toBe(false);
  vi.advanceTimersByTime(1);
  await all;
});

test('a question that is under way is not asked twice; one that was answered is', async () => {
  const heard: string[] = [];
  const first = membership.ask(['10.0.0.1'], () => heard.push('first'));
  const second = membership.ask(['10.0.0.1'], () => heard.push('second'));
  expect(asked).toEqual([['10.0.0.1']]);
  membership.answered(['10.0.0.1']);
  expect(heard).toEqual(['first', 'second']);
  await Promise.all([first, second]);
  const third = membership.ask(['10.0.0.1']);
  expect(asked.length).toBe(2);
  vi.advanceTimersByTime(ANSWER_MS / 2); // the time of the first question does not count for this one
  expect(await isDone(third)).toBe(false);
});

test('another connection is asked what the one before has not answered', () => {
  void membership.ask(['10.0.0.1', '10.0.0.2']);
  membership.answered(['10.0.0.1']);
  membership.again();
  expect(asked.at(-1)).toEqual(['10.0.0.2']);
});

test('a newcomer that keeps knocking is asked about once a second', () => {
  membership.notice(['10.0.0.1']);
  membership.notice(['10.0.0.1', '10.0.0.2']);
  expect(asked).toEqual([['10.0.0.1'], ['10.0.0.2']]);
  vi.advanceTimersByTime(1_000);
  membership.notice(['10.0.0.1']);
  expect(asked.length).toBe(3);
});

test('newcomers by the thousand are asked about at a bounded rate, and those that come later have their turn', () => {
  membership.notice(addresses(10_000));
  expect(asked.flat().length).toBe(2_048);
  membership.notice(['192.0.2.1']);
  expect(asked.flat().length).toBe(2_048);
  vi.advanceTimersByTime(100);
  membership.notice(['192.0.2.1', ...addresses(10_000, 10_000)]);
  expect(asked.flat()).toContain('192.0.2.1');
  expect(asked.flat().length).toBeLessThanOrEqual(2_048 + 205);
});

test('questions that somebody waits for are bounded: who is over the bound has no answer', async () => {
  void membership.ask(addresses(16_384));
  const heard: string[] = [];
  await membership.ask(['192.0.2.1'], (address) => heard.push(address));
  expect(heard).toEqual(['192.0.2.1']);
  expect(asked.flat()).not.toContain('192.0.2.1');
});

test('the answer about a newcomer counts for its record, for a while', () => {
  membership.notice(['10.0.0.1']);
  const has: boolean[] = [];
  for (const ms of [ANSWER_MS - 1, 1, 4_499, 1]) {
    vi.advanceTimersByTime(ms);
    has.push(membership.hasAnswer('10.0.0.1'));
  }
  expect(has).toEqual([false, true, true, false]);
  expect(membership.hasAnswer('10.0.0.2')).toBe(false);
});

test('backends that are asked about ahead take nothing from newcomers, and the other way round', () => {
  expect(membership.ahead(addresses(1_000))).toBe(false);
  expect(asked.flat().length).toBe(256);
  membership.notice(addresses(3_000, 1_000));
  expect(asked.flat().length).toBe(256 + 2_048);
  vi.advanceTimersByTime(1_000);
  expect(membership.ahead(addresses(10, 5_000))).toBe(true);
  expect(membership.ahead(addresses(1_000, 6_000))).toBe(false);
  expect(asked.flat().length).toBe(256 + 2_048 + 64);
});

test('after the end nobody waits: what is being asked has its answer, and no timer is left', async () => {
  const heard: string[] = [];
  const first = membership.ask(['10.0.0.1'], (address) => heard.push(address));
  expect(vi.getTimerCount()).toBe(1);
  membership.close();
  expect([heard, vi.getTimerCount()]).toEqual([['10.0.0.1'], 0]);
  await first;
  await membership.ask(['10.0.0.2'], (address) => heard.push(address));
  expect([heard, asked]).toEqual([['10.0.0.1', '10.0.0.2'], [['10.0.0.1']]]);
  expect(vi.getTimerCount()).toBe(0);
});
