/** Ports on which nobody listens, or whose app is too busy to accept: as without the sidecar. */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { run } from './command.ts';
import { IS_DIRECT, until, useLab } from './harness.ts';

const V4 = '10.1.1.10';
const V6 = 'fd00:1::10';

/** Of the app beside the lab's own. */
const PORTS = {
  wildcard4: 7001,
  address4: 7002,
  any: 7003,
  wildcard6: 7004,
  loop4: 7005,
  loop6: 7006,
  address6: 7007,
};
const NOBODY = 7009;
const BUSY = 7010;
const BACKLOG = 3;

/** Within it a connection that may be is established. */
const TRIED_MS = 500;

const net = useLab({
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/db', { labels: { app: 'db' }, ips: [V4, V6] }),
    pod('shop/web', { labels: { app: 'web' }, ips: ['10.1.1.11', 'fd00:1::11'] }),
    pod('shop/far', { labels: { app: 'far' }, ips: ['10.1.1.12', 'fd00:1::12'] }),
    allowApps('shop/allow', 'db', ['web']),
  ],
});

/** Of one test. */
const children: ChildProcess[] = [];
let listeners: ChildProcess | undefined;

/** Starts a script in a pod that prints `ready`. */
async function start(target: string, text: string): Promise<ChildProcess> {
  const argv = [process.execPath, '--input-type=module', '-e', text];
  const child = net.lab.spawnIn(target, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  let said = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    said += chunk;
  });
  await until('the script is ready', () => said.includes('ready'));
  return child;
}

beforeAll(async () => {
  listeners = await start(
    'shop/db',
    `import { createServer } from 'node:net';
     const listen = (port, host, ipv6Only = false) => new Promise((resolve) =>
       createServer((socket) => { socket.on('error', () => {}); socket.end(socket.remoteAddress.replace('::ffff:', '')); })
         .listen({ port, host, ipv6Only }, resolve));
     await listen(${PORTS.wildcard4}, '0.0.0.0');
     await listen(${PORTS.address4}, '${V4}');
     await listen(${PORTS.any}, '::');
     await listen(${PORTS.wildcard6}, '::', true);
     await listen(${PORTS.loop4}, '127.0.0.1');
     await listen(${PORTS.loop6}, '::1');
     await listen(${PORTS.address6}, '${V6}');
     console.log('ready');`,
  );
  children.length = 0; // these stay
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill();
});

afterAll(() => {
  listeners?.kill();
});

/** What a client gets: the address that the app sees, or an error. */
async function answer(from: string, address: string, port: number, timeoutMs = 5_000): Promise<string> {
  const text = `
    import { connect } from 'node:net';
    const done = (text) => { console.log(text); process.exit(); };
    connect({ host: '${address}', port: ${port} })
      .on('error', ({ code }) => done(code)).on('data', (chunk) => done(String(chunk)))
      .setTimeout(${timeoutMs}, () => done('silence'));`;
  const argv = [process.execPath, '--input-type=module', '-e', text];
  return (await run(inNetns(net.lab.netns(from), argv))).trim();
}

const { wildcard4, address4, any, wildcard6, loop4, loop6, address6 } = PORTS;

test.each([
  ['IPv4', V4, '10.1.1.11', [wildcard4, address4, any], [wildcard6, loop4, loop6, address6, NOBODY]],
  ['IPv6', V6, 'fd00:1::11', [any, wildcard6, address6], [wildcard4, address4, loop4, loop6, NOBODY]],
])(
  '%s: listeners are reached through the sidecar, closed ports refuse',
  async (_family, address, own, open, closed) => {
    const allowed = async (): Promise<number> => {
      const records = JSON.parse((await net.admin('shop/db', '/flows')).body) as { verdict: string }[];
      return records.filter(({ verdict }) => verdict === 'allow').length;
    };
    const before = await allowed();
    for (const port of open) expect([port, await answer('shop/web', address, port)]).toEqual([port, own]);
    await until('each has a record', async () => (await allowed()) === before + open.length);
    for (const port of closed) {
      expect([port, await answer('shop/web', address, port)]).toEqual([port, 'ECONNREFUSED']);
      // What policy denies does not show whether anybody listens.
      expect([port, await answer('shop/far', address, port, 300)]).toEqual([port, 'silence']);
    }
  },
);

test('a port that was closed a moment ago is open, and closed again when its app stops', async () => {
  expect(await answer('shop/web', V4, 7020)).toBe('ECONNREFUSED');
  const app = await start(
    'shop/db',
    `import { createServer } from 'node:net';
     createServer((socket) => socket.end('here')).listen(7020, () => console.log('ready'));`,
  );
  expect(await answer('shop/web', V4, 7020)).toBe('here');
  app.kill();
  await until('it is closed', async () => (await answer('shop/web', V4, 7020)) === 'ECONNREFUSED');
});

test.each([
  ['IPv4', V4],
  ['IPv6', V6],
])(
  '%s: an app that does not accept gets as many connections as its backlog holds; when it accepts, all are served',
  async (_family, address) => {
    // Accepts nothing until it has read a line.
    const app = await start(
      'shop/db',
      `import { createServer } from 'node:net';
     import { readSync } from 'node:fs';
     const server = createServer((socket) => { socket.on('error', () => {}); socket.write('served'); });
     server.listen({ port: ${BUSY}, host: '${address}', backlog: ${BACKLOG} }, () => {
       process.stdout.write('ready');
       readSync(0, Buffer.alloc(1));
     });`,
    );
    /** Opens connections, and tells how many are established and served. */
    const open = async (count: number) => {
      const client = await start(
        'shop/web',
        `import { connect } from 'node:net';
       let connected = 0, served = 0;
       for (let i = 0; i < ${count}; i += 1)
         connect({ host: '${address}', port: ${BUSY} })
           .on('connect', () => { connected += 1; }).on('data', () => { served += 1; }).on('error', () => {});
       console.log('ready');
       setInterval(() => console.log('connected', connected, 'served', served), 50);`,
      );
      let said = '';
      client.stdout?.on('data', (chunk: Buffer) => {
        said = String(chunk);
      });
      return (connected: number, served: number) =>
        said.includes(`connected ${connected} served ${served}\n`);
    };
    const full = async () => JSON.parse((await net.admin('shop/db', '/readyz')).body).full_ports;
    // The kernel's queue holds one more than its maximum.
    const first = await open(BACKLOG + 1);
    await until('as many are established', () => first(BACKLOG + 1, 0));
    // On the direct path the kernel sees to it by itself.
    const place = IS_DIRECT ? [] : [{ address, port: BUSY }];
    await until('the queue is known to be full', async () => isDeepStrictEqual(await full(), place));
    const more = await open(BACKLOG + 1);
    await until('it has tried', () => more(0, 0));
    await delay(TRIED_MS);
    expect(more(0, 0)).toBe(true);
    expect(await full()).toEqual(place);
    app.stdin?.write('\n');
    for (const client of [first, more])
      await until('all are served', () => client(BACKLOG + 1, BACKLOG + 1), 20_000);
    expect(await full()).toEqual([]);
  },
);
