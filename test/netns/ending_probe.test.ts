/** Whether this kernel ends TCP connections: tried on one of the process's own, and nobody else's. */
import { once } from 'node:events';
import net from 'node:net';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { endingProblem } from '../../sidecar/kernel/ending_probe.ts';
import { enterOwnNamespace } from './tools/own_namespace.ts';

beforeAll(enterOwnNamespace);

test('a kernel that can ends the connection of the probe, and no other', async () => {
  const server = net.createServer((socket) => void socket.pipe(socket)).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const other = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  onTestFinished(() => void other.destroy());
  await once(other, 'connect');
  expect(await endingProblem()).toBeUndefined();
  other.write('still here');
  expect(String((await once(other, 'data'))[0])).toBe('still here');
});
