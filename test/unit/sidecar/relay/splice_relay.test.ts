import { expect, test } from 'vitest';
import { SIDECAR_PORTS } from '../../../../common/contract.ts';
import { loadAddon } from '../../../../native/addon.ts';
import type { Sockets } from '../../../../native/sockets.ts';
import { startSpliceRelay } from '../../../../sidecar/relay/splice_relay.ts';

const THREADS = 3;

test('no thread goes on admitting by the old table while another reports what it had admitted', () => {
  const calls: string[] = [];
  const settings = {
    sockets: { listenTransparent: () => 0, close() {} } as unknown as Sockets,
    inboundPort: SIDECAR_PORTS.inbound,
    adminPort: SIDECAR_PORTS.admin,
    canaryPort: SIDECAR_PORTS.canary,
    connectTimeoutMs: 1_000,
    keepAliveMs: 1_000,
    peerTimeoutMs: 4_000,
    bufferBytes: 2 ** 30,
    idleMs: 0,
    connectionLimit: 10,
    pipeLimit: 4,
    threads: THREADS,
  };
  const relay = startSpliceRelay(
    settings,
    { accepted: () => ({ ended() {} }), acceptFailed() {} },
    {
      ...loadAddon(),
      relayStart: () => ({}),
      relayForget: () => calls.push('forget'),
      relayTake() {
        calls.push('report');
        return 0;
      },
      relayClose() {},
    },
  );
  relay.forgetAdmissions();
  expect(calls).toEqual([...Array(THREADS).fill('forget'), ...Array(THREADS).fill('report')]);
  relay.close();
});
