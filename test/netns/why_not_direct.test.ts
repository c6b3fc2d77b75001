/** What the direct path needs of a kernel: tried on a connection of the process's own, and nobody else's. */
import { once } from 'node:events';
import net from 'node:net';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { whyNotDirect } from '../../sidecar/kernel/index.ts';
import { run } from './command.ts';
import { enterOwnNamespace } from './tools/own_namespace.ts';

beforeAll(enterOwnNamespace);

test('a kernel that does not follow connections does not report them', async () => {
  expect(await whyNotDirect()).toMatch(/does not report connections \(NF_CONNTRACK_EVENTS\)/);
});

test('a kernel that can do all ends the connection of the probe, and no other', async () => {
  // Rules that look at the state of connections have the kernel follow them, as those of a pod do.
  await run([
    'nft',
    'add table ip t; add chain ip t in { type filter hook input priority 0; ct state new accept; }',
  ]);
  const server = net.createServer((socket) => void socket.pipe(socket)).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const other = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  onTestFinished(() => void other.destroy());
  await once(other, 'connect');
  expect(await whyNotDirect()).toBeUndefined();
  other.write('still here');
  expect(String((await once(other, 'data'))[0])).toBe('still here');
});
