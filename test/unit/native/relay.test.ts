import { execFileSync } from 'node:child_process';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { SIDECAR_PORTS } from '../../../common/contract.ts';
import { loadAddon } from '../../../native/addon.ts';
import { NativeRelay } from '../../../native/relay.ts';

const OPTIONS = {
  listeners: [],
  firstPort: 10_000,
  lastPort: 32_767,
  mark: 0x539,
  connectTimeoutMs: 1_000,
  idleSeconds: 60,
  intervalSeconds: 60,
  probes: 119,
  maxHeldBytes: 2 ** 30,
  endIdleSeconds: 0,
  ownPorts: [SIDECAR_PORTS.admin, SIDECAR_PORTS.canary] as [number, number],
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

test('a relay that finds no descriptors says so, and keeps none', () => {
  const script = `
    import { closeSync, openSync } from 'node:fs';
    import { NativeRelay } from './native/relay.ts';
    import { openSockets } from './native/sockets.ts';
    const listeners = [openSockets().listenTransparent(4, '127.0.0.1', 0, 16)];
    const start = () => new NativeRelay({ ...${JSON.stringify(OPTIONS)}, listeners }, {});
    start().close(); // what Node itself opens for it stays
    const taken = [];
    try {
      for (;;) taken.push(openSync('/dev/null'));
    } catch {}
    const codes = [];
    for (let started = false; !started; closeSync(taken.pop())) {
      try {
        start().close();
        started = true;
      } catch (error) {
        codes.push(error.code);
      }
    }
    console.log(JSON.stringify(codes));
  `;
  const output = execFileSync(
    'prlimit',
    ['--nofile=256', process.execPath, '--input-type=module', '-e', script],
    {
      encoding: 'utf8',
    },
  );
  // An epoll, an eventfd, a spare, and a duplicate of the listener.
  expect(JSON.parse(output)).toEqual(Array(4).fill('SOCKET_DESCRIPTORS_EXHAUSTED'));
});
