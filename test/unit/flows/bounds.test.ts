/** What a sidecar or a user sends is as large as its form allows, and no larger. */
import { expect, test } from 'vitest';
import {
  type FlowCount,
  flowQuestion,
  flowWindow,
  MAX_ASKED,
  MAX_ASKED_CHARS,
  MAX_COUNTS,
  MAX_EVENT_BYTES,
  MAX_EVENTS,
} from '../../../flows/index.ts';

const COUNT: FlowCount = {
  direction: 'ingress',
  outcome: 'allow',
  protocol: 'TCP',
  peer: '10.0.0.1',
  port: 80,
  reason: 'rule',
  flows: 1,
  packets: 0,
  sent: 1,
  received: 1,
  millis: 1,
};

const window = (counts: number, events: readonly string[] = []) => ({
  from: 0,
  to: 1,
  lost: 0,
  counts: Array.from({ length: counts }, () => COUNT),
  events,
  eventsLost: 0,
});

const many = (count: number, text = '{}') => Array.from({ length: count }, () => text);

test('a window has so many counts and events, and each event so many bytes', () => {
  const longest = 'é'.repeat(MAX_EVENT_BYTES / 2);
  expect(flowWindow.check(window(MAX_COUNTS, many(MAX_EVENTS, longest)))).toBeUndefined();
  expect(flowWindow.check(window(MAX_COUNTS + 1))).toEqual({
    path: '.counts',
    text: `may have at most ${MAX_COUNTS} items, has ${MAX_COUNTS + 1}`,
  });
  expect(flowWindow.check(window(0, many(MAX_EVENTS + 1)))).toMatchObject({ path: '.events' });
  expect(flowWindow.check(window(0, [`${longest}x`]))).toEqual({
    path: '.events[0]',
    text: `must have at most ${MAX_EVENT_BYTES} bytes`,
  });
});

test.each<[string, unknown]>([
  ['namespaces', 'shop'],
  ['from', { namespace: 'shop' }],
  ['to', { workload: 'deploy/api' }],
  ['ports', 80],
  ['protocols', 'TCP'],
  ['outcomes', 'deny'],
  ['policies', 'shop/allow'],
  ['not', 'from'],
  ['groupBy', 'src'],
])('a question has so many %s', (field, item) => {
  const asked = (count: number) => ({
    since: 0,
    until: 1,
    [field]: Array.from({ length: count }, () => item),
  });
  expect(flowQuestion.check(asked(MAX_ASKED))).toBeUndefined();
  expect(flowQuestion.check(asked(MAX_ASKED + 1))).toMatchObject({ path: `.${field}` });
});

test('each name in a question has so many characters', () => {
  const asked = (length: number) => ({ since: 0, until: 1, from: [{ address: 'x'.repeat(length) }] });
  expect(flowQuestion.check(asked(MAX_ASKED_CHARS))).toBeUndefined();
  expect(flowQuestion.check(asked(MAX_ASKED_CHARS + 1))).toMatchObject({ path: '.from[0].address' });
});
