/**
 * Direct connections whose sockets are bound to an interface: by the app, or because the client comes from its link-local address. They
 * are followed, and a change ends them like others.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { FlowRecord } from '../../flows/index.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { run } from './command.ts';
import { until, useLab } from './harness.ts';
import { useCompiled } from './tools/compiled.ts';
import { useTalkers } from './tools/talker.ts';

const API = { 4: '10.1.1.10', 6: 'fd00:1::10' } as const;
const FRONT = { 4: '10.1.1.11', 6: 'fd00:1::11' } as const;
const FAMILIES = [4, 6] as const;
const OF_LINK = { api: 'fe80::d', front: 'fe80::b' } as const;

/** Longer than a connection lives that no socket is found for. */
const LOOKED_FOR_MS = 2_500;

/** A client that is let out too late asks for its neighbour three times, a second apart, before the next one may try. */
const LET_OUT_MS = 30_000;

const ALLOW = allowApps('shop/allow', 'api', ['front']);

const socket = useCompiled('app_socket');
const net = useLab({
  sidecarEnv: { SLUICE_PATH: 'direct' },
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: Object.values(API) }),
    pod('shop/front', { labels: { app: 'front' }, ips: Object.values(FRONT) }),
  ],
});
const start = useTalkers(net);

const inPodNetns = (name: string, ...argv: readonly string[]) => run(inNetns(net.lab.netns(name), argv));

async function recordsOf(clientPort: number): Promise<readonly FlowRecord[]> {
  const flows = await net.flows('shop/api');
  return flows.filter(({ src }) => src.port === clientPort);
}

/** The connection goes on without a record, until a policy denies it. */
async function endsOnce(client: ReturnType<typeof start>, deny: () => Promise<void>): Promise<void> {
  const clientPort = Number((await client.said('connected')).split(' ')[1]);
  await client.said('echoed');
  await delay(LOOKED_FOR_MS);
  expect(await recordsOf(clientPort)).toEqual([]);
  expect((await net.admin('shop/api', '/connections')).body).toContain(String(clientPort));
  await deny();
  await client.said('ECONNRESET');
  await until('it is recorded', async () => (await recordsOf(clientPort)).length > 0);
  expect(await recordsOf(clientPort)).toMatchObject([
    { end: 'policy-changed', verdict: 'deny', path: 'direct' },
  ]);
}

test('a connection between link-local addresses', async () => {
  for (const [name, own] of [
    ['shop/api', OF_LINK.api],
    ['shop/front', OF_LINK.front],
  ] as const)
    await inPodNetns(name, 'ip', 'addr', 'add', `${own}/64`, 'dev', 'eth0', 'nodad');
  let port = 7_000;
  const { app, client } = await until(
    'the guard of the client lets the address out',
    async () => {
      // Each with an app of its own: that of an attempt which was established as it gave up has had its one connection.
      port += 1;
      const app = start('shop/api', [socket(), 'serve', '::', String(port)]);
      await app.said('listening');
      const ends = [`${OF_LINK.front}%eth0`, `${OF_LINK.api}%eth0`, String(port)];
      const client = start('shop/front', [socket(), 'connect', ...ends]);
      return (await client.line(0)).startsWith('connected') && { app, client };
    },
    LET_OUT_MS,
  );
  await endsOnce(client, () => net.apply(ALLOW));
  await app.said('ECONNABORTED');
});

test.each([
  ['one interface', []],
  ['several', ['aaa0', 'zzz0']],
] as const)('an app that is bound to a device: %s', async (_, others) => {
  for (const name of others)
    await inPodNetns('shop/api', 'ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}p`);
  for (const family of FAMILIES) {
    await net.apply(ALLOW);
    const port = String(7_010 + family + 2 * others.length);
    const any = family === 4 ? '0.0.0.0' : '::';
    const app = start('shop/api', [socket(), 'serve', any, port, 'device', 'eth0']);
    await app.said('listening');
    const client = start('shop/front', [socket(), 'connect', FRONT[family], API[family], port]);
    await endsOnce(client, async () => {
      await net.apply(allowApps('shop/allow', 'api', ['front', 'batch'])); // a sweep writes no record
      await net.apply(allowApps('shop/allow', 'api', ['batch']));
    });
    await app.said('ECONNABORTED');
  }
});
