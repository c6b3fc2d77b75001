/**
 * Case 10: given 5,000 idle clients, when a normal client connects, then its p99 is at most 1.5 times what it was, caps and idle timeout
 * apply, and the resident memory is within its limit.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { namespace, node, pod } from '../builders/manifests.ts';
import { run } from '../netns/command.ts';
import { until, useLab } from '../netns/harness.ts';

const APP = '10.1.1.10';

/** What the text says. */
const IDLE = 5_000;
const P99_RATIO = 1.5;

/** The sidecar's default memory limit. */
const MEMORY_BYTES = 512 * 1024 ** 2;

/** Connections of a round, and rounds: the best counts, as the machine has other work. */
const CONNECTS = 300;
const ROUNDS = 5;

const IDLE_SECONDS = 3;

const net = useLab({
  objects: [
    node(1),
    namespace('x'),
    pod('x/app', { ips: [APP] }),
    pod('x/client', { ips: ['10.1.1.11'] }),
    pod('x/idle', { ips: ['10.1.1.12'] }),
  ],
});

const hold = { kind: 'hold' } as const;
const metric = async (name: string): Promise<number> => {
  const { body } = await net.admin('x/app', '/metrics');
  return Number(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'm').exec(body)?.[1]);
};
const openIdle = (count: number) =>
  net.open('x/idle', { group: 'idle', count, address: APP, port: 80, work: hold });

/** 99th percentile of connecting and being answered, ms. */
async function p99(): Promise<number> {
  const client = `
    const { connect } = require('node:net');
    const times = [];
    const next = () => {
      const at = performance.now();
      const socket = connect({ host: '${APP}', port: 80, noDelay: true }, () => socket.write('x\\n'));
      socket.once('data', () => {
        times.push(performance.now() - at);
        socket.resetAndDestroy();
        if (times.length < ${CONNECTS}) return next();
        times.sort((a, b) => a - b);
        console.log(times[Math.floor(times.length * 0.99)]);
      });
    };
    next();`;
  return Number(await run(inNetns(net.lab.netns('x/client'), [process.execPath, '--eval', client])));
}

async function best(): Promise<number> {
  const rounds: number[] = [];
  while (rounds.length < ROUNDS) rounds.push(await p99());
  return Math.min(...rounds);
}

test('5,000 idle clients cost a normal one little, and stay within the memory', async () => {
  const { pid } = net.lab.process('x/app', 'sidecar');
  const alone = await best();
  const before = residentBytes(pid);
  // 500 at a time: the app's backlog is what a burst would fill.
  for (let group = 0; group < IDLE / 500; group += 1) {
    const flows = await net.open('x/idle', {
      group: `idle-${group}`,
      count: 500,
      address: APP,
      port: 80,
      work: hold,
    });
    expect(flows.filter(({ state }) => state === 'open')).toHaveLength(500);
  }
  const beside = await best();
  const grown = residentBytes(pid) - before;
  console.info(
    `p99 ${alone.toFixed(2)} ms alone, ${beside.toFixed(2)} ms beside; resident ${(residentBytes(pid) / 2 ** 20).toFixed(0)} MiB, ${(grown / IDLE / 1024).toFixed(1)} KiB a flow`,
  );
  expect(await metric('sluice_connections_open')).toBe(IDLE); // nobody was let go for having nothing to say
  expect(beside).toBeLessThanOrEqual(P99_RATIO * alone);
  expect(residentBytes(pid)).toBeLessThan(MEMORY_BYTES);
  for (let group = 0; group < IDLE / 500; group += 1)
    await net.agent('x/idle').ask({ do: 'reset', group: `idle-${group}` });
}, 180_000);

test.each(['splice', 'node'])('caps and the idle timeout apply to idle clients (%s relay)', async (relay) => {
  await net.lab.stopProcess('x/app', 'sidecar', 'SIGTERM');
  await net.lab.startSidecar('x/app', {
    redirect: false,
    env: { SLUICE_RELAY: relay, SLUICE_MAX_CONNECTIONS: '100', SLUICE_IDLE_SECONDS: String(IDLE_SECONDS) },
  });
  await until('it is ready', async () => {
    const ready = await net.admin('x/app', '/readyz').catch(() => undefined);
    return ready?.status === 200;
  });
  const work = { kind: 'echo', chunkBytes: 1, intervalMs: 500 } as const;
  await net.open('x/client', { group: 'busy', count: 1, address: APP, port: 80, work });
  const flows = await openIdle(120);
  expect(flows.filter(({ state }) => state === 'open')).toHaveLength(99);
  expect(flows.filter(({ error }) => error === 'ECONNRESET')).toHaveLength(21);
  await until('the idle ones have ended', async () => (await metric('sluice_connections_open')) === 1);
  const ends = net.sidecarLog('x/app').filter(({ end }) => end === 'idle-timeout');
  expect(ends.length).toBeGreaterThanOrEqual(99);
  expect(await net.finish('x/client', 'busy')).toMatchObject([{ state: 'ended' }]);
});

/** Resident memory, proc(5). */
function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}
