/** An app takes the sidecar's ports while the sidecar is down. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { isAlive } from '../../lab/processes/process.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { run } from './command.ts';
import { ANSWER, SILENCE, type TestLab, until, useLab } from './harness.ts';
import { breakableTool } from './tools/breakable_tool.ts';
import { pathWithoutNft } from './tools/without_nft.ts';

const API = '10.1.1.10';
const API_V6 = 'fd00:1::10';
const [ADMIN, INBOUND, CANARY] = [15_021, 15_006, 15_020];
/** Where translations lead to, from the first of these to the last. */
const [TRANSLATED, TRANSLATED_LAST] = [15_022, 15_029];

/** A port of the app that nothing knows of. */
const OTHER = 8081;

/** A redirect that vanishes is noticed within this: what the product promises. */
const UNREADY_MS = 5_000;

const OBJECTS = [
  node(1),
  namespace('shop'),
  pod('shop/api', { labels: { app: 'api' }, ips: [API, API_V6] }),
  pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11', 'fd00:1::11'] }),
  pod('shop/batch', { labels: { app: 'batch' }, ips: ['10.1.1.12', 'fd00:1::12'] }),
  allowApps('shop/allow', 'api', ['front']),
];

const net = useLab({ objects: OBJECTS });

type Place = readonly [address: string, port: number];

const squatters: ChildProcess[] = [];

/** An app of the pod that listens, without any capability, and answers as if it were fine. */
function squat(...places: readonly Place[]): Promise<() => Promise<void>> {
  return squatIn(net, places);
}

async function squatIn(lab: TestLab, places: readonly Place[]): Promise<() => Promise<void>> {
  const script = `
    const places = ${JSON.stringify(places)};
    let left = places.length;
    for (const [host, port] of places) {
      const server = require('node:net').createServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => socket.end('HTTP/1.1 200 OK\\r\\n\\r\\nsecret of the app\\n'));
      });
      server.listen({ host, port }, () => { left -= 1; if (left === 0) console.log('listening'); });
    }`;
  const argv = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all'];
  const child = lab.lab.spawnIn('shop/api', [...argv, process.execPath, '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  squatters.push(child);
  for await (const _line of child.stdout as Readable) break;
  return async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
}

afterEach(() => {
  for (const child of squatters.splice(0)) child.kill('SIGKILL');
});

const readiness = async () => {
  const { status, body } = await net.admin('shop/api', '/readyz');
  return { status, problems: status === 200 ? [] : (JSON.parse(body) as { problems: string[] }).problems };
};
/** Until each rule is checked some fifty processes are started: on a busy machine that takes its time. */
const READY_MS = 30_000;
const ready = () =>
  until(
    'the sidecar is ready',
    async () => (await readiness().catch(() => undefined))?.status === 200,
    READY_MS,
  );
const said = (text: string) => net.sidecarLog('shop/api').some(({ msg }) => String(msg).includes(text));

/** Whether somebody outside gets anything from the app on the admin port. */
async function reachesApp(from: string, address = API): Promise<boolean> {
  return (await net.connect(from, address, ADMIN, SILENCE)).allowed;
}

async function expectEnforced(): Promise<void> {
  expect(await net.connect('shop/front', API, 80, ANSWER)).toMatchObject({ allowed: true });
  expect(await net.connect('shop/front', API_V6, 80, ANSWER)).toMatchObject({ allowed: true });
  expect(await net.connect('shop/batch', API, 80, SILENCE)).toMatchObject({
    allowed: false,
    connected: false,
  });
}

test('all of its ports are taken while it is down: it goes on without, and nobody outside reaches the app there', async () => {
  await net.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
  const leave = await squat(['::', ADMIN], ['0.0.0.0', INBOUND], ['127.0.0.1', CANARY], ['::1', CANARY]);
  for (const from of ['shop/batch', 'shop/front', 'node/node-1']) {
    for (const address of [API, API_V6])
      expect(await reachesApp(from, address), `${from} ${address}`).toBe(false);
  }

  const sidecar = await net.lab.startSidecar('shop/api', { redirect: false });
  await net.lab.waitEnforced();
  await expectEnforced();
  for (const from of ['shop/batch', 'shop/front', 'node/node-1']) {
    for (const address of [API, API_V6])
      expect(await reachesApp(from, address), `${from} ${address}`).toBe(false);
  }
  expect(said('there is no admin port')).toBe(true);
  expect(said('an app has the port of the proxy')).toBe(true);
  // The app's own port now: who may connect to the pod reaches it, by the proxy.
  expect(await net.connect('shop/front', API, INBOUND, ANSWER)).toMatchObject({ allowed: true });
  expect(await net.connect('shop/batch', API, INBOUND, SILENCE)).toMatchObject({ allowed: false });

  await leave();
  await ready();
  expect(said('the admin port is served now')).toBe(true);
  expect(isAlive(sidecar)).toBe(true);
  expect(
    (await net.agent('shop/batch').ask({ do: 'http', address: API, port: ADMIN, path: '/readyz' })).status,
  ).toBe(200);
});

test('started again with its port free, it takes that, and the redirect follows', async () => {
  await net.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
  await net.lab.startSidecar('shop/api', { redirect: false });
  await ready();
  await net.lab.waitEnforced();
  await expectEnforced();
  const rules = await run(
    inNetns(net.lab.netns('shop/api'), ['iptables-nft', '-t', 'mangle', '-S', 'SLUICE_IN']),
  );
  expect(rules).toContain(`--on-port ${INBOUND} `);
});

test('one of the ports that translations lead to is taken: the proxy takes others, and serves what needs them', async () => {
  await net.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
  const bound = [API, API_V6].map((address) => [address, OTHER] as const);
  const leave = await squat(['::', TRANSLATED_LAST], ...bound);
  await net.lab.startSidecar('shop/api', { redirect: false });
  await net.lab.waitEnforced();
  await expectEnforced();
  for (const address of [API, API_V6]) {
    expect(await net.connect('shop/front', address, OTHER, ANSWER)).toMatchObject({ allowed: true });
    expect(await net.connect('shop/batch', address, OTHER, SILENCE)).toMatchObject({ allowed: false });
    // The app's own port now.
    expect(await net.connect('shop/front', address, TRANSLATED_LAST, ANSWER)).toMatchObject({
      allowed: true,
    });
  }
  await leave();
});

test('an app on the canary port does not make a lost redirect look well', async () => {
  await net.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
  await squat(['127.0.0.1', CANARY], ['::1', CANARY]);
  await net.lab.startSidecar('shop/api', { redirect: false });
  await ready();
  const flushedAt = performance.now();
  for (const program of ['iptables-nft', 'ip6tables-nft'])
    await run(inNetns(net.lab.netns('shop/api'), [program, '-t', 'mangle', '-F', 'SLUICE_IN']));
  const { problems } = await until('the pod is unready', async () => {
    const found = await readiness();
    return found.status === 503 ? found : undefined;
  });
  expect(performance.now() - flushedAt).toBeLessThan(UNREADY_MS);
  expect(problems.join()).toMatch(/redirect: IPv4: the redirect rules are gone, and somebody else answers/);
});

describe('without nft', () => {
  const bare = useLab({ objects: OBJECTS, sidecarEnv: { PATH: pathWithoutNft() } });

  test('a denied peer does not reach an app on the admin port either, while the sidecar is down or up', async () => {
    await bare.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
    await squatIn(bare, [['::', ADMIN]]);
    const reaches = async (address: string) =>
      (await bare.connect('shop/batch', address, ADMIN, SILENCE)).allowed;
    for (const address of [API, API_V6]) expect(await reaches(address)).toBe(false);
    await bare.lab.startSidecar('shop/api', { redirect: false });
    await bare.lab.waitEnforced();
    for (const address of [API, API_V6]) expect(await reaches(address)).toBe(false);
    expect(await bare.connect('shop/front', API, 80, ANSWER)).toMatchObject({ allowed: true });
  });

  test('nor one that has the ports of translations, by a listener on one address of the pod', async () => {
    await bare.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
    const leave = await squatIn(bare, [
      ['::', TRANSLATED],
      ...[API, API_V6].map((address) => [address, OTHER] as const),
    ]);
    for (const address of [API, API_V6])
      expect((await bare.connect('shop/batch', address, OTHER, SILENCE)).allowed, address).toBe(false);
    await leave();
    await bare.lab.startSidecar('shop/api', { redirect: false });
    await bare.lab.waitEnforced();
    expect(await bare.connect('shop/front', API, 80, ANSWER)).toMatchObject({ allowed: true });
  });
});

describe('where the rules have to lead to another port', () => {
  const restore = breakableTool('ip6tables-nft-restore');
  /** An address that only the table has: where the pod's environment names one family only, half of them are. */
  const ONLY_IN_TABLE = '10.0.0.201';
  const nodeWithMore = {
    ...node(1),
    status: {
      addresses: ['10.0.0.1', 'fd00:10::1', ONLY_IN_TABLE].map((address) => ({
        type: 'InternalIP',
        address,
      })),
    },
  };
  const moved = useLab({
    objects: [nodeWithMore, ...OBJECTS.slice(1)],
    sidecarEnv: { SLUICE_NODE_IPS: '10.0.0.1', PATH: restore.path },
  });
  const inside = (...argv: string[]) => run(inNetns(moved.lab.netns('shop/api'), argv));
  const rules = async () =>
    (await Promise.all(['iptables-nft-save', 'ip6tables-nft-save'].map((program) => inside(program))))
      .join('')
      .replaceAll(/--(on-port|to-ports) [\d-]+/g, '')
      .split('\n')
      .filter((line) => line.startsWith('-A'));
  const movedSaid = (text: string) =>
    moved.sidecarLog('shop/api').filter(({ msg }) => String(msg).includes(text)).length;

  test('guard, gate and all else of the rules stay as they are', async () => {
    const before = await rules();
    await moved.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
    const leave = await squatIn(moved, [['0.0.0.0', INBOUND]]);
    await moved.lab.startSidecar('shop/api', { redirect: false });
    await moved.lab.waitEnforced();
    expect(movedSaid('the redirect leads to another port now')).toBe(1);
    expect(await rules()).toEqual(before);
    for (const family of ['iptables-nft-save', 'ip6tables-nft-save'])
      expect(await inside(family)).not.toMatch(new RegExp(`--(on-port|to-ports) (${INBOUND}|${TRANSLATED})`));
    expect(await inside('nft', 'list', 'set', 'inet', 'sluice_guard', 'node4')).toContain(ONLY_IN_TABLE);
    await leave();
  });

  test('a family that could not be led there is led as soon as that works', async () => {
    await moved.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
    restore.break();
    await moved.lab.startSidecar('shop/api', { redirect: false });
    const saved = async (program: string) => (await inside(program)).includes(`--on-port ${INBOUND}`);
    await until('IPv4 leads there', () => saved('iptables-nft-save'), READY_MS);
    await sleep(2_000); // it has been tried for IPv6, too
    expect([await saved('iptables-nft-save'), await saved('ip6tables-nft-save')]).toEqual([true, false]);
    restore.mend();
    await until('both lead there', () => saved('ip6tables-nft-save'), READY_MS);
    await moved.lab.waitEnforced();
    expect((await moved.connect('shop/front', API_V6, 80, ANSWER)).allowed).toBe(true);
    expect((await moved.connect('shop/batch', API_V6, 80, SILENCE)).allowed).toBe(false);
  });
});
