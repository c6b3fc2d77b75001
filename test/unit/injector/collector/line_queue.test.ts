import { expect, test } from 'vitest';
import { LineQueue } from '../../../../injector/collector/line_queue.ts';
import type { ToWorker } from '../../../../injector/collector/messages.ts';
import { flowsLine } from '../../../../policy/index.ts';

const pod = { namespace: 'shop', name: 'web' };
const line = (flows: number) => Buffer.from(flowsLine(flows, '{}'));

test('a full queue drops lines and tells of their flows; there is place again when the worker has taken some', () => {
  const posted: ToWorker[] = [];
  const queue = new LineQueue((message) => posted.push(message), 2 * line(1).length);
  for (const flows of [1, 2, 3, 4]) queue.take(pod, line(flows));
  queue.dropped(pod, 5, 'size');
  expect(posted.map(({ type }) => type)).toEqual(['line', 'line']);
  queue.tell();
  queue.tell();
  expect(posted.slice(2)).toEqual([
    {
      type: 'lost',
      lost: [
        ['queue', 7],
        ['size', 5],
      ],
    },
  ]);
  queue.took(line(1).length);
  queue.take(pod, line(6));
  expect(posted.at(-1)).toMatchObject({ type: 'line', namespace: 'shop', pod: 'web' });
});

test('what waits for a worker that fails, and what comes before the next one, is lost', () => {
  const posted: ToWorker[] = [];
  const queue = new LineQueue((message) => posted.push(message));
  for (const flows of [1, 2, 3]) queue.take(pod, line(flows));
  queue.took(line(1).length);
  queue.away();
  queue.take(pod, line(10));
  queue.tell(); // to nobody
  queue.back();
  queue.tell();
  expect(posted.slice(3)).toEqual([{ type: 'lost', lost: [['away', 15]] }]);
});

test('a line that is passed on is a copy: what lent it may write over it', () => {
  const posted: ToWorker[] = [];
  const queue = new LineQueue((message) => posted.push(message));
  const lent = line(7);
  queue.take(pod, lent);
  lent.fill(0);
  const [first] = posted;
  expect(first?.type === 'line' && Buffer.from(first.line).toString()).toBe(flowsLine(7, '{}'));
});
