/**
 * What an app, or its client, can notice of the proxy, and what is gone of it on the direct path: the rows of
 * docs/what-an-app-can-notice.md that need sockets with options of their own. Closed ports are in `closed_ports.test.ts`.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { CONNECTION_PATHS } from '../../common/path.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { run } from './command.ts';
import { SILENCE, useLab } from './harness.ts';
import { useCompiled } from './tools/compiled.ts';
import { useTalkers } from './tools/talker.ts';

const API = { 4: '10.1.1.10', 6: 'fd00:1::10' } as const;
const FRONT = { 4: '10.1.1.11', 6: 'fd00:1::11' } as const;
const FAMILIES = [4, 6] as const;

/** The app's keepalive gives up after 3 s. */
const GIVES_UP_MS = 10_000;
const HAS_NOT_GIVEN_UP_MS = 5_000;

const ALLOW = allowApps('shop/allow', 'api', ['front']);

const socket = useCompiled('app_socket');
const urgent = useCompiled('urgent');

describe.each(CONNECTION_PATHS)('%s', (path) => {
  const net = useLab({
    sidecarEnv: { SLUICE_PATH: path },
    objects: [
      node(1),
      namespace('shop'),
      pod('shop/api', { labels: { app: 'api' }, ips: Object.values(API) }),
      pod('shop/front', { labels: { app: 'front' }, ips: Object.values(FRONT) }),
      ALLOW,
    ],
  });
  const start = useTalkers(net);
  const isDirect = path === 'direct';
  let port = 7_000;

  /** Starts an app on a port of its own, and a client of it. */
  async function talk(family: 4 | 6, ofApp: readonly string[] = [], ofClient: readonly string[] = []) {
    port += 1;
    const any = family === 4 ? '0.0.0.0' : '::';
    const app = start('shop/api', [socket(), 'serve', any, String(port), ...ofApp]);
    await app.said('listening');
    const ends = [FRONT[family], API[family], String(port)];
    return { app, client: start('shop/front', [socket(), 'connect', ...ends, ...ofClient]) };
  }

  test.each(FAMILIES)("IPv%i: the client's port, and the sockets of a connection", async (family) => {
    const { app, client } = await talk(family);
    await client.said('echoed');
    const [, clientPort] = (await client.said('connected')).split(' ');
    const [, address, seen] = (await app.said('from')).split(' ');
    expect(address).toBe(FRONT[family]);
    const sockets = await run(
      inNetns(net.lab.netns('shop/api'), [
        ...['ss', '-HtnO', 'state', 'established', '(', 'sport', '=', `:${port}`],
        ...['or', 'dport', '=', `:${port}`, ')'],
      ]),
    );
    expect(seen === clientPort).toBe(isDirect);
    expect(sockets.trim().split('\n')).toHaveLength(isDirect ? 1 : 3);
  });

  test.each(FAMILIES)('IPv%i: an app that is bound to a device', async (family) => {
    const { app, client } = await talk(family, ['device', 'eth0']);
    await client.said('connected');
    if (isDirect) return void (await client.said('echoed'));
    // The app's answer does not find its way to the sidecar, which gives up after 10 s.
    await delay(SILENCE.timeoutMs);
    expect([app.lines, client.count('echoed')]).toEqual([['listening'], 0]);
  });

  test.each(FAMILIES)("IPv%i: the app's keepalive, and a client that is cut off", async (family) => {
    const { app, client } = await talk(family, ['keepalive']);
    await client.said('echoed');
    const inClient = (...argv: readonly string[]) => run(inNetns(net.lab.netns('shop/front'), argv));
    await inClient(
      'nft',
      'table inet outage { chain in { type filter hook input priority -300; policy drop; }; }',
    );
    try {
      if (isDirect) await app.said('ETIMEDOUT', GIVES_UP_MS);
      else {
        await delay(HAS_NOT_GIVEN_UP_MS);
        expect(app.lines).toHaveLength(2); // it listens, and has a client
      }
    } finally {
      await inClient('nft', 'delete table inet outage');
    }
  });

  test.each(FAMILIES)('IPv%i: TCP MD5, and a change that ends such a connection', async (family) => {
    const { app, client } = await talk(family, ['key', FRONT[family]], ['key', API[family]]);
    if (!isDirect) {
      expect(await client.line(0)).toBe('ETIMEDOUT');
      return;
    }
    await client.said('echoed');
    await net.apply(allowApps('shop/allow', 'api', []));
    await client.said('ECONNRESET');
    await app.said('ECONNABORTED');
    await net.apply(ALLOW);
  });

  test.each(['in-line', 'apart'])('urgent data that the app reads %s', async (how) => {
    port += 1;
    const app = start('shop/api', [urgent(), 'serve', String(port), how]);
    await app.said('listening');
    start('shop/front', [urgent(), 'send', FRONT[4], API[4], String(port)]);
    if (how === 'in-line') return void (await app.said('ab!cd'));
    await app.said('urgent !');
    expect(app.lines).toContain('abcd');
  });
});
