/** What a table denies has ended when it is acknowledged, also where the relay's thread gets no processor for a while. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { useLab } from './harness.ts';

const API = '10.1.1.10';
const BATCH = '10.1.1.12';

/** An acknowledgement takes some 50 ms otherwise. */
const HELD_MS = 1_000;

const folder = mkdtempSync(join(tmpdir(), 'sluice-hold-'));
const tool = join(folder, 'hold_thread');

const net = useLab({
  sidecarEnv: { SLUICE_PATH: 'proxy' },
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: [API] }),
    pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11'] }),
    pod('shop/batch', { labels: { app: 'batch' }, ips: [BATCH] }),
  ],
});

beforeAll(() => {
  const source = join(import.meta.dirname, 'tools/hold_thread.c');
  execFileSync('cc', ['-std=c11', '-Wall', '-Wextra', '-Werror', '-o', tool, source]);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The thread stands still from when this resolves until what it gave is called. */
async function holdRelay(): Promise<() => Promise<void>> {
  const tasks = `/proc/${net.lab.process('shop/api', 'sidecar').pid}/task`;
  const thread = readdirSync(tasks).find(
    (id) => readFileSync(`${tasks}/${id}/comm`, 'utf8').trim() === 'sluice-relay',
  );
  const holder = spawn(tool, [String(thread)], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  return async () => {
    const over = once(holder, 'exit');
    holder.stdin.end();
    await over;
  };
}

const recordedOfBatch = async () => {
  const flows = JSON.parse((await net.admin('shop/api', '/flows')).body) as {
    readonly src: { readonly addr: string };
    readonly verdict: string;
    readonly end: string;
  }[];
  return flows.filter(({ src }) => src.addr === BATCH).map(({ verdict, end }) => `${verdict} ${end}`);
};

test('a table is acknowledged when the relay has ended what it denies, and refused what it had not accepted', async () => {
  await net.apply(allowApps('shop/allow', 'api', ['front', 'batch']));
  const open = (group: string, count: number) =>
    net.open('shop/batch', { group, count, address: API, port: 80, work: { kind: 'hold' } });
  await open('live', 5);
  const goOn = await holdRelay();
  const waiting = open('waiting', 5); // their handshakes complete: the gate has admitted them
  await sleep(HELD_MS / 2);
  net.lab.writeObjects(allowApps('shop/allow', 'api', ['front']));
  const acknowledged = net.lab.waitEnforced();
  const isEarly = await Promise.race([acknowledged.then(() => true), sleep(HELD_MS, false)]);
  await goOn();
  expect(isEarly).toBe(false);
  await acknowledged;
  const flows = [...(await net.allOver('shop/batch', 'live')), ...(await waiting)];
  expect(flows.map(({ error }) => error)).toEqual(flows.map(() => 'ECONNRESET'));
  expect(net.accepted('shop/api').filter(({ peer }) => peer === BATCH)).toHaveLength(5);
  await expect
    .poll(async () => (await recordedOfBatch()).toSorted())
    .toEqual([...Array(5).fill('deny policy-changed'), ...Array(5).fill('deny refused')]);
});
