/** What the gate has judged by the table in force is dialled before JavaScript has had its say; nothing else is. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { run } from './command.ts';
import { SILENCE, until, useLab } from './harness.ts';
import { breakableTool } from './tools/breakable_tool.ts';
import { useHeldThreads } from './tools/held_thread.ts';

const API = '10.1.1.10';

/** GATE_CHANGE_US of native/relay_internal.h, and a little. */
const GATE_CHANGED_MS = 1_200;

const nft = breakableTool('nft');
const holdThread = useHeldThreads();

const net = useLab({
  sidecarEnv: { PATH: nft.path, SLUICE_PATH: 'proxy' },
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: [API], ports: [80] }),
    ...[1, 2, 3, 4, 5].map((n) =>
      pod(`shop/front-${n}`, { labels: { app: 'front' }, ips: [`10.1.1.2${n}`] }),
    ),
    ...[1, 2, 3].map((n) => pod(`shop/batch-${n}`, { labels: { app: 'batch' }, ips: [`10.1.1.3${n}`] })),
    allowApps('shop/allow', 'api', ['front']),
  ],
});

/** Does something while the sidecar decides nothing. */
async function meanwhile<T>(work: () => Promise<T>): Promise<T> {
  const goOn = await holdThread(net.lab.process('shop/api', 'sidecar').pid);
  try {
    return await work();
  } finally {
    await goOn();
  }
}

const isServed = async (from: string) => (await net.connect(from, API, 80, SILENCE)).allowed;

/** The agent of a pod is started by its first request. */
const startAgents = async (...pods: readonly string[]) => {
  for (const one of pods) await net.connect(one, API, 9, SILENCE);
};

test('a source that has never connected is served while JavaScript stands still; one that is denied is not', async () => {
  await startAgents('shop/front-1', 'shop/front-2', 'shop/batch-1');
  await net.lab.waitEnforced();
  await sleep(GATE_CHANGED_MS);
  expect(await isServed('shop/front-1')).toBe(true);
  const served = await meanwhile(async () => [
    await isServed('shop/front-2'),
    await isServed('shop/batch-1'),
  ]);
  expect(served).toEqual([true, false]);
});

test('with another table a source waits for JavaScript until the gate has had that table for a while', async () => {
  await startAgents('shop/front-3', 'shop/front-4', 'shop/front-5');
  await net.apply(allowApps('shop/more', 'api', ['other']));
  expect(await meanwhile(() => isServed('shop/front-3'))).toBe(false);
  await sleep(GATE_CHANGED_MS);
  expect(await isServed('shop/front-4')).toBe(true);
  expect(await meanwhile(() => isServed('shop/front-5'))).toBe(true);
});

test('where the rules are gone, the first that is denied ends it', async () => {
  await startAgents('shop/batch-2', 'shop/batch-3');
  nft.break();
  await run(inNetns(net.lab.netns('shop/api'), ['nft', 'delete', 'table', 'inet', 'sluice']));
  await net.connect('shop/batch-2', API, 80, SILENCE); // is reset, perhaps only after the app has answered
  await until('it is recorded', async () => {
    const flows = JSON.parse((await net.admin('shop/api', '/flows')).body) as {
      readonly src: { readonly addr: string };
      readonly end: string;
    }[];
    return flows.some(({ src, end }) => src.addr === '10.1.1.32' && end === 'policy-changed');
  });
  expect(await meanwhile(() => isServed('shop/batch-3'))).toBe(false);
  expect(await isServed('shop/batch-3')).toBe(false);
  nft.mend();
});
