/** Edges for one who reads slowly. */
import { expect, test } from 'vitest';
import { EdgeStream } from '../../../../injector/collector/edge_stream.ts';
import { edge } from '../../../builders/observed_flows.ts';

const edges = (count: number) =>
  Array.from({ length: count }, () => edge('shop/deploy/web', 'shop/deploy/api'));

test('what has no place is left out, and said to be, until the reader has gone on', async () => {
  const stream = new EdgeStream(() => {});
  for (let turn = 0; turn < 10; turn += 1) expect(stream.push(edges(1_000))).toBe(0);
  expect(stream.push(edges(7))).toBe(7);
  const reader = stream[Symbol.asyncIterator]();
  expect((await reader.next()).value).toHaveLength(1_000);
  expect(stream.push(edges(7))).toBe(0);
  stream.end();
  expect(stream.push(edges(7))).toBe(0); // nobody misses them
});
