/** What a table denies has ended when it is acknowledged, also where a thread of the sidecar gets no processor for a while. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { SILENCE, until, useLab } from './harness.ts';
import { useHeldThreads } from './tools/held_thread.ts';

const API = '10.1.1.10';
const BATCH = '10.1.1.12';
const NEWCOMER = '10.1.1.13';

/** An acknowledgement takes some 50 ms otherwise. */
const HELD_MS = 1_000;

/** GATE_CHANGE_US of native/relay_internal.h, and a little. */
const GATE_CHANGED_MS = 1_200;

const holdThread = useHeldThreads();

const net = useLab({
  sidecarEnv: { SLUICE_PATH: 'proxy' },
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: [API] }),
    pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11'] }),
    pod('shop/batch', { labels: { app: 'batch' }, ips: [BATCH] }),
    pod('shop/newcomer', { labels: { app: 'batch' }, ips: [NEWCOMER] }),
  ],
});

/** The thread stands still from when this resolves until what it gave is called. */
const hold = (which: 'javascript' | 'relay') =>
  holdThread(net.lab.process('shop/api', 'sidecar').pid, which === 'relay' ? 'sluice-relay' : undefined);

const open = (from: string, group: string, count: number) =>
  net.open(from, { group, count, address: API, port: 80, work: { kind: 'hold' } });

const reached = (address: string) => net.accepted('shop/api').filter(({ peer }) => peer === address).length;

const recordedOf = async (address: string) => {
  const flows = JSON.parse((await net.admin('shop/api', '/flows')).body) as {
    readonly src: { readonly addr: string };
    readonly verdict: string;
    readonly end: string;
  }[];
  return flows.filter(({ src }) => src.addr === address).map(({ verdict, end }) => `${verdict} ${end}`);
};

test('a table is acknowledged when the relay has ended what it denies, and refused what it had not accepted', async () => {
  await net.apply(allowApps('shop/allow', 'api', ['front', 'batch']));
  await open('shop/batch', 'live', 5);
  const goOn = await hold('relay');
  const waiting = open('shop/batch', 'waiting', 5); // their handshakes complete: the gate has admitted them
  await sleep(HELD_MS / 2);
  net.lab.writeObjects(allowApps('shop/allow', 'api', ['front']));
  const acknowledged = net.lab.waitEnforced();
  const isEarly = await Promise.race([acknowledged.then(() => true), sleep(HELD_MS, false)]);
  await goOn();
  expect(isEarly).toBe(false);
  await acknowledged;
  const flows = [...(await net.allOver('shop/batch', 'live')), ...(await waiting)];
  expect(flows.map(({ error }) => error)).toEqual(flows.map(() => 'ECONNRESET'));
  expect(reached(BATCH)).toBe(5);
  await expect
    .poll(async () => (await recordedOf(BATCH)).toSorted())
    .toEqual([...Array(5).fill('deny policy-changed'), ...Array(5).fill('deny refused')]);
});

test('what the gate has let by, and JavaScript has not seen before a denial, has ended when that is acknowledged', async () => {
  await net.apply(allowApps('shop/allow', 'api', ['front', 'batch']));
  await net.connect('shop/newcomer', API, 9, SILENCE); // its agent is started by that
  await sleep(GATE_CHANGED_MS);
  expect(await net.connect('shop/front', API, 80)).toMatchObject({ allowed: true });
  const judge = await hold('javascript');
  await open('shop/newcomer', 'unseen', 5);
  await until('the app has them', () => reached(NEWCOMER) === 5);
  const end = await hold('relay');
  net.lab.writeObjects(allowApps('shop/allow', 'api', ['front']));
  const acknowledged = net.lab.waitEnforced();
  await judge();
  const isEarly = await Promise.race([acknowledged.then(() => true), sleep(HELD_MS, false)]);
  await end();
  expect(isEarly).toBe(false);
  await acknowledged;
  const flows = await net.allOver('shop/newcomer', 'unseen');
  expect(flows.map(({ error }) => error)).toEqual(flows.map(() => 'ECONNRESET'));
  await expect.poll(() => recordedOf(NEWCOMER)).toEqual(Array(5).fill('deny policy-changed'));
});
