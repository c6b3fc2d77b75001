import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { NETLINK_PROTOCOLS, Netlink } from '../../../native/netlink.ts';
import { message, NLM_F_DUMP } from '../../../native/netlink_message.ts';
import { Readiness } from '../../../native/readiness.ts';

/** Long enough for the thread to have said something, ms. */
const A_WHILE_MS = 100;
const RTM_GETLINK = 18;

/** A socket that gets answers when it is asked to. */
function socket() {
  const netlink = new Netlink(NETLINK_PROTOCOLS.ROUTE);
  onTestFinished(() => netlink.close());
  return {
    netlink,
    fill: () => netlink.send(message(RTM_GETLINK, NLM_F_DUMP, 1, [new Uint8Array(16)])),
    empty() {
      while (netlink.receive() !== undefined);
    },
  };
}

function watching(...sockets: readonly Netlink[]) {
  const ready = vi.fn();
  const readiness = new Readiness(sockets, ready);
  onTestFinished(() => readiness.close());
  return { ready, readiness };
}

const threads = (): number => readdirSync('/proc/self/task').length;

test('somebody who asks hears once of what waits already, and of what comes, in whichever socket', async () => {
  const [one, other] = [socket(), socket()];
  const { ready, readiness } = watching(one.netlink, other.netlink);
  one.fill();
  await delay(A_WHILE_MS);
  expect(ready).not.toHaveBeenCalled(); // nobody has asked

  readiness.arm();
  await vi.waitFor(() => expect(ready).toHaveBeenCalledTimes(1));
  one.empty();
  readiness.arm();
  await delay(A_WHILE_MS);
  expect(ready).toHaveBeenCalledTimes(1); // nothing waits
  other.fill();
  await vi.waitFor(() => expect(ready).toHaveBeenCalledTimes(2));
});

test('who asks twice before something comes hears once', async () => {
  const one = socket();
  const { ready, readiness } = watching(one.netlink);
  readiness.arm();
  readiness.arm();
  one.fill();
  await vi.waitFor(() => expect(ready).toHaveBeenCalled());
  await delay(A_WHILE_MS);
  expect(ready).toHaveBeenCalledTimes(1);
});

test('while nothing comes the thread uses no processor time, and after close there is none', async () => {
  const one = socket();
  const before = threads();
  const ready = vi.fn();
  const readiness = new Readiness([one.netlink], ready);
  expect(threads()).toBe(before + 1);
  const thread = Math.max(...readdirSync('/proc/self/task').map(Number));
  readiness.arm();
  await delay(A_WHILE_MS);
  const switches = (): string | undefined =>
    /^voluntary_ctxt_switches:\s+(\d+)$/m.exec(
      readFileSync(`/proc/self/task/${thread}/status`, 'latin1'),
    )?.[1];
  const asleep = switches();
  expect(asleep).toBeDefined();
  await delay(A_WHILE_MS);
  expect(switches()).toBe(asleep);

  readiness.close();
  expect(threads()).toBe(before);
  one.fill();
  readiness.arm();
  readiness.close();
  await delay(A_WHILE_MS);
  expect(ready).not.toHaveBeenCalled();
});

test('sockets that nobody can wait for are an error', () => {
  const five = Array.from({ length: 5 }, () => socket().netlink);
  expect(() => new Readiness(five, () => {})).toThrow(
    'cannot start the thread that waits for reports: EINVAL',
  );
  expect(() => new Readiness([], () => {})).toThrow('EINVAL');
});
