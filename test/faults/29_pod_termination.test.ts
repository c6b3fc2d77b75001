/**
 * Given a pod gets SIGTERM with live flows, when the sidecar drains, then the app goes first, flows finish or get RST at the
 * grace period less 5 s, and enforcement holds to the last packet. On the direct path the app goes on taking connections meanwhile.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { labPaths, sidecarStateFolder } from '../../lab/names/paths.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import { signalProcess, waitGone } from '../../lab/processes/process.ts';
import { preStopCommand } from '../builders/admitted_pods.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { run } from '../netns/command.ts';
import { IS_DIRECT, patternSha256, SILENCE, until, useLab, wallClockMs } from '../netns/harness.ts';

const API = '10.1.1.10';
const BATCH = '10.1.1.12';

/** A pod of a grace period of 9 s: the injector sets 5 s less. */
const GRACE_MS = 9_000;
const DRAIN_MS = GRACE_MS - 5_000;

/** How far from its time a reset may be: a drain looks every 50 ms, and the machine may be busy. */
const LATE_MS = 1_000;

const net = useLab({
  sidecarEnv: { SLUICE_FLOW_LOG: 'all', SLUICE_DRAIN_SECONDS: String(DRAIN_MS / 1000) },
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: [API], ports: [80, 'UDP/53'] }),
    pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11'] }),
    pod('shop/other', { labels: { app: 'other' }, ips: ['10.1.1.13'] }),
    pod('shop/batch', { labels: { app: 'batch' }, ips: [BATCH] }),
    allowApps('shop/allow', 'api', ['front', 'other']),
  ],
});

const ready = () =>
  until(
    'the sidecar is ready',
    async () => (await net.admin('shop/api', '/readyz').catch(() => undefined))?.status === 200,
  );

/** A denied peer keeps trying, by TCP and by UDP, until the end of `during`. @returns what got through */
async function deniedWhile(
  during: Promise<unknown>,
): Promise<{ readonly tries: number; readonly through: number }> {
  let over = false;
  let tries = 0;
  let through = 0;
  const trying = (async () => {
    while (!over) {
      const [tcp, udp] = await Promise.all([
        net.connect('shop/batch', API, 80, SILENCE),
        net.datagram('shop/batch', API, 53, SILENCE),
      ]);
      tries += 1;
      if (tcp.connected || tcp.allowed || udp.allowed) through += 1;
    }
  })();
  try {
    await during;
  } finally {
    over = true;
    await trying;
  }
  return { tries, through };
}

test('sidecar and app get SIGTERM together: flows finish, or are reset at grace - 5 s; denials hold to the last packet', async () => {
  const bytes = 2_000_000;
  await net.open('shop/front', {
    group: 'finishes',
    count: 1,
    address: API,
    port: 80,
    work: { kind: 'receive', bytes, sentBytesPerSecond: 2_000_000 },
  });
  const endless = { kind: 'echo', chunkBytes: 256, intervalMs: 50 } as const;
  await net.open('shop/front', { group: 'stays', count: 1, address: API, port: 80, work: endless });
  await net.open('shop/other', { group: 'denied later', count: 1, address: API, port: 80, work: endless });
  const accepted = net.accepted('shop/api').length;
  const sidecar = net.lab.process('shop/api', 'sidecar');

  // The app of this pod ignores SIGTERM and goes on until SIGKILL.
  const termAt = wallClockMs();
  signalProcess(sidecar, 'SIGTERM');
  const { tries, through } = await deniedWhile(
    (async () => {
      await until('the drain has begun', () =>
        net.sidecarLog('shop/api').some(({ msg }) => msg === 'draining'),
      );
      // Policy holds while it drains.
      net.lab.writeObjects(allowApps('shop/allow', 'api', ['front']));
      const denied = await until('the flow that is denied now is cut', async () => {
        const [flow] = await net.report('shop/other', 'denied later');
        return flow?.overAt === undefined ? undefined : flow;
      });
      expect(denied).toMatchObject({ state: 'failed', error: 'ECONNRESET' });
      expect((denied.overAt ?? 0) - termAt).toBeLessThan(DRAIN_MS);
      // No new flow, not even of an allowed peer.
      expect(await net.connect('shop/front', API, 80, SILENCE)).toMatchObject({ connected: IS_DIRECT });
      await waitGone([sidecar]);
    })(),
  );
  expect(tries).toBeGreaterThan(3);
  expect(through).toBe(0);

  const [finished] = await net.report('shop/front', 'finishes');
  expect(finished).toMatchObject({
    state: 'ended',
    receivedBytes: bytes,
    receivedSha256: patternSha256(bytes),
  });
  const [reset] = await net.report('shop/front', 'stays');
  expect(reset).toMatchObject({ state: 'failed', error: 'ECONNRESET' });
  const resetAfterMs = (reset?.overAt ?? Number.POSITIVE_INFINITY) - termAt;
  expect(resetAfterMs).toBeGreaterThanOrEqual(DRAIN_MS - 100); // its clock starts some milliseconds later, the test's may not
  expect(resetAfterMs).toBeLessThanOrEqual(DRAIN_MS + LATE_MS);
  const ends = net.sidecarLog('shop/api').flatMap(({ msg, end }) => (msg === 'flow ended' ? [end] : []));
  expect(ends).toContain('drained');
  expect(net.sidecarLog('shop/api').at(-1)).toMatchObject({ msg: 'stopped' });

  // The sidecar has gone and the app is still there: the kernel goes on.
  const after = await deniedWhile(
    (async () => {
      for (let i = 0; i < 3; i += 1)
        expect(await net.connect('shop/front', API, 80, SILENCE)).toMatchObject({ connected: IS_DIRECT });
    })(),
  );
  expect(after.through).toBe(0);
  expect(net.accepted('shop/api').length).toBe(accepted + (IS_DIRECT ? 4 : 0));
});

test('the app goes first: its flows end with it, the sidecar enforces until then, and goes at once', async () => {
  await net.lab.startSidecar('shop/api', { redirect: false });
  await ready();
  await net.lab.waitEnforced();
  await net.open('shop/front', {
    group: 'with the app',
    count: 5,
    address: API,
    port: 80,
    work: { kind: 'echo', chunkBytes: 256, intervalMs: 50 },
  });
  const { through } = await deniedWhile(
    (async () => {
      await net.lab.stopProcess('shop/api', 'app', 'SIGTERM');
      await until('its flows are over', async () =>
        (await net.report('shop/front', 'with the app')).every(({ overAt }) => overAt !== undefined),
      );
    })(),
  );
  expect(through).toBe(0);
  const termAt = wallClockMs();
  const stopped = net.lab.stopProcess('shop/api', 'sidecar', 'SIGTERM');
  expect((await deniedWhile(stopped)).through).toBe(0);
  expect(wallClockMs() - termAt).toBeLessThan(DRAIN_MS);
  const { msg } = net.sidecarLog('shop/api').at(-1) ?? {};
  expect(msg).toBe('stopped');
});

/** What the kubelet runs in the sidecar's container when the pod's termination begins. */
const preStop = () =>
  run(preStopCommand(), { SLUICE_STATE_DIR: sidecarStateFolder(labPaths(net.lab.name), 'shop/api') });

test.each([
  { appTakes: '2 s', appMs: 2_000, resetMs: DRAIN_MS },
  { appTakes: '6 s, past the end of the drain', appMs: 6_000, resetMs: 6_000 },
])(
  'SIGTERM comes when the app has ended, which takes $appTakes: flows are reset before SIGKILL all the same',
  async ({ appTakes, appMs, resetMs }) => {
    await net.lab.startApp('shop/api');
    await net.lab.startSidecar('shop/api', { redirect: false });
    await ready();
    await net.lab.waitEnforced();
    const sidecar = net.lab.process('shop/api', 'sidecar');
    // What the app has sent until it ends is on its way to a reader that is slow.
    const slow = { kind: 'receive', bytes: 8_000_000, bytesPerSecond: 1_000 } as const;
    await net.open('shop/front', { group: appTakes, count: 1, address: API, port: 80, work: slow });
    const before = net.sidecarLog('shop/api').length;

    const beganAt = wallClockMs();
    await preStop();
    await delay(appMs - (wallClockMs() - beganAt));
    await net.lab.stopProcess('shop/api', 'app', 'SIGKILL');
    signalProcess(sidecar, 'SIGTERM');
    await waitGone([sidecar]);
    expect(wallClockMs() - beganAt).toBeLessThan(GRACE_MS);

    const lines = net.sidecarLog('shop/api').slice(before);
    const drained = lines.filter(({ end }) => end === 'drained');
    expect(drained).toHaveLength(1);
    const resetAfterMs = Date.parse(String(drained[0]?.time)) - beganAt;
    expect(resetAfterMs).toBeGreaterThanOrEqual(resetMs - 100); // the file system's clock is some milliseconds behind
    expect(resetAfterMs).toBeLessThanOrEqual(resetMs + LATE_MS);
    expect(lines.at(-1)).toMatchObject({ msg: 'stopped' });
  },
);

test('SIGTERM right after a connection from an admitted peer: it may finish too, and has its record', async () => {
  await net.lab.startApp('shop/api');
  await net.lab.startSidecar('shop/api', { redirect: false });
  await ready();
  const records = () => net.sidecarLog('shop/api').filter(({ msg }) => msg === 'flow ended');
  const before = records().length;
  expect(await net.connect('shop/front', API, 80)).toMatchObject({ allowed: true }); // from now on admitted from memory
  await until('its record is there', () => records().length > before);
  const sidecar = net.lab.process('shop/api', 'sidecar');
  const client = `
    const socket = require('node:net').connect(80, '${API}', () => {
      process.kill(${sidecar.pid}, 'SIGTERM');
      socket.end('hello\\n');
    });
    socket.pipe(process.stdout);`;
  const answer = await run(inNetns(net.lab.netns('shop/front'), [process.execPath, '--eval', client]));
  await waitGone([sidecar]);
  expect(answer.trim()).toBe('10.1.1.11');
  expect(records()).toHaveLength(before + 2);
  expect(records().at(-1)).toMatchObject({ verdict: 'allow', end: 'closed', bytes_recv: 6 });
});
