/** When the kernel is asked for an app's accept queue, and what follows, with a kernel that is made up. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { Backlogs } from '../../../../sidecar/inbound/backlogs.ts';
import type { Side } from '../../../../sidecar/kernel/conntrack.ts';

const PLACE = { address: '10.0.0.1', port: 80 };

const kernel = {
  room: vi.fn(async (_place: Side): Promise<number | undefined> => 1),
  hold: vi.fn(async () => {}),
  release: vi.fn(async () => {}),
};
const failed = vi.fn();
let backlogs = new Backlogs(kernel, failed);

afterEach(() => {
  backlogs.close();
  vi.resetAllMocks();
  backlogs = new Backlogs(kernel, failed);
});

const dial = (isSettled = true) => backlogs.dialled({ destination: PLACE, isSettled: () => isSettled });

test('it asks after the first connection, and again after as many as there was room for', async () => {
  kernel.room.mockResolvedValue(100);
  dial();
  await expect.poll(() => kernel.room.mock.calls.length).toBe(1);
  for (let i = 0; i < 99; i += 1) dial();
  await sleep(20);
  expect(kernel.room).toHaveBeenCalledTimes(1);
  dial();
  await expect.poll(() => kernel.room.mock.calls.length).toBe(2);
  expect(kernel.hold).not.toHaveBeenCalled();
});

test('it asks when the last connection is in the queue, however slow the machine is', async () => {
  let looks = 0;
  const isSettled = () => {
    looks += 1;
    return looks > 1;
  };
  kernel.room.mockImplementation(async () => (looks > 1 ? 0 : 1));
  backlogs.dialled({ destination: PLACE, isSettled });
  await expect.poll(() => backlogs.full).toEqual([PLACE]);
});

test('a full queue is held once, looked at until there is room, and released', async () => {
  kernel.room.mockResolvedValue(0);
  dial();
  await expect.poll(() => backlogs.full).toEqual([PLACE]);
  const asked = kernel.room.mock.calls.length;
  await expect.poll(() => kernel.room.mock.calls.length).toBeGreaterThan(asked + 2);
  expect(kernel.hold).toHaveBeenCalledTimes(1);
  expect(kernel.hold).toHaveBeenCalledWith({ added: [PLACE], renewed: [] });
  kernel.room.mockResolvedValue(3);
  await expect.poll(() => backlogs.full).toEqual([]);
  expect(kernel.release).toHaveBeenCalledWith([PLACE]);
});

test('what is held for long is renewed before it goes by itself', async () => {
  kernel.room.mockResolvedValue(0);
  dial();
  await expect.poll(() => kernel.hold.mock.calls.length, { timeout: 10_000 }).toBe(2);
  expect(kernel.hold).toHaveBeenLastCalledWith({ added: [], renewed: [PLACE] });
});

test('a dial that is not answered soon is a reason to ask: others may have filled the queue', async () => {
  kernel.room.mockResolvedValue(1_000);
  dial();
  await expect.poll(() => kernel.room.mock.calls.length).toBe(1);
  await sleep(100);
  kernel.room.mockResolvedValue(0);
  dial(false);
  await expect.poll(() => backlogs.full).toEqual([PLACE]);
});

test('where nobody listens, and where the kernel cannot be asked, nothing is held', async () => {
  kernel.room.mockResolvedValue(undefined);
  dial();
  await expect.poll(() => kernel.room.mock.calls.length).toBe(1);
  backlogs.close();
  backlogs = new Backlogs(kernel, failed);
  kernel.room.mockRejectedValue(new Error('no'));
  dial();
  await expect.poll(() => failed.mock.calls.length).toBe(1);
  expect(kernel.hold).not.toHaveBeenCalled();
  expect(backlogs.full).toEqual([]);
});

test('the port that is used goes on being known, however many others are', async () => {
  kernel.room.mockResolvedValue(1_000_000);
  const asked = () => kernel.room.mock.calls.filter(([place]) => place.port === PLACE.port).length;
  dial();
  await expect.poll(asked).toBe(1);
  for (let port = 1_000; port < 2_000; port += 1) {
    backlogs.dialled({ destination: { ...PLACE, port }, isSettled: () => true });
    if (port % 100 === 0) dial();
  }
  await sleep(20);
  dial();
  await sleep(20);
  expect(asked()).toBe(1);
});

test('closed, it asks and holds nothing any more, even while an app is still dialled', async () => {
  kernel.room.mockResolvedValue(0);
  backlogs.close();
  dial();
  await sleep(50);
  expect(kernel.room).not.toHaveBeenCalled();
});
