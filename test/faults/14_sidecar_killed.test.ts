/**
 * Given the sidecar gets SIGKILL under load, when new flows arrive before it restarts, then none reaches the app; after the
 * restart the last policy is in force before the first accept. On the direct path the app has its own connections: they go on, and the
 * last policy judges new ones all the while.
 */
import { expect, test } from 'vitest';
import type { ConnectResult } from '../../lab/agent/protocol.ts';
import { signalProcess, waitGone } from '../../lab/processes/process.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { IS_DIRECT, SILENCE, until, useLab } from '../netns/harness.ts';

const API = '10.1.1.10';
const FRONT = '10.1.1.11';

/** Flows under way at the moment of the kill. */
const LOAD = 100;

const net = useLab({
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: [API], ports: [80, 'UDP/53'] }),
    pod('shop/front', { labels: { app: 'front' }, ips: [FRONT] }),
    pod('shop/batch', { labels: { app: 'batch' }, ips: ['10.1.1.12'] }),
    allowApps('shop/allow', 'api', ['front']),
  ],
});

const fromFront = () => net.connect('shop/front', API, 80, SILENCE);
const fromBatch = () => net.connect('shop/batch', API, 80, SILENCE);
const isReady = async () => (await net.admin('shop/api', '/readyz').catch(() => undefined))?.status === 200;

const WHILE_DOWN = IS_DIRECT ? 'what the last policy denies does not' : 'nothing new does';

test(`while it is down ${WHILE_DOWN} reach the app; then the last table is in force before the first accept`, async () => {
  const work = { kind: 'echo', chunkBytes: 2048, intervalMs: 20 } as const;
  await net.open('shop/front', { group: 'load', count: LOAD, address: API, port: 80, work });
  const injector = net.lab.injector(); // the table can only come from disk
  signalProcess(injector, 'SIGKILL');
  await waitGone([injector]);
  await net.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');

  const accepted = net.accepted('shop/api').length;
  const attempts = await Promise.all([fromFront(), fromBatch(), fromFront(), fromBatch()]);
  const passes = [IS_DIRECT, false, IS_DIRECT, false];
  expect(attempts.map(({ connected }) => connected)).toEqual(passes);
  expect(attempts.map(({ allowed }) => allowed)).toEqual(passes);
  expect(await net.datagram('shop/batch', API, 53, SILENCE)).toMatchObject({ allowed: false });
  expect(net.accepted('shop/api').length).toBe(accepted + passes.filter((one) => one).length);
  const load = await net.finish('shop/front', 'load', 5_000);
  for (const flow of load) {
    if (IS_DIRECT) expect(flow).toMatchObject({ state: 'ended', receivedBytes: flow.sentBytes });
    // Nobody takes half a stream for a whole one.
    else expect(flow).toMatchObject({ state: 'failed', error: 'ECONNRESET' });
  }

  // Both keep knocking while it comes back.
  let back = false;
  const denied: ConnectResult[] = [];
  const allowed: ConnectResult[] = [];
  const knocking = Promise.all([
    (async () => {
      while (!back) denied.push(await fromBatch());
    })(),
    (async () => {
      while (!back) allowed.push(await fromFront());
    })(),
  ]);
  await net.lab.startSidecar('shop/api', { redirect: false });
  await until('the allowed peer gets in', () => allowed.some((attempt) => attempt.allowed));
  await until('the sidecar is ready', isReady);
  back = true;
  await knocking;
  expect(denied.filter(({ connected, allowed: served }) => connected || served)).toEqual([]);
  const peers = net.accepted('shop/api').slice(accepted);
  expect(peers.length).toBeGreaterThan(0);
  expect(peers.filter(({ peer }) => peer !== FRONT)).toEqual([]);
  const log = net.sidecarLog('shop/api');
  const restored = log.findIndex(({ msg }) => msg === 'the last table is in force again');
  expect(restored).toBeGreaterThan(-1);
  expect(log.findLastIndex(({ msg }) => msg === 'listening')).toBeGreaterThan(restored);
});
