/**
 * Apps that speak MPTCP, as servers in Go do by themselves. The proxy does not: clients fall back to TCP. On the direct path each
 * subflow is a connection of its own, which is judged, recorded and ended as such; RFC 8684.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import type { FlowRecord } from '../../flows/index.ts';
import { APP_SERVER } from '../../lab/app/program.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import { allowApps, namespace, node, pod, policy } from '../builders/manifests.ts';
import { run } from './command.ts';
import { until, useLab } from './harness.ts';
import { useCompiled } from './tools/compiled.ts';
import { useTalkers } from './tools/talker.ts';

const API = ['10.1.1.10', 'fd00:1::10'] as const;
const FRONT = ['10.1.1.11', 'fd00:1::11'] as const;

/** Within this a client that gets its bytes back has had some. */
const SILENT_MS = 500;

/** How long the kernel keeps a connection without subflows, s: instead of a minute; mptcp-sysctl of the kernel's documentation. */
const CLOSE_SECONDS = 2;

const ALLOW = allowApps('shop/allow', 'api', ['front']);
const DENY = allowApps('shop/allow', 'api', []);
const allowAddress = (address: string) =>
  policy('shop/allow', {
    podSelector: { matchLabels: { app: 'api' } },
    ingress: [{ from: [{ ipBlock: { cidr: `${address}/${address.includes(':') ? 128 : 32}` } }] }],
  });

const OBJECTS = [
  node(1),
  namespace('shop'),
  pod('shop/api', { labels: { app: 'api' }, ips: API }),
  pod('shop/front', { labels: { app: 'front' }, ips: FRONT }),
  ALLOW,
];

const preload = useCompiled('mptcp', ['-shared', '-fPIC']);

/** A lab with an app that speaks MPTCP, and clients that do. */
function useMptcp(path: 'proxy' | 'direct') {
  const net = useLab({ sidecarEnv: { SLUICE_PATH: path }, objects: OBJECTS });
  const start = useTalkers(net);
  let port = 7_000;
  const inside = (target: string, ...argv: readonly string[]) => run(inNetns(net.lab.netns(target), argv));

  return {
    net,
    inside,

    /** Starts the app on a port of its own. It says who connects, and how connections fail. */
    async serve() {
      port += 1;
      const app = start('shop/api', [process.execPath, APP_SERVER, `TCP/${port}`], {
        LD_PRELOAD: preload(),
      });
      await until('the app listens', async () => {
        const listeners = await inside('shop/api', 'ss', '-HltnO', `sport = :${port}`);
        return listeners.trim() !== '';
      });
      return app;
    },

    /** Starts a client that sends all the while, and says `got` for what comes back, and the error with which the connection ends. */
    async connect(address: string, env: NodeJS.ProcessEnv = { LD_PRELOAD: preload() }) {
      const script = `
        import { connect } from 'node:net';
        const socket = connect({ host: '${address}', port: ${port}, noDelay: true }, () => {
          console.log('connected', socket.localPort);
          socket.write('ECHO\\n');
          setInterval(() => socket.write('x'.repeat(100)), 20);
        });
        socket.on('data', () => console.log('got'));
        socket.on('error', ({ code }) => { console.log(code); process.exit(); });
        socket.on('end', () => { console.log('end'); process.exit(); });`;
      const argv = [process.execPath, '--input-type=module', '-e', script];
      const client = start('shop/front', argv, env);
      await client.said('got');
      return client;
    },

    /** A counter of the kernel of a pod, as in `nstat`: of those that begin with MPTcpExt. */
    async counter(target: string, name: string): Promise<number> {
      const [names = '', values = ''] = (await inside(target, 'cat', '/proc/net/netstat'))
        .split('\n')
        .filter((line) => line.startsWith('MPTcpExt:'));
      const index = names.split(' ').indexOf(name);
      expect(index).toBeGreaterThan(0);
      return Number(values.split(' ')[index]);
    },

    /** Client addresses of the TCP sockets of the app that are open. */
    async subflows(): Promise<readonly string[]> {
      const listed = await inside('shop/api', 'ss', '-HtnO', 'state', 'established', `sport = :${port}`);
      return FRONT.filter((address) => listed.includes(address));
    },

    async records(): Promise<readonly FlowRecord[]> {
      const all = await net.flows('shop/api');
      return all.filter(({ dst }) => dst.port === port);
    },
  };
}

describe('proxy', () => {
  const mptcp = useMptcp('proxy');

  test.each(API)('a client falls back to TCP, and is reset at once by a change (%s)', async (address) => {
    await mptcp.serve();
    const before = await mptcp.counter('shop/front', 'MPCapableFallbackSYNACK');
    const client = await mptcp.connect(address);
    expect(await mptcp.counter('shop/front', 'MPCapableFallbackSYNACK')).toBe(before + 1);
    await mptcp.net.apply(DENY);
    await client.said('ECONNRESET');
    await mptcp.net.apply(ALLOW);
  });
});

describe('direct', () => {
  const mptcp = useMptcp('direct');

  beforeAll(async () => {
    for (const target of ['shop/api', 'shop/front'])
      await mptcp.inside(target, 'sysctl', '-qw', `net.mptcp.close_timeout=${CLOSE_SECONDS}`);
    // The app's host names its other address, and clients that can speak both families use it.
    await mptcp.inside('shop/api', 'ip', 'mptcp', 'endpoint', 'add', API[1], 'signal');
    await mptcp.inside('shop/front', 'ip', 'mptcp', 'limits', 'set', 'add_addr_accepted', '1');
  });

  test.each(API)('a client speaks MPTCP with the app, and has a record (%s)', async (address) => {
    await mptcp.serve();
    const before = await mptcp.counter('shop/api', 'MPCapableACKRX');
    const client = await mptcp.connect(address);
    expect(await mptcp.counter('shop/api', 'MPCapableACKRX')).toBe(before + 1);
    const [, port] = (await client.said('connected')).split(' ');
    client.kill();
    const record = await until('it is recorded', async () =>
      (await mptcp.records()).find(({ src, dst }) => src.port === Number(port) && dst.addr === address),
    );
    expect(record).toMatchObject({ verdict: 'allow', path: 'direct', src: { pod: 'front' } });
  });

  test.each(API)(
    'a client of plain TCP is reset at once by a change, and the app with it (%s)',
    async (address) => {
      const app = await mptcp.serve();
      const client = await mptcp.connect(address, {});
      await mptcp.net.apply(DENY);
      await client.said('ECONNRESET');
      await until('the app notices', () => app.lines.some((line) => line.includes('"ECONNABORTED"')));
      await mptcp.net.apply(ALLOW);
    },
  );

  test.each(API)('a change ends the subflow: nothing passes, and both ends give up (%s)', async (address) => {
    const app = await mptcp.serve();
    const client = await mptcp.connect(address);
    await mptcp.net.apply(DENY);
    expect(await mptcp.subflows()).toEqual([]);
    const [, port] = (await client.said('connected')).split(' ');
    const record = (await mptcp.records()).find(({ src }) => src.port === Number(port));
    expect(record).toMatchObject({ verdict: 'deny', end: 'policy-changed', path: 'direct' });
    await delay(SILENT_MS); // what was on its way is there
    const got = client.count('got');
    await client.said('E');
    await until('the app gives up', () => app.lines.some((line) => line.includes('"failed"')));
    expect(client.count('got')).toBe(got);
    await mptcp.net.apply(ALLOW);
  });

  test('subflows are judged one by one: one of two is ended, later the other', async () => {
    await mptcp.serve();
    const client = await mptcp.connect(`::ffff:${API[0]}`);
    await until('there are two', async () => (await mptcp.subflows()).length === 2);
    await until('both are followed', async () => {
      const views: unknown[] = JSON.parse((await mptcp.net.admin('shop/api', '/connections')).body);
      return views.length === 2;
    });
    await mptcp.net.apply(allowAddress(FRONT[1]));
    expect(await mptcp.subflows()).toEqual([FRONT[1]]);
    const got = client.count('got');
    await until('the stream goes on', () => client.count('got') > got + 10);
    await mptcp.net.apply(DENY);
    expect(await mptcp.subflows()).toEqual([]);
    await client.said('E');
    const ended = (await mptcp.records()).slice(-2);
    expect(ended).toMatchObject([
      { end: 'policy-changed', src: { addr: FRONT[0] } },
      { end: 'policy-changed', src: { addr: FRONT[1] } },
    ]);
    await mptcp.net.apply(ALLOW);
  });

  test('a subflow from an address that policy denies does not join', async () => {
    await mptcp.net.apply(allowAddress(FRONT[0]));
    await mptcp.serve();
    const joins = await mptcp.counter('shop/front', 'MPJoinSynTx');
    const client = await mptcp.connect(`::ffff:${API[0]}`);
    await until('it tries', async () => (await mptcp.counter('shop/front', 'MPJoinSynTx')) > joins);
    await delay(SILENT_MS);
    expect(await mptcp.subflows()).toEqual([FRONT[0]]);
    expect(client.count('E')).toBe(0);
    await mptcp.net.apply(ALLOW);
  });
});
