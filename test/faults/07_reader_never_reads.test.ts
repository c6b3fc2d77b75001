/**
 * Case 7: given a peer that never reads and a sender as fast as it can, when that goes on for 60 s, then memory grows by at most 1 MiB a
 * flow. What the others notice is in `07_reader_never_reads_delays.test.ts`.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { run } from '../netns/command.ts';
import { closeStalled, openStalled, STALLED, useStalledLab, warmUp } from './stalled_flows.ts';

const MIB = 1024 ** 2;

/** What the text says. */
const STALLED_MS = 60_000;
const GROWTH_BYTES = MIB;

const LOOK_EVERY_MS = 500;

const net = useStalledLab();

/** Bytes in the sockets of the sidecar's process, as the kernel charges them, its pipes, and its resident memory. */
async function heldBytes(): Promise<number> {
  const { pid } = net.lab.process('x/app', 'sidecar');
  const text = await run(inNetns(net.lab.netns('x/app'), ['ss', '-tnmpHO']));
  const own = text.split('\n').filter((line) => line.includes(`pid=${pid},`));
  const sockets = own.map((line) => {
    const [, received, sent, forward] = /skmem:\(r(\d+),rb\d+,t\d+,tb\d+,f(\d+),w(\d+)/.exec(line) ?? [];
    return Number(received) + Number(sent) + Number(forward);
  });
  return sockets.reduce((sum, bytes) => sum + bytes, 0) + residentBytes(pid);
}

/** A pipe that a stalled flow holds is full at most: 256 KiB, which belong to no socket any more. */
const PIPE_BYTES = 256 * 1024;

test('flows that nobody reads hold at most 1 MiB each', async () => {
  await warmUp(net);
  const before = await heldBytes();
  await openStalled(net, 'stalled');
  const startedAt = performance.now();
  let most = 0;
  while (performance.now() - startedAt < STALLED_MS) {
    most = Math.max(most, await heldBytes());
    await delay(LOOK_EVERY_MS);
  }
  await closeStalled(net, 'stalled');
  const perFlow = (most - before) / STALLED + PIPE_BYTES;
  console.info(`held by each: ${(perFlow / MIB).toFixed(2)} MiB`);
  expect(perFlow).toBeLessThanOrEqual(GROWTH_BYTES);
}, 180_000);

/** Resident memory, proc(5). */
function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}
