import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { serveAdmin } from '../../../sidecar/admin.ts';
import { EMPTY_ADMIN_PAGES } from '../../support/empty_admin_pages.ts';

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
