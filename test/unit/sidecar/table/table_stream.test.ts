import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type net from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { InjectorFrame, SidecarFrame } from '../../../../policy/index.ts';
import { Enforcement } from '../../../../sidecar/table/enforcement.ts';
import { InjectorLink } from '../../../../sidecar/table/injector_link.ts';
import { LiveTable } from '../../../../sidecar/table/live_table.ts';
import { TableStream } from '../../../../sidecar/table/stream.ts';
import { tlsTransport } from '../../../../sidecar/table/tls_transport.ts';
import { localTransport, type Transport } from '../../../../sidecar/table/transport.ts';
import { table } from '../../../builders/tables.ts';
import { SERVER_NAME, TestCertificate } from '../../injector/test_credentials.ts';

const POD = { namespace: 'shop', name: 'api' };

let dir = '';
let server: net.Server;
let stream: TableStream;
let link: InjectorLink;
let live: LiveTable;
let enforcement: Enforcement;
let flowsEnded = 0;
const reported: string[] = [];

/** A way to the injector, and what is said first on it. */
interface Way {
  readonly name: string;
  readonly connection: 'connection' | 'secureConnection';
  readonly hello: object;
  /** Starts to listen. */
  open(): Promise<Transport>;
}

const WAYS: readonly Way[] = [
  {
    name: 'a unix socket',
    connection: 'connection',
    hello: { type: 'hello', schema: 1, namespace: 'shop', pod: 'api' },
    async open() {
      server = createServer();
      server.listen(join(dir, 'socket'));
      await once(server, 'listening');
      return localTransport(join(dir, 'socket'), POD);
    },
  },
  {
    name: 'TLS',
    connection: 'secureConnection',
    hello: { type: 'token-hello', schema: 1, token: 'a token' },
    async open() {
      const { ca, current } = await TestCertificate.make();
      const [tokenFile, caFile] = [join(dir, 'token'), join(dir, 'ca.crt')];
      writeFileSync(tokenFile, 'a token\n');
      writeFileSync(caFile, ca.cert);
      server = createTlsServer({ ...current });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as net.AddressInfo;
      return tlsTransport({ host: '127.0.0.1', port, serverName: SERVER_NAME, tokenFile, caFile });
    },
  },
];

describe.each(WAYS)('a stream over $name', ({ connection, hello, open }) => {
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'sluice-stream-'));
    reported.length = 0;
    flowsEnded = 0;
    live = new LiveTable();
    enforcement = new Enforcement(live);
    link = new InjectorLink();
    stream = new TableStream(
      await open(),
      POD,
      enforcement,
      {
        connected: () => reported.push('connected'),
        moved: (reason) => reported.push(`moved: ${reason}`),
        disconnected: () => reported.push('disconnected'),
        enforced: (ended) => {
          flowsEnded += ended;
          reported.push(`enforced ${enforcement.revision}`);
          link.acknowledge(enforcement.revision);
        },
        refused: (error) => reported.push(`refused ${(error as { code?: string }).code ?? 'other'}`),
        unknownPod: () => reported.push('unknown pod'),
        identified: (address, pod) => reported.push(`${address} is ${pod?.name ?? 'nobody'}`),
        turnedAway: (message) => reported.push(`turned away: ${message}`),
      },
      link,
    );
  });

  afterEach(() => {
    stream.close();
    server.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** The injector's side of the next connection. */
  async function nextConnection() {
    const [socket] = (await once(server, connection)) as [net.Socket];
    socket.on('error', () => {});
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
    return {
      socket,
      send: (frame: InjectorFrame | object) => socket.write(`${JSON.stringify(frame)}\n`),
      receive: async () => JSON.parse((await lines.next()).value as string) as SidecarFrame,
    };
  }

  test('snapshot, delta and heartbeat: each revision is enforced, then acknowledged', async () => {
    stream.start();
    const injector = await nextConnection();
    expect(await injector.receive()).toEqual(hello);
    const first = table({ revision: 7 });
    const second = table({ revision: 9, allowed: ['10.0.0.1'] });
    injector.send({ type: 'snapshot', table: first });
    expect(await injector.receive()).toEqual({ type: 'ack', revision: 7 });
    injector.send({ type: 'delta', delta: { schema: 1, from: 7, revision: 9, ingress: second.ingress } });
    expect(await injector.receive()).toEqual({ type: 'ack', revision: 9 });
    expect(enforcement.table).toEqual(second);

    enforcement.confirm(1);
    injector.send({ type: 'heartbeat', revision: 8 }); // not the table in force: confirms nothing
    injector.send({ type: 'unknown-pod', message: 'later' });
    await expect.poll(() => reported).toContain('unknown pod');
    expect(enforcement.confirmedAtMs).toBe(1);
    injector.send({ type: 'heartbeat', revision: 9 });
    await expect.poll(() => enforcement.confirmedAtMs).toBeGreaterThan(1);
  });

  /** A flow that no table allows, and that goes on being live. */
  function registerDenied(resetSource: () => void): void {
    const verdict = { verdict: 'deny', direction: 'ingress', reason: 'no-rule', isolating: [] } as const;
    live.register({
      sourceAddress: '10.0.0.1',
      revoked: () => ({ cause: 'policy-changed', verdict }),
      resetSource,
      cut: () => undefined,
      drain: () => undefined,
      view: () => undefined,
    });
  }

  test('resets are on their way before anything else is done about a table', async () => {
    registerDenied(() => queueMicrotask(() => reported.push('reset'))); // as the native relay gathers what it is asked for
    stream.start();
    const injector = await nextConnection();
    await injector.receive();
    injector.send({ type: 'snapshot', table: table({ revision: 7 }) });
    expect(await injector.receive()).toEqual({ type: 'ack', revision: 7 });
    expect(reported).toEqual(['connected', 'reset', 'enforced 7']);
  });

  test('tables that come together are reported as one: the last, with what all of them ended', async () => {
    registerDenied(() => undefined);
    stream.start();
    const injector = await nextConnection();
    await injector.receive();
    const { ingress } = table({ revision: 8, allowed: ['10.0.0.2'] });
    const frames = [
      { type: 'snapshot', table: table({ revision: 7 }) },
      { type: 'delta', delta: { schema: 1, from: 7, revision: 8, ingress } },
    ];
    injector.socket.write(frames.map((frame) => `${JSON.stringify(frame)}\n`).join(''));
    expect(await injector.receive()).toEqual({ type: 'ack', revision: 8 });
    expect(reported).toEqual(['connected', 'enforced 8']);
    expect(flowsEnded).toBe(2);
  });

  test.each([
    ['a gap', { type: 'delta', delta: { schema: 1, from: 3, revision: 4 } }, 'TABLE_GAP'],
    ['an older snapshot', { type: 'snapshot', table: table({ revision: 6 }) }, 'TABLE_GAP'],
    [
      'a replayed delta',
      { type: 'delta', delta: { schema: 1, from: 5, revision: 7, ingress: table({ revision: 7 }).ingress } },
      'TABLE_GAP',
    ],
    [
      'a delta that goes back',
      { type: 'delta', delta: { schema: 1, from: 7, revision: 6 } },
      'TABLE_MALFORMED',
    ],
    ['an unknown frame', { type: 'shutdown' }, 'TABLE_MALFORMED'],
    [
      'a snapshot with a hole',
      { type: 'snapshot', table: { ...table({ revision: 8 }), ingress: undefined } },
      'TABLE_MALFORMED',
    ],
  ])('%s is refused whole, and the last good table stays', async (_what, frame, code) => {
    stream.start();
    const injector = await nextConnection();
    await injector.receive();
    injector.send({ type: 'snapshot', table: table({ revision: 7 }) });
    await injector.receive();
    injector.send(frame);
    expect(await injector.receive()).toMatchObject({ type: 'nack', revision: 7, code });
    expect(enforcement.revision).toBe(7);
    expect(reported.at(-1)).toBe(`refused ${code}`);
  });

  test('asks who has an address, while there is somebody to ask', async () => {
    expect(link.identify('10.0.0.9')).toBe(false);
    stream.start();
    const injector = await nextConnection();
    await injector.receive();
    expect(link.identify('10.0.0.9')).toBe(true);
    expect(await injector.receive()).toEqual({ type: 'identify', address: '10.0.0.9' });
    injector.send({ type: 'identity', address: '10.0.0.9', pod: null });
    await expect.poll(() => reported.at(-1)).toBe('10.0.0.9 is nobody');
  });

  test('a line that is no JSON is refused too', async () => {
    stream.start();
    const injector = await nextConnection();
    await injector.receive();
    injector.socket.write('{"type":\n');
    expect(await injector.receive()).toMatchObject({ type: 'nack', code: 'TABLE_MALFORMED' });
  });

  test('it reconnects when the injector goes away, with the table still in force', async () => {
    stream.start();
    const before = await nextConnection();
    await before.receive();
    before.send({ type: 'snapshot', table: table({ revision: 7 }) });
    await before.receive();
    const again = nextConnection();
    before.socket.destroy();
    expect(await (await again).receive()).toEqual(hello);
    expect(reported).toContain('disconnected');
    expect(enforcement.revision).toBe(7);
  });

  test('a frame that breaks off with its connection changes nothing, and the next connection starts from a snapshot', async () => {
    stream.start();
    const before = await nextConnection();
    await before.receive();
    before.send({ type: 'snapshot', table: table({ revision: 7 }) });
    await before.receive();
    const again = nextConnection();
    const text = JSON.stringify({ type: 'snapshot', table: table({ revision: 8, allowed: [] }) });
    before.socket.end(text.slice(0, -5));
    const after = await again;
    await after.receive();
    expect(enforcement.revision).toBe(7);
    // Another replica, which counts from another number.
    after.send({ type: 'snapshot', table: table({ revision: 3 }) });
    expect(await after.receive()).toEqual({ type: 'ack', revision: 3 });
  });
});
