import { expect, test } from 'vitest';
import { PacedQueue } from '../../../../injector/doors/paced_queue.ts';
import { waitFor } from '../wait_for.ts';

test('who has asked for little does not wait for those who ask for much', async () => {
  const queue = new PacedQueue();
  const done: string[] = [];
  for (let count = 0; count < 20; count += 1)
    for (const address of ['a', 'b', 'c']) queue.add(address, 10, () => done.push(address));
  await waitFor(() => done.length >= 10);
  queue.add('quiet', 1, () => done.push('quiet'));
  const before = done.length;
  await waitFor(() => done.includes('quiet'));
  // At its turn nobody had cost less; those that were as far may have been before it, once each.
  expect(done.indexOf('quiet') - before).toBeLessThanOrEqual(3);
  queue.close();
});

test('addresses that want the same are served alike, in any order of coming', async () => {
  const queue = new PacedQueue();
  const done: string[] = [];
  for (const address of ['a', 'b'])
    for (let count = 0; count < 10; count += 1) queue.add(address, 1, () => done.push(address));
  await waitFor(() => done.length === 20);
  expect(done.slice(0, 10).filter((address) => address === 'a')).toHaveLength(5);
});

test('what was taken out is not done', async () => {
  const queue = new PacedQueue();
  const done: string[] = [];
  const giveUp = queue.add('a', 1, () => done.push('given up'));
  queue.add('a', 1, () => done.push('next'));
  giveUp();
  giveUp();
  await waitFor(() => done.length > 0);
  expect(done).toEqual(['next']);
});
