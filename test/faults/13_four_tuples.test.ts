/**
 * Case 13: the same client address and port used towards two servers, or again at once after a close: both connections are
 * tracked rightly, without EADDRINUSE and without a SYN sent twice. And whatever ports a client uses, none of its connections is
 * taken for the app leg of another, nor one to an app that listens on one address of the pod for one to another such app.
 */
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OWN_PORTS } from '../../common/contract.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { run } from '../netns/command.ts';
import { ofProxy, RELAYS, until, useLab } from '../netns/harness.ts';
import type { ManyConnections } from '../netns/tools/many_connections.ts';

const MANY = join(import.meta.dirname, '../netns/tools/many_connections.ts');

const DB = { 4: '10.1.1.10', 6: 'fd00:1::10' } as const;
const OTHER = { 4: '10.1.1.12', 6: 'fd00:1::12' } as const;
const FAMILIES = [4, 6] as const;

/** Ports of apps that listen on one address of the pod only: as many as one client port reaches at once. */
const BOUND = [9001, 9002, 9003, 9004, 9005, 9006, 9007, 9008] as const;

const SHORT = 20_000;
const KEPT = 300;

/** Longer than a handshake on a busy machine, and shorter than the second until a SYN is sent again; ms. */
const NO_RETRY_MS = 900;

const objects = [
  node(1),
  namespace('shop'),
  pod('shop/db', { labels: { app: 'db' }, ips: Object.values(DB), ports: [80, 81] }),
  pod('shop/other', { ips: Object.values(OTHER) }),
  pod('shop/web', { labels: { app: 'web' }, ips: ['10.1.1.11', 'fd00:1::11'] }),
  allowApps('shop/db', 'db', ['web']),
];

describe('a client with all ports from 1024 on', () => {
  const net = useLab({ objects });

  test.each(FAMILIES)(
    `IPv%i: ${SHORT} connections beside ${KEPT} that are kept: none is lost`,
    async (family) => {
      const netns = net.lab.netns('shop/web');
      await run(inNetns(netns, ['sysctl', '-qw', 'net.ipv4.ip_local_port_range=1024 65535']));
      const argv = [process.execPath, MANY, DB[family], '80', String(SHORT), String(KEPT)];
      const said: ManyConnections = JSON.parse(await run(inNetns(netns, argv), {}, 500_000));
      expect(said).toMatchObject({ answered: SHORT, failed: [], kept: KEPT });
      expect(said.ports.ofLegs).toBeGreaterThan(SHORT / 10);
      expect(said.ports.lowest).toBeLessThan(10_000);
      expect(said.ports.highest).toBeGreaterThan(60_000);
    },
    600_000,
  );
});

describe.each(RELAYS)('the %s relay', (relay) => {
  const net = useLab({ objects, sidecarEnv: { SLUICE_RELAY: relay } });

  /** Runs a script in the client's namespace that can `open` connections, and returns what it prints last as JSON. */
  async function client(text: string): Promise<unknown> {
    const argv = [process.execPath, '--input-type=module', '-e', `${CLIENT}\n${text}\nprocess.exit();`];
    const said = await run(inNetns(net.lab.netns('shop/web'), argv));
    return JSON.parse(said.trim().split('\n').at(-1) ?? '');
  }

  const started: ChildProcess[] = [];
  beforeAll(async () => {
    const places = Object.values(DB).flatMap((host) => BOUND.map((port) => ({ host, port })));
    const argv = [process.execPath, '--eval', `${BOUND_APPS}\nserve(${JSON.stringify(places)});`];
    const app = net.lab.spawnIn('shop/db', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    started.push(app);
    for await (const _line of app.stdout as Readable) break;
  });
  afterAll(() => {
    for (const app of started) app.kill('SIGKILL');
  });

  /** The ports of the app legs that the app has seen of the client, newest last. */
  const legs = (): readonly number[] => net.accepted('shop/db').map(({ peerPort }) => peerPort);

  test.each(ofProxy(...FAMILIES))(
    'IPv%i: a SYN that meets a live app leg is served at once, and both go on',
    async (family) => {
      // The leg of a connection that is kept here.
      await net.open('shop/web', {
        group: `leg${family}`,
        count: 1,
        address: DB[family],
        port: 80,
        work: { kind: 'echo', chunkBytes: 10, intervalMs: 20 },
      });
      const leg = legs().at(-1);
      expect(
        await client(`
        const met = await open('${DB[family]}', 80, ${leg});
        const again = await ask(met);
        console.log(JSON.stringify({ slow: met.ms > ${NO_RETRY_MS}, again, port: met.localPort }));
      `),
      ).toEqual({ slow: false, again: true, port: leg });
      expect(await net.report('shop/web', `leg${family}`)).toMatchObject([{ state: 'open' }]);
      // Its record has the port it was for, and its own.
      const record = await until('the record', async () => {
        const { body } = await net.admin('shop/db', '/flows');
        return JSON.parse(body).find((one: { src: { port: number } }) => one.src.port === leg);
      });
      expect(record).toMatchObject({ dst: { addr: DB[family], port: 80 }, end: 'closed' });
      const [kept] = await net.finish('shop/web', `leg${family}`);
      expect(kept).toMatchObject({ state: 'ended', receivedSha256: kept?.sentSha256 });
    },
  );

  test.each(ofProxy(...FAMILIES))(
    'IPv%i: an app leg never takes the port of a live connection',
    async (family) => {
      expect(
        await client(`
        const first = await open('${DB[family]}', 80);
        const from = ${legs().at(-1) ?? 20_000};
        const victims = [];
        for (let port = from + 4; victims.length < 8; port += 1)
          if (!${JSON.stringify(OWN_PORTS)}.includes(port)) victims.push(await open('${DB[family]}', 80, port));
        const others = [];
        for (let i = 0; i < 40; i += 1) others.push(await open('${DB[family]}', 80));
        const alive = await Promise.all([...victims, ...others].map(ask));
        console.log(JSON.stringify(alive.filter((one) => one).length));
      `),
      ).toBe(48);
    },
  );

  test.each(FAMILIES)('IPv%i: one client port towards two servers, and two ports of one', async (family) => {
    expect(
      await client(`
        const all = [];
        for (const [address, port] of [['${DB[family]}', 80], ['${OTHER[family]}', 80], ['${DB[family]}', 81]])
          all.push(await open(address, port, 4444));
        const alive = await Promise.all(all.map(ask));
        console.log(JSON.stringify({ alive, slow: all.filter(({ ms }) => ms > ${NO_RETRY_MS}).length }));
      `),
    ).toEqual({ alive: [true, true, true], slow: 0 });
  });

  test.each(FAMILIES)(
    'IPv%i: one client port towards several apps that listen on one address, all at once and again',
    async (family) => {
      expect(
        await client(`
        const rounds = [];
        for (const last of ['BYE\\n', 'RESET', 'BYE\\n', '?\\n']) {
          const tried = await Promise.allSettled(
            ${JSON.stringify(BOUND)}.map((port) => open('${DB[family]}', port, 4445)),
          );
          const failed = tried.flatMap(({ reason }) => reason?.message ?? []);
          const all = tried.flatMap(({ value }) => value ?? []);
          const said = await Promise.all(all.map(saidBy));
          rounds.push({ said, failed, slow: all.filter(({ ms }) => ms > ${NO_RETRY_MS}).length });
          if (failed.length > 0) break;
          await Promise.all(all.map((one) => ended(one, last)));
        }
        console.log(JSON.stringify(rounds));
      `),
      ).toEqual(Array(4).fill({ said: BOUND.map(String), failed: [], slow: 0 }));
    },
  );

  test.each(FAMILIES)(
    'IPv%i: a port that is used again at once, closed in order by the server',
    async (family) => {
      expect(
        await client(`
        const slow = [];
        for (let round = 0; round < 200; round += 1) {
          const socket = await open('${DB[family]}', 80, 5555, 'SEND 3\\n');
          await new Promise((resolve) => socket.once('end', resolve));
          socket.end();
          await new Promise((resolve) => socket.once('close', resolve));
          if (socket.ms > ${NO_RETRY_MS}) slow.push(socket.ms);
        }
        console.log(JSON.stringify(slow));
      `),
      ).toEqual([]);
    },
  );

  test.each(FAMILIES)('IPv%i: a port that is used again at once, reset by the client', async (family) => {
    expect(
      await client(`
        const slow = [];
        for (let round = 0; round < 200; round += 1) {
          const socket = await open('${DB[family]}', 80, 6666);
          socket.resetAndDestroy();
          await new Promise((resolve) => socket.once('close', resolve));
          if (socket.ms > ${NO_RETRY_MS}) slow.push(socket.ms);
        }
        console.log(JSON.stringify(slow));
      `),
    ).toEqual([]);
  });
});

/** `serve` listens on each place; its answers name its port. `BYE` is answered, then it closes first. */
const BOUND_APPS = `
  function serve(places) {
    let left = places.length;
    for (const { host, port } of places) {
      const server = require('node:net').createServer((socket) => {
        socket.on('error', () => {});
        socket.on('data', (asked) => (String(asked) === 'BYE\\n' ? socket.end() : socket.write(String(port))));
      });
      server.listen({ host, port }, () => {
        left -= 1;
        if (left === 0) console.log('listening');
      });
    }
  }
`;

/** `open` connects, sends `line` and waits for the answer, `ms` later; `ask` asks again and says whether an answer came. */
const CLIENT = `
  import { connect } from 'node:net';
  function open(host, port, localPort, line = '?\\n') {
    const from = performance.now();
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true, allowHalfOpen: true, ...(localPort ? { localPort } : {}) });
      socket.setTimeout(10_000, () => reject(new Error('no answer on ' + host + ' ' + port + ' from ' + localPort)));
      socket.on('error', reject);
      socket.on('connect', () => socket.write(line));
      socket.once('data', () => {
        socket.setTimeout(0);
        resolve(Object.assign(socket, { ms: performance.now() - from }));
      });
    });
  }
  function ask(socket) {
    return new Promise((resolve) => {
      setTimeout(resolve, 10_000, false).unref();
      socket.once('error', () => resolve(false));
      socket.once('data', () => resolve(true));
      socket.write('?\\n');
    });
  }
  function saidBy(socket) {
    return new Promise((resolve) => {
      setTimeout(resolve, 10_000, 'nothing').unref();
      socket.once('error', ({ code }) => resolve(code));
      socket.once('data', (data) => resolve(String(data)));
      socket.write('?\\n');
    });
  }
  function ended(socket, last) {
    return new Promise((resolve) => {
      socket.once('close', resolve);
      socket.once('end', () => socket.end());
      if (last === 'RESET') socket.resetAndDestroy();
      else if (last === 'BYE\\n') socket.write(last);
      else socket.end();
      socket.resume();
    });
  }
`;
