/** How a sidecar leaves an injector for another replica: when it is asked to, and when the injector falls silent. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { digestOf } from '../../../../common/digest.ts';
import {
  PartDigests,
  type SidecarFrame,
  type Table,
  tableJson,
  WIRE_PROTOCOLS,
} from '../../../../policy/index.ts';
import { Enforcement } from '../../../../sidecar/table/enforcement.ts';
import { InjectorLink } from '../../../../sidecar/table/injector_link.ts';
import { LiveTable } from '../../../../sidecar/table/live_table.ts';
import { TableStream } from '../../../../sidecar/table/stream.ts';
import { tlsTransport } from '../../../../sidecar/table/tls_transport.ts';
import { outlineOf } from '../../../builders/table_frames.ts';
import { admittingGroup, groupOf, olderTable, table } from '../../../builders/tables.ts';
import { SERVER_NAME, TestCertificate } from '../../injector/test_credentials.ts';
import { waitFor } from '../../injector/wait_for.ts';

const HELLO = { type: 'token-hello', schema: 2, token: 'a token' };

const digests = new PartDigests(digestOf);

/** As 3 and 10 s. */
const TIMES = { quietMs: 300, goneMs: 2_000 };

/** One injector's side of a connection. */
interface Accepted {
  readonly socket: TLSSocket;
  send(frame: object): void;
  receive(): Promise<SidecarFrame>;
}

let dir: string;
let server: Server;
let stream: TableStream;
let enforcement: Enforcement;
let link: InjectorLink;
let reported: string[];
/** In the order in which they came, taken one by one. */
let waiting: Accepted[];
let accepted: number;

/** @param protocols what the injector knows; none: it is of before */
async function open(protocols: readonly string[]): Promise<void> {
  const { ca, current } = await TestCertificate.make();
  const [tokenFile, caFile] = [join(dir, 'token'), join(dir, 'ca.crt')];
  writeFileSync(tokenFile, 'a token\n');
  writeFileSync(caFile, ca.cert);
  server = createServer({ ...current, ...(protocols.length === 0 ? {} : { ALPNProtocols: [...protocols] }) });
  server.on('secureConnection', (socket: TLSSocket) => {
    socket.on('error', () => {});
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
    accepted += 1;
    waiting.push({
      socket,
      send: (frame) => socket.write(`${JSON.stringify(frame)}\n`),
      receive: async () => JSON.parse((await lines.next()).value as string) as SidecarFrame,
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  enforcement = new Enforcement(new LiveTable());
  link = new InjectorLink();
  stream = new TableStream(
    tlsTransport({ host: '127.0.0.1', port, serverName: SERVER_NAME, tokenFile, caFile }),
    { namespace: 'shop', name: 'api' },
    enforcement,
    {
      connected: () => reported.push('connected'),
      moved: (reason) => reported.push(`moved: ${reason}`),
      disconnected: (reason) => reported.push(`disconnected: ${reason}`),
      enforced: () => {
        reported.push(`enforced ${enforcement.revision}`);
        link.acknowledge(enforcement.revision);
      },
      refused: (error) => reported.push(`refused: ${error.message}`),
      unknownPod: (message) => reported.push(`unknown pod: ${message}`),
      identified: () => undefined,
      turnedAway: (message) => reported.push(`turned away: ${message}`),
      olderInjector: () => reported.push('older injector'),
    },
    { link, ...TIMES },
  );
  stream.start();
}

/** The next connection, once it has said its hello. */
async function next(): Promise<Accepted> {
  const connection = await waitFor(() => waiting.shift());
  const holds = enforcement.table === undefined ? {} : { holds: true };
  expect(await connection.receive()).toEqual({ ...HELLO, ...holds });
  return connection;
}

/** A connection with a table in force. */
async function served(revision: number): Promise<Accepted> {
  const connection = await next();
  connection.send({ type: 'snapshot', table: tableJson(table({ revision })) });
  expect(await connection.receive()).toEqual({ type: 'ack', revision });
  return connection;
}

/** Sends a table in outline. @param isWhole which parts of it are whole */
function sendOutline({ send }: Accepted, of: Table, isWhole?: Parameters<typeof outlineOf>[2]): void {
  send({ type: 'outline', outline: outlineOf(of, digests, isWhole) });
}

/** Resolves when the connection has ended, also with a reset. */
function closed({ socket }: Accepted): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** Has an injector speak each 50 ms. */
function beat({ send, socket }: Accepted, revision: number): () => void {
  const timer = setInterval(() => send({ type: 'heartbeat', revision }), 50);
  socket.once('close', () => clearInterval(timer));
  return () => clearInterval(timer);
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-replica-'));
  reported = [];
  waiting = [];
  accepted = 0;
});

afterEach(() => {
  stream.close();
  server.close();
  rmSync(dir, { recursive: true, force: true });
});

describe('asked to move', () => {
  beforeEach(() => open(WIRE_PROTOCOLS));

  test('it is served by the first until the other has sent its table, and is never without a connection', async () => {
    const first = await served(7);
    expect(first.socket.alpnProtocol).toBe(WIRE_PROTOCOLS[0]);
    beat(first, 7);
    first.send({ type: 'moved', message: 'too many here' });
    const second = await next();
    // Meanwhile the first goes on.
    const changed = tableJson(table({ revision: 8, allowed: ['10.0.0.1'] }));
    first.send({ type: 'change', change: { schema: 2, from: 7, revision: 8, policies: changed.policies } });
    expect(await first.receive()).toEqual({ type: 'ack', revision: 8 });
    const ended = closed(first);
    second.send({ type: 'snapshot', table: tableJson(table({ revision: 3 })) }); // another replica, which counts from another number
    expect(await second.receive()).toEqual({ type: 'ack', revision: 3 });
    await ended;
    expect(reported).toEqual(['connected', 'enforced 7', 'enforced 8', 'moved: too many here', 'enforced 3']);
    // The other one is the injector now.
    const again = tableJson(table({ revision: 4, allowed: ['10.0.0.2'] }));
    second.send({ type: 'change', change: { schema: 2, from: 3, revision: 4, policies: again.policies } });
    expect(await second.receive()).toEqual({ type: 'ack', revision: 4 });
    expect(link.identify('10.0.0.9')).toBe(true);
    expect(await second.receive()).toEqual({ type: 'identify', address: '10.0.0.9' });
    expect(accepted).toBe(2);
  });

  test.each([
    ['turns it away', { type: 'refused', message: 'no' }, 'turned away: no'],
    ['sends what is no frame', { type: 'shutdown' }, 'refused: '],
    [
      "sends another pod's table",
      { type: 'snapshot', table: tableJson(table({ revision: 9, name: 'web' })) },
      'refused: ',
    ],
  ])('it stays when the other one %s', async (_what, frame, report) => {
    const first = await served(7);
    beat(first, 7);
    first.send({ type: 'moved', message: 'too many here' });
    const second = await next();
    const ended = closed(second);
    second.send(frame);
    if (frame.type === 'refused') second.socket.end();
    await ended;
    await waitFor(() => reported.at(-1)?.startsWith(report));
    enforcement.confirm(1);
    await waitFor(() => enforcement.confirmedAtMs > 1);
    expect(enforcement.revision).toBe(7);
    expect(reported.filter((line) => line.startsWith('disconnected') || line.startsWith('moved'))).toEqual(
      [],
    );
    // Asked again, it tries again.
    first.send({ type: 'moved', message: 'too many here' });
    await served(2);
    expect(reported.at(-2)).toBe('moved: too many here');
  });

  test('it stays when the other one has no table yet, and moves when it has', async () => {
    const first = await served(7);
    beat(first, 7);
    first.send({ type: 'moved', message: 'too many here' });
    const second = await next();
    second.send({ type: 'unknown-pod', message: 'wait' });
    beat(second, 1);
    await delay(2 * TIMES.quietMs);
    expect(reported).toEqual(['connected', 'enforced 7']);
    second.send({ type: 'snapshot', table: tableJson(table({ revision: 3 })) });
    expect(await second.receive()).toEqual({ type: 'ack', revision: 3 });
    expect(reported.slice(-2)).toEqual(['moved: too many here', 'enforced 3']);
  });

  test('the first may end before the other has sent its table, as the same replica ends it', async () => {
    const first = await served(7);
    beat(first, 7);
    first.send({ type: 'moved', message: 'too many here' });
    const second = await next();
    first.socket.destroy();
    await waitFor(() => reported.at(-1) === 'moved: too many here');
    second.send({ type: 'snapshot', table: tableJson(table({ revision: 3 })) });
    expect(await second.receive()).toEqual({ type: 'ack', revision: 3 });
    expect(reported).toEqual(['connected', 'enforced 7', 'moved: too many here', 'enforced 3']);
    expect(accepted).toBe(2);
  });
});

describe('the other one sends an outline', () => {
  const held = admittingGroup(table({ revision: 7 }), ['ingress'], groupOf({ '10.0.0.1': 'one' }));
  const changed = { ...held, groups: new Map([['g', groupOf({ '10.0.0.1': 'one', '10.0.0.2': 'two' })]]) };
  let first: Accepted;
  let second: Accepted;

  beforeEach(async () => {
    await open(WIRE_PROTOCOLS);
    first = await next();
    first.send({ type: 'snapshot', table: tableJson(held) });
    expect(await first.receive()).toEqual({ type: 'ack', revision: 7 });
    beat(first, 7);
    first.send({ type: 'moved', message: 'too many here' });
    second = await next();
  });

  test('it moves at once where it has all parts', async () => {
    sendOutline(second, { ...held, revision: 3 });
    expect(await second.receive()).toEqual({ type: 'want', parts: [] });
    expect(await second.receive()).toEqual({ type: 'ack', revision: 3 });
    expect(reported.slice(-2)).toEqual(['moved: too many here', 'enforced 3']);
    expect(enforcement.table && tableJson(enforcement.table)).toEqual(tableJson({ ...held, revision: 3 }));
  });

  test('it moves when the parts have come that it lacks, and the first goes on until then', async () => {
    sendOutline(second, { ...changed, revision: 3 });
    expect(await second.receive()).toEqual({ type: 'want', parts: [1] });
    // What is held for the outline may be in force no longer when its parts come.
    const { policies } = tableJson(table({ revision: 8, allowed: ['10.0.0.9'] }));
    first.send({
      type: 'change',
      change: { schema: 2, from: 7, revision: 8, policies, groups: { g: null } },
    });
    expect(await first.receive()).toEqual({ type: 'ack', revision: 8 });
    expect(link.identify('10.0.0.9')).toBe(true);
    expect(await first.receive()).toEqual({ type: 'identify', address: '10.0.0.9' });
    // Nobody has asked the other one yet.
    second.send({ type: 'identity', address: '10.0.0.9', pod: null });
    second.send({ type: 'heartbeat', revision: 8 });
    expect(reported).toEqual(['connected', 'enforced 7', 'enforced 8']);
    sendOutline(second, { ...changed, revision: 4 }, ({ kind }) => kind === 'group');
    expect(await second.receive()).toEqual({ type: 'ack', revision: 4 });
    expect(reported.slice(3)).toEqual(['moved: too many here', 'enforced 4']);
    expect(enforcement.table && tableJson(enforcement.table)).toEqual(tableJson({ ...changed, revision: 4 }));
    expect(link.identify('10.0.0.9')).toBe(true);
    expect(await second.receive()).toEqual({ type: 'identify', address: '10.0.0.9' });
  });

  test('the first may end while the parts are on their way', async () => {
    sendOutline(second, { ...changed, revision: 3 });
    expect(await second.receive()).toEqual({ type: 'want', parts: [1] });
    first.socket.destroy();
    await waitFor(() => reported.at(-1) === 'moved: too many here');
    sendOutline(second, { ...changed, revision: 3 }, ({ kind }) => kind === 'group');
    expect(await second.receive()).toEqual({ type: 'ack', revision: 3 });
    expect(accepted).toBe(2);
  });

  test('it stays where the other one does not send what it was asked for', async () => {
    const ended = closed(second);
    sendOutline(second, { ...changed, revision: 3 });
    sendOutline(second, { ...changed, revision: 3 });
    await ended;
    expect(reported.at(-1)).toMatch(/^refused: an outline lacks/);
    expect(enforcement.revision).toBe(7);
    first.send({ type: 'moved', message: 'too many here' });
    await served(2);
  });

  test('it asks for tables of before where the other one is older, and moves to it', async () => {
    const ended = closed(second);
    second.send({
      type: 'refused',
      message: 'table schema 2 is wanted, 1 is served: run sidecar and injector of one release',
    });
    await ended;
    const third = await waitFor(() => waiting.shift());
    expect(await third.receive()).toEqual({ ...HELLO, schema: 1 });
    expect(link.identify('10.0.0.9')).toBe(true);
    expect(await first.receive()).toEqual({ type: 'identify', address: '10.0.0.9' });
    third.send({ type: 'snapshot', table: olderTable({ ...changed, revision: 3 }) });
    expect(await third.receive()).toEqual({ type: 'ack', revision: 3 });
    expect(reported.slice(2)).toEqual(['older injector', 'moved: too many here', 'enforced 3']);
    // Back to today's schema, where that is spoken.
    third.send({ type: 'moved', message: 'too many here' });
    await served(5);
    expect(accepted).toBe(4);
  });
});

describe('the injector falls silent', () => {
  test('it is left for another', async () => {
    await open(WIRE_PROTOCOLS);
    await served(7);
    const startMs = performance.now();
    const second = await next();
    expect(performance.now() - startMs).toBeLessThan(TIMES.goneMs);
    second.send({ type: 'snapshot', table: tableJson(table({ revision: 3 })) });
    expect(await second.receive()).toEqual({ type: 'ack', revision: 3 });
    expect(reported).toEqual([
      'connected',
      'enforced 7',
      `moved: no word for ${TIMES.quietMs} ms`,
      'enforced 3',
    ]);
  });

  test('it keeps its sidecar if it speaks again before another serves it', async () => {
    await open(WIRE_PROTOCOLS);
    const first = await served(7);
    const second = await next();
    const ended = closed(second);
    first.send({ type: 'heartbeat', revision: 7 });
    await ended;
    beat(first, 7);
    await delay(2 * TIMES.quietMs);
    expect(reported).toEqual(['connected', 'enforced 7']);
    expect(accepted).toBe(2);
  });

  test('the other one hangs too: a third is tried, and in the end the first is given up', async () => {
    await open(WIRE_PROTOCOLS);
    await served(7);
    const second = await next();
    second.send({ type: 'unknown-pod', message: 'wait' }); // and nothing more
    const third = await next();
    third.send({ type: 'snapshot', table: tableJson(table({ revision: 3 })) });
    expect(await third.receive()).toEqual({ type: 'ack', revision: 3 });
  });

  test('any frame counts as a word', async () => {
    await open(WIRE_PROTOCOLS);
    const first = await served(7);
    for (let count = 0; count < 10; count += 1) {
      first.send({ type: 'identity', address: '10.0.0.9', pod: null });
      await delay(TIMES.quietMs / 4);
    }
    expect(accepted).toBe(1);
  });

  test('one that does not know of it may be silent for longer: it is left when it is gone', async () => {
    await open([]);
    const first = await served(7);
    expect(first.socket.alpnProtocol).toBe(false);
    await delay(2 * TIMES.quietMs);
    expect(accepted).toBe(1);
    first.send({ type: 'heartbeat', revision: 7 });
    await delay(2 * TIMES.quietMs);
    expect(accepted).toBe(1);
    await served(3);
    expect(reported).toContain(`disconnected: no heartbeat for ${TIMES.goneMs} ms`);
  });
});
