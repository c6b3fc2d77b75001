/** When each rule is checked. Dials are real; the clock is not. */
import net from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Canary } from '../../../../sidecar/redirect/canary.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** How often all rules were checked after each second, the start included. */
async function verifications(verified: boolean, seconds: number): Promise<readonly number[]> {
  let [checks, verifies] = [0, 0];
  const counts: number[] = [];
  const proxy = net.createServer((socket) => {
    canary.arrived(4, socket.remotePort ?? 0);
    socket.destroy();
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const context = {
    port: (proxy.address() as net.AddressInfo).port,
    verify: async () => {
      verifies += 1;
    },
    checked: (problem: string | undefined) => {
      expect(problem).toBeUndefined();
      checks += 1;
    },
  };
  const canary = new Canary(context, verified);
  void canary.start([4]);
  for (let second = 0; second <= seconds; second += 1) {
    while (checks <= second) await turn();
    await turn();
    counts.push(verifies);
    vi.advanceTimersByTime(1_000);
  }
  canary.close();
  proxy.close();
  return counts;
}

test('rules that this process has just put in are checked some seconds later, and then each minute', async () => {
  const counts = await verifications(true, 70);
  expect(counts.slice(0, 5)).toEqual([0, 0, 0, 0, 0]);
  expect(counts[6]).toBe(1);
  expect(counts[60]).toBe(1);
  expect(counts[70]).toBe(2);
});

test('rules that were there are checked at once, and then each minute', async () => {
  const counts = await verifications(false, 62);
  expect(counts[0]).toBe(1);
  expect(counts[58]).toBe(1);
  expect(counts[62]).toBe(2);
});
