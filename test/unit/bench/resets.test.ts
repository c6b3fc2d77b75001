import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { countSockets, noteGone, resetsOf } from '../../../bench/load/resets.ts';

test('a socket was gone when the first look did not find it; one that comes later brings none back', () => {
  const times: number[] = [];
  for (const [atMs, sockets] of [
    [1, 10],
    [2, 7],
    [3, 8],
    [4, 6],
  ] as const)
    noteGone(times, 10, { atMs, sockets });
  expect(times).toEqual([2, 2, 2, 4]);
});

test('the kernel counts a socket until it is reset, also where its program does not look', async () => {
  const accepted: Socket[] = [];
  const server = createServer((socket) => accepted.push(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const before = countSockets(process.pid).sockets;
  const client = connect(port, '127.0.0.1').on('error', () => undefined);
  await once(client, 'connect');
  await expect.poll(() => accepted.length).toBe(1);
  expect(countSockets(process.pid).sockets).toBeGreaterThanOrEqual(before + 2);

  const resets = resetsOf(process.pid, 2, 10_000, AbortSignal.timeout(20_000));
  const startedAt = performance.now();
  accepted[0]?.resetAndDestroy();
  expect((await resets).every((at) => at >= startedAt)).toBe(true);
  server.close();
});
