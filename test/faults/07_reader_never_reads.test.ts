/**
 * Case 7: given a peer that never reads and a sender as fast as it can, when that goes on for 60 s, then memory grows by at most 1 MiB a
 * flow, and the others' p99 is at most 1.2 times what it was.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { namespace, node, pod } from '../builders/manifests.ts';
import { run } from '../netns/command.ts';
import { useLab } from '../netns/harness.ts';

const APP = '10.1.1.10';
const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

/** Flows whose reader never reads: the app sends on loopback, as fast as the kernel takes it. */
const STALLED = 60;

const WARM_UP_MS = 5_000;

/** What the text says. */
const STALLED_MS = 60_000;
const GROWTH_BYTES = MIB;
const P99_RATIO = 1.2;

/** By so much the best of two series differ here when nothing has changed, ms. */
const NOISE_MS = 0.2;

/** Round trips of a round, and rounds: the best counts, as the machine has other work. Alone, half are before and half after. */
const ROUND_TRIPS = 2_000;
const ROUNDS = 20;

const net = useLab({
  objects: [
    node(1),
    namespace('x'),
    pod('x/app', { ips: [APP] }),
    pod('x/client', { ips: ['10.1.1.11'] }),
    pod('x/stalled', { ips: ['10.1.1.12'] }),
  ],
});

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

/** 99th percentile of round trips of 64 bytes, ms. */
async function p99(): Promise<number> {
  const client = `
    const socket = require('node:net').connect({ host: '${APP}', port: 80, noDelay: true }, () => socket.write('ECHO\\n'));
    const times = [];
    let at = performance.now(), warm = 200;
    const ask = () => { at = performance.now(); socket.write(Buffer.alloc(64)); };
    let got = 0;
    socket.on('connect', ask);
    socket.on('data', (chunk) => {
      got += chunk.length;
      if (got < 64) return;
      got = 0;
      if (warm-- <= 0) times.push(performance.now() - at);
      if (times.length < ${ROUND_TRIPS}) return ask();
      times.sort((a, b) => a - b);
      console.log(times[Math.floor(times.length * 0.99)]);
      socket.destroy();
    });`;
  return Number(await run(inNetns(net.lab.netns('x/client'), [process.execPath, '--eval', client])));
}

async function bestOf(count: number): Promise<number> {
  const rounds: number[] = [];
  while (rounds.length < count) rounds.push(await p99());
  return Math.min(...rounds);
}

test('flows that nobody reads hold at most 1 MiB each, and harm nobody', async () => {
  const work = { kind: 'receive', bytes: 10 * GIB, bytesPerSecond: 1 } as const;
  const open = async (group: string) =>
    void (await net.open('x/stalled', { group, count: STALLED, address: APP, port: 80, work }));
  // The heap of a young Node process grows to its size with the first of them.
  await open('warm');
  await delay(WARM_UP_MS);
  await net.agent('x/stalled').ask({ do: 'close', group: 'warm' });
  const earlier = await bestOf(ROUNDS / 2);
  const before = await heldBytes();
  await open('stalled');
  const startedAt = performance.now();
  let most = 0;
  const beside: number[] = [];
  while (performance.now() - startedAt < STALLED_MS) {
    most = Math.max(most, await heldBytes());
    if (beside.length < ROUNDS) beside.push(await p99());
    else await delay(1_000);
  }
  const stalled = await net.report('x/stalled', 'stalled');
  expect(stalled).toHaveLength(STALLED);
  for (const flow of stalled) expect(flow.state).toBe('open');
  await net.agent('x/stalled').ask({ do: 'close', group: 'stalled' });
  const alone = Math.min(earlier, await bestOf(ROUNDS / 2));
  const perFlow = (most - before) / STALLED + PIPE_BYTES;
  console.info(
    `held by each: ${(perFlow / MIB).toFixed(2)} MiB; p99 ${alone.toFixed(3)} ms alone, ${Math.min(...beside).toFixed(3)} ms beside`,
  );
  expect(perFlow).toBeLessThanOrEqual(GROWTH_BYTES);
  expect(Math.min(...beside)).toBeLessThanOrEqual(P99_RATIO * alone + NOISE_MS);
}, 180_000);

/** Resident memory, proc(5). */
function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}
