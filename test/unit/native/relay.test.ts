import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { loadAddon } from '../../../native/addon.ts';
import { NativeRelay } from '../../../native/relay.ts';

const OPTIONS = {
  listeners: [],
  firstPort: 10_000,
  lastPort: 32_767,
  mark: 0x539,
  connectTimeoutMs: 1_000,
  keepAliveMs: 60_000,
  maxFlows: 1_000,
  maxPipes: 4,
};

test('other work has its turn while flows come faster than they can be judged', async () => {
  const PATIENCE = 1_000;
  let takes = 0;
  let notify = () => {};
  const relay = new NativeRelay(
    OPTIONS,
    { accepted() {}, ended() {}, acceptFailed() {} },
    {
      ...loadAddon(),
      relayStart(_, notifyOfEvents) {
        notify = notifyOfEvents;
        return {};
      },
      relayTake(_, events) {
        takes += 1;
        return takes < PATIENCE ? events.length / 64 : 0; // always a full batch
      },
      relayClose() {},
    },
  );
  notify();
  await turn();
  expect(takes).toBeLessThan(10);
  while (takes < PATIENCE) await turn(); // nor does it come to a stop
  relay.close();
});
