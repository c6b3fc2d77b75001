/** Long work leaves the event loop to others. */
import { expect, test } from 'vitest';
import { TurnSlice } from '../../../../injector/api/turn_slice.ts';

/** Uses the processor for so long, ms. */
function work(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

test('a slice is used up by the work of one turn, and the next turn has a new one', async () => {
  const slice = new TurnSlice(50);
  expect(slice.isUsed()).toBe(false);
  work(51);
  expect(slice.isUsed()).toBe(true);
  await Promise.resolve(); // no other turn
  expect(slice.isUsed()).toBe(true);
  await slice.next();
  expect(slice.isUsed()).toBe(false);
});

test('in between, others have their turn', async () => {
  const slice = new TurnSlice(0);
  const order: string[] = [];
  setImmediate(() => order.push('another'));
  order.push('first');
  expect(slice.isUsed()).toBe(true);
  await slice.next();
  order.push('second');
  expect(order).toEqual(['first', 'another', 'second']);
});
