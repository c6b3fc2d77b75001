import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { serveAdmin } from '../../../../sidecar/admin/admin.ts';
import { EMPTY_ADMIN_PAGES } from '../../../support/empty_admin_pages.ts';

test('an admin port that is taken is an error that says which setting moves it', async () => {
  const taker = createServer().listen(0);
  onTestFinished(() => {
    taker.close();
  });
  await once(taker, 'listening');
  const { port } = taker.address() as AddressInfo;
  const serving = serveAdmin(port, [], EMPTY_ADMIN_PAGES);
  await expect(serving).rejects.toMatchObject({
    code: 'LISTEN_ADDRESS_UNUSABLE',
    message: expect.stringMatching(
      new RegExp(
        `port ${port}: .*EADDRINUSE.*; choose another port with SLUICE_ADMIN_PORT or stop who has it`,
      ),
    ),
  });
});

test('an app of the pod holds a bounded number of connections, and gets in again when it lets go', async () => {
  const server = await serveAdmin(0, [], EMPTY_ADMIN_PAGES);
  onTestFinished(() => {
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const dial = () => connect({ port, host: '127.0.0.1' }).on('error', () => {});
  const held = Array.from({ length: 100 }, () => dial().resume());
  onTestFinished(() => {
    for (const socket of held) socket.destroy();
  });
  const closed = () => held.filter((socket) => socket.closed).length;
  await expect.poll(closed).toBe(36);
  for (const socket of held) socket.destroy();
  const health = async () => {
    const socket = dial();
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString();
    });
    socket.write('GET /healthz HTTP/1.1\r\n\r\n');
    await once(socket, 'close');
    return answer;
  };
  await expect.poll(health).toContain('200');
});
