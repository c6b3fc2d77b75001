import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type net from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { digestOf } from '../../../../common/digest.ts';
import { pack } from '../../../../common/pack.ts';
import {
  type AddressGroup,
  type InjectorFrame,
  PartDigests,
  readSidecarFrame,
  type SidecarFrame,
  type Table,
  tableJson,
} from '../../../../policy/index.ts';
import { Enforcement } from '../../../../sidecar/table/enforcement.ts';
import { InjectorLink } from '../../../../sidecar/table/injector_link.ts';
import { LiveTable } from '../../../../sidecar/table/live_table.ts';
import { TableStream } from '../../../../sidecar/table/stream.ts';
import { tlsTransport } from '../../../../sidecar/table/tls_transport.ts';
import { localTransport, type Transport } from '../../../../sidecar/table/transport.ts';
import { outlineOf } from '../../../builders/table_frames.ts';
import { admittingGroup, groupOf, olderTable, table } from '../../../builders/tables.ts';
import { SERVER_NAME, TestCertificate } from '../../injector/test_credentials.ts';

/** What a function that throws says. */
function messageOf(fails: () => unknown): string {
  try {
    fails();
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
  return '';
}

const POD = { namespace: 'shop', name: 'api' };

let dir = '';
let server: net.Server;
let stream: TableStream;
let link: InjectorLink;
let live: LiveTable;
let enforcement: Enforcement;
let flowsEnded = 0;
/** For each report, the revisions of the changes that led there. */
const ledBy: (number[] | 'whole')[] = [];
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
    hello: { type: 'hello', schema: 2, namespace: 'shop', pod: 'api' },
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
    hello: { type: 'token-hello', schema: 2, token: 'a token' },
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
    ledBy.length = 0;
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
        enforced: (ended, changes) => {
          flowsEnded += ended;
          ledBy.push(changes?.map(({ revision }) => revision) ?? 'whole');
          reported.push(`enforced ${enforcement.revision}`);
          link.acknowledge(enforcement.revision);
        },
        refused: (error) => reported.push(`refused ${(error as { code?: string }).code ?? 'other'}`),
        unknownPod: () => reported.push('unknown pod'),
        identified: (address, pod, tag) =>
          reported.push(`${address} is ${pod?.name ?? 'nobody'}${tag === undefined ? '' : `, ${tag}`}`),
        turnedAway: (message) => reported.push(`turned away: ${message}`),
        olderInjector: () => reported.push('older injector'),
      },
      { link },
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

  test('snapshot, change and heartbeat: each revision is enforced, then acknowledged', async () => {
    stream.start();
    const injector = await nextConnection();
    expect(await injector.receive()).toEqual(hello);
    const first = table({ revision: 7 });
    const second = tableJson(table({ revision: 9, allowed: ['10.0.0.1'] }));
    injector.send({ type: 'snapshot', table: tableJson(first) });
    expect(await injector.receive()).toEqual({ type: 'ack', revision: 7 });
    const { policies } = second;
    injector.send({ type: 'change', change: { schema: 2, from: 7, revision: 9, policies } });
    expect(await injector.receive()).toEqual({ type: 'ack', revision: 9 });
    expect(enforcement.table && tableJson(enforcement.table)).toEqual(second);
    expect(ledBy).toEqual(['whole', [9]]);

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
      path: 'proxy',
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
    injector.send({ type: 'snapshot', table: tableJson(table({ revision: 7 })) });
    expect(await injector.receive()).toEqual({ type: 'ack', revision: 7 });
    expect(reported).toEqual(['connected', 'reset', 'enforced 7']);
  });

  test('tables that come together are reported as one: the last, with what all of them ended', async () => {
    registerDenied(() => undefined);
    stream.start();
    const injector = await nextConnection();
    await injector.receive();
    const { policies } = tableJson(table({ revision: 8, allowed: ['10.0.0.2'] }));
    const frames = [
      { type: 'snapshot', table: tableJson(table({ revision: 7 })) },
      { type: 'change', change: { schema: 2, from: 7, revision: 8, policies } },
    ];
    injector.socket.write(frames.map((frame) => `${JSON.stringify(frame)}\n`).join(''));
    expect(await injector.receive()).toEqual({ type: 'ack', revision: 8 });
    expect(reported).toEqual(['connected', 'enforced 8']);
    expect(flowsEnded).toBe(2);
    const changes = [9, 10].map((revision) => ({ schema: 2, from: revision - 1, revision }));
    injector.socket.write(
      changes.map((change) => `${JSON.stringify({ type: 'change', change })}\n`).join(''),
    );
    expect(await injector.receive()).toEqual({ type: 'ack', revision: 10 });
    expect(ledBy).toEqual(['whole', [9, 10]]);
  });

  test.each([
    ['a gap', { type: 'change', change: { schema: 2, from: 3, revision: 4 } }, 'TABLE_GAP'],
    ['an older snapshot', { type: 'snapshot', table: tableJson(table({ revision: 6 })) }, 'TABLE_GAP'],
    [
      'a replayed change',
      {
        type: 'change',
        change: { schema: 2, from: 5, revision: 7, policies: tableJson(table({ revision: 7 })).policies },
      },
      'TABLE_GAP',
    ],
    [
      'a change that goes back',
      { type: 'change', change: { schema: 2, from: 7, revision: 6 } },
      'TABLE_MALFORMED',
    ],
    ['an unknown frame', { type: 'shutdown' }, 'TABLE_MALFORMED'],
    [
      'a snapshot with a hole',
      { type: 'snapshot', table: { ...tableJson(table({ revision: 8 })), policies: undefined } },
      'TABLE_MALFORMED',
    ],
    [
      'a table of schema 1 that nobody asked for',
      { type: 'snapshot', table: olderTable(table({ revision: 8 })) },
      'TABLE_MALFORMED',
    ],
  ])('%s is refused whole, and the last good table stays', async (_what, frame, code) => {
    stream.start();
    const injector = await nextConnection();
    await injector.receive();
    injector.send({ type: 'snapshot', table: tableJson(table({ revision: 7 })) });
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
    const pod = { namespace: 'shop', name: 'web', workload: '', labels: {}, namespaceLabels: {}, ports: [] };
    injector.send({ type: 'identity', address: '10.0.0.9', pod, tag: 'uid-web' });
    await expect.poll(() => reported.at(-1)).toBe('10.0.0.9 is web, uid-web');
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
    before.send({ type: 'snapshot', table: tableJson(table({ revision: 7 })) });
    await before.receive();
    const again = nextConnection();
    before.socket.destroy();
    expect(await (await again).receive()).toEqual({ ...hello, holds: true });
    expect(reported).toContain('disconnected');
    expect(enforcement.revision).toBe(7);
  });

  test('a frame that breaks off with its connection changes nothing, and the next connection starts from a snapshot', async () => {
    stream.start();
    const before = await nextConnection();
    await before.receive();
    before.send({ type: 'snapshot', table: tableJson(table({ revision: 7 })) });
    await before.receive();
    const again = nextConnection();
    const text = JSON.stringify({ type: 'snapshot', table: tableJson(table({ revision: 8, allowed: [] })) });
    before.socket.end(text.slice(0, -5));
    const after = await again;
    await after.receive();
    expect(enforcement.revision).toBe(7);
    // Another replica, which counts from another number.
    after.send({ type: 'snapshot', table: tableJson(table({ revision: 3 })) });
    expect(await after.receive()).toEqual({ type: 'ack', revision: 3 });
  });

  test('parts of a frame may come packed', async () => {
    stream.start();
    const injector = await nextConnection();
    await injector.receive();
    const sent = tableJson(
      admittingGroup(table({ revision: 7 }), ['ingress'], groupOf({ '10.0.0.1': 'one' })),
    );
    const packed = pack(Buffer.from(JSON.stringify(sent.groups.g)));
    injector.send({ type: 'snapshot', table: { ...sent, groups: { g: { packed } } } });
    expect(await injector.receive()).toEqual({ type: 'ack', revision: 7 });
    expect(enforcement.table && tableJson(enforcement.table)).toEqual(sent);
    injector.send({ type: 'snapshot', table: { ...sent, revision: 8, groups: { g: { packed: 'AAAA' } } } });
    expect(await injector.receive()).toMatchObject({ type: 'nack', code: 'TABLE_MALFORMED' });
  });

  describe('a sidecar that has a table', () => {
    const digests = new PartDigests(digestOf);
    const held = admittingGroup(table({ revision: 7 }), ['ingress'], groupOf({ '10.0.0.1': 'one' }));
    const changed = { ...held, groups: new Map([['g', groupOf({ '10.0.0.1': 'one', '10.0.0.2': 'two' })]]) };

    /** The connection on which it says that it has the table `held`. */
    async function connected() {
      enforcement.replace(held);
      stream.start();
      const injector = await nextConnection();
      expect(await injector.receive()).toEqual({ ...hello, holds: true });
      const sendOutline = (of: Table, isWhole?: Parameters<typeof outlineOf>[2]) =>
        injector.send({ type: 'outline', outline: outlineOf(of, digests, isWhole) });
      return { ...injector, sendOutline };
    }

    test('takes what an outline has only a digest of from there, and asks for nothing', async () => {
      const injector = await connected();
      injector.sendOutline({ ...held, revision: 9 });
      expect(await injector.receive()).toEqual({ type: 'want', parts: [] });
      expect(await injector.receive()).toEqual({ type: 'ack', revision: 9 });
      expect(enforcement.table?.groups.get('g')).toBe(held.groups.get('g'));
      const groups = { g: { members: { '10.0.0.1': null } } };
      injector.send({ type: 'change', change: { schema: 2, from: 9, revision: 10, groups } });
      expect(await injector.receive()).toEqual({ type: 'ack', revision: 10 });
    });

    test('has worked out the digests of a large table a little at a time before an outline comes', async () => {
      const addresses = Array.from(
        { length: 20_000 },
        (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`,
      );
      const members = Object.fromEntries(addresses.map((address) => [address, 'f47ac10b58cc4372']));
      const large = admittingGroup(table({ revision: 7 }), ['ingress'], groupOf(members));
      const outline = outlineOf({ ...large, revision: 9 }, digests);
      enforcement.replace(large);
      const texts: number[] = [];
      const stringify = JSON.stringify;
      vi.spyOn(JSON, 'stringify').mockImplementation((value: unknown) => {
        const text = stringify(value);
        if (text?.length > 10_000) texts.push(text.length);
        return text;
      });
      stream.start();
      const injector = await nextConnection();
      await injector.receive();
      while (texts.length < 10) await new Promise((resolve) => setImmediate(resolve));
      expect(Math.max(...texts)).toBeLessThan(100_000);
      texts.length = 0;
      injector.send({ type: 'outline', outline });
      expect(await injector.receive()).toEqual({ type: 'want', parts: [] });
      expect(texts).toEqual([]);
      vi.restoreAllMocks();
    });

    test('asks for what it lacks, and enforces the table when that has come', async () => {
      const injector = await connected();
      injector.sendOutline({ ...changed, revision: 9 });
      expect(await injector.receive()).toEqual({ type: 'want', parts: [1] });
      expect(enforcement.table).toBe(held);
      injector.sendOutline({ ...changed, revision: 10 }, ({ kind }) => kind === 'group');
      expect(await injector.receive()).toEqual({ type: 'ack', revision: 10 });
      expect(enforcement.table && tableJson(enforcement.table)).toEqual(
        tableJson({ ...changed, revision: 10 }),
      );
    });

    test('that lacks more parts than a frame can name asks for the whole table', async () => {
      const injector = await connected();
      const many = Array.from({ length: 5_000 }, (_, i): [string, AddressGroup] => [
        `g${i}`,
        groupOf({ '10.0.0.3': `uid-${i}` }),
      ]);
      const large = { ...held, groups: new Map([...held.groups, ...many]), revision: 9 };
      injector.sendOutline(large);
      expect(await injector.receive()).toMatchObject({ type: 'nack', revision: 7, code: 'TABLE_GAP' });
      expect(enforcement.table).toBe(held);
      injector.send({ type: 'snapshot', table: tableJson(large) });
      expect(await injector.receive()).toEqual({ type: 'ack', revision: 9 });
      expect(enforcement.table?.groups.size).toBe(5_001);
    });

    test('refuses an outline that lacks what it has asked for, and takes a snapshot then', async () => {
      const injector = await connected();
      injector.sendOutline({ ...changed, revision: 9 });
      await injector.receive();
      injector.sendOutline({ ...changed, revision: 9 });
      expect(await injector.receive()).toMatchObject({ type: 'nack', revision: 7, code: 'TABLE_GAP' });
      injector.send({ type: 'snapshot', table: tableJson({ ...changed, revision: 9 }) });
      expect(await injector.receive()).toEqual({ type: 'ack', revision: 9 });
    });
  });

  describe('to an injector of before schema 2', () => {
    const older = { ...hello, schema: 1 };
    const refusal = {
      type: 'refused',
      message: 'table schema 2 is wanted, 1 is served: run sidecar and injector of one release',
    };
    const first = admittingGroup(
      table({ revision: 7 }),
      ['ingress'],
      groupOf({ '10.0.0.1': 'uid-web', '10.0.0.2': 'uid-db' }),
    );

    /** The connection that asks for schema 1. The injector ends the one before it, as it does with those that it refuses. */
    async function refusedOnce() {
      const refused = await nextConnection();
      expect(await refused.receive()).toEqual(hello);
      const again = nextConnection();
      refused.send(refusal);
      refused.socket.end();
      const injector = await again;
      expect(await injector.receive()).toEqual(older);
      return injector;
    }

    test('it is asked at once for what it serves, and its tables are enforced; its names are taken along', async () => {
      stream.start();
      const injector = await refusedOnce();
      injector.send({ type: 'snapshot', table: olderTable(first) });
      expect(await injector.receive()).toEqual({ type: 'ack', revision: 7 });
      expect(reported).toEqual([
        'connected',
        'older injector',
        'connected',
        '10.0.0.100 is pod-uid-api, uid-api',
        '10.0.0.1 is pod-uid-web, uid-web',
        '10.0.0.2 is pod-uid-db, uid-db',
        'enforced 7',
      ]);
      const verdict = (address: string) => enforcement.verdict('ingress', address, 'TCP', 80).verdict;
      expect([verdict('10.0.0.1'), verdict('10.0.0.3')]).toEqual(['allow', 'deny']);

      const { '10.0.0.2': pod } = olderTable(first).pods;
      const groups = { g: { kind: 'members', added: ['10.0.0.3'], removed: ['10.0.0.1'] } };
      const pods = { '10.0.0.1': null, '10.0.0.3': { ...pod, name: 'new', uid: 'uid-new' } };
      injector.send({ type: 'delta', delta: { schema: 1, from: 7, revision: 8, groups, pods } });
      expect(await injector.receive()).toEqual({ type: 'ack', revision: 8 });
      expect([verdict('10.0.0.1'), verdict('10.0.0.3')]).toEqual(['deny', 'allow']);
      expect(reported.slice(-2)).toEqual(['10.0.0.3 is new, uid-new', 'enforced 8']);
      expect(ledBy).toEqual(['whole', 'whole']);

      injector.send({ type: 'identity', address: '10.0.0.3', pod: { ...named, name: 'asked' } });
      await expect.poll(() => reported.at(-1)).toBe('10.0.0.3 is asked');
      injector.send({ type: 'identity', address: '10.0.0.9', pod: { ...named, name: 'other' } });
      await expect.poll(() => reported.at(-1)).toBe('10.0.0.9 is other');
    });

    const named = { namespace: 'shop', workload: '', labels: {}, namespaceLabels: {}, ports: [] };

    test('a delta that it refuses leaves all as it was, and the next one is taken', async () => {
      stream.start();
      const injector = await refusedOnce();
      injector.send({ type: 'delta', delta: { schema: 1, from: 0, revision: 1 } });
      expect(await injector.receive()).toMatchObject({ type: 'nack', revision: 0, code: 'TABLE_GAP' });
      injector.send({ type: 'snapshot', table: olderTable(first) });
      await injector.receive();
      const before = enforcement.table;
      const groups = { g: { kind: 'members', added: [], removed: ['10.0.0.1', '10.0.0.9'] } };
      injector.send({ type: 'delta', delta: { schema: 1, from: 7, revision: 8, groups } });
      expect(await injector.receive()).toMatchObject({ type: 'nack', revision: 7, code: 'TABLE_MALFORMED' });
      injector.send({ type: 'change', change: { schema: 2, from: 7, revision: 8 } });
      expect(await injector.receive()).toMatchObject({ type: 'nack', revision: 7, code: 'TABLE_MALFORMED' });
      expect(enforcement.table).toBe(before);
      injector.send({ type: 'delta', delta: { schema: 1, from: 7, revision: 8 } });
      expect(await injector.receive()).toEqual({ type: 'ack', revision: 8 });
      expect(enforcement.table?.groups.get('g')?.members).toBe(before?.groups.get('g')?.members);
    });

    test('it is known by its refusal of a field of the hello, too', async () => {
      enforcement.replace(table({ revision: 1 }));
      stream.start();
      const refused = await nextConnection();
      expect(await refused.receive()).toEqual({ ...hello, holds: true });
      const again = nextConnection();
      // As it refuses any field that it does not know.
      const message = messageOf(() => readSidecarFrame({ ...hello, other: true })).replace('other', 'holds');
      refused.send({ type: 'refused', message: `not a frame: ${message}` });
      expect(await (await again).receive()).toEqual(older);
    });

    test('a later connection asks for schema 2 again: by then the injector may be a new one', async () => {
      stream.start();
      const before = await refusedOnce();
      before.send({ type: 'snapshot', table: olderTable(first) });
      await before.receive();
      const again = nextConnection();
      before.socket.destroy();
      const renewed = await again;
      expect(await renewed.receive()).toEqual({ ...hello, holds: true });
      renewed.send({ type: 'snapshot', table: tableJson({ ...first, revision: 3 }) });
      expect(await renewed.receive()).toEqual({ type: 'ack', revision: 3 });
      const groups = { g: { members: { '10.0.0.2': null } } };
      renewed.send({ type: 'change', change: { schema: 2, from: 3, revision: 4, groups } });
      expect(await renewed.receive()).toEqual({ type: 'ack', revision: 4 });
    });

    test('one that does not serve schema 1 either is not asked without end', async () => {
      stream.start();
      const injector = await refusedOnce();
      injector.send(refusal);
      await expect.poll(() => reported.at(-1)).toBe(`turned away: ${refusal.message}`);
      const again = nextConnection();
      injector.socket.end();
      expect(await (await again).receive()).toEqual(hello);
      expect(reported).toContain('disconnected');
    });
  });
});
