/** A stream that takes partial groups: what it says first on a connection, and what it hears. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PathUse } from '../../../../common/path.ts';
import {
  type AddressGroup,
  type InjectorFrame,
  type SidecarFrame,
  tableJson,
} from '../../../../policy/index.ts';
import { Enforcement } from '../../../../sidecar/table/enforcement.ts';
import { InjectorLink } from '../../../../sidecar/table/injector_link.ts';
import { LiveTable } from '../../../../sidecar/table/live_table.ts';
import { TableStream } from '../../../../sidecar/table/stream.ts';
import { localTransport } from '../../../../sidecar/table/transport.ts';
import { admittingGroup, groupOf, olderTable, partialGroupOf, table } from '../../../builders/tables.ts';
import { waitFor } from '../../injector/wait_for.ts';

const POD = { namespace: 'shop', name: 'api' };

let dir: string;
let server: Server;
let stream: TableStream;
let link: InjectorLink;
let enforcement: Enforcement;
let areTaken: boolean;
let path: PathUse;
let met: { readonly addresses: readonly string[]; readonly revision: number }[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-partial-'));
  server = createServer();
  server.listen(join(dir, 'socket'));
  await once(server, 'listening');
  link = new InjectorLink();
  enforcement = new Enforcement(new LiveTable());
  areTaken = true;
  path = 'proxy';
  met = [];
  stream = new TableStream(
    localTransport(join(dir, 'socket'), POD),
    POD,
    enforcement,
    {
      connected: () => undefined,
      moved: () => undefined,
      disconnected: () => undefined,
      enforced: () => undefined,
      refused: () => undefined,
      unknownPod: () => undefined,
      identified: () => undefined,
      turnedAway: () => undefined,
      olderInjector: () => undefined,
    },
    {
      link,
      partialGroups: {
        areTaken: () => areTaken,
        acquaintances: () => enforcement.acquaintances(),
        met: (addresses) => met.push({ addresses, revision: enforcement.revision }),
      },
      path: () => path,
    },
  );
});
afterEach(() => {
  stream.close();
  server.close();
  rmSync(dir, { recursive: true, force: true });
});

/** The injector's side of the next connection. */
async function nextConnection() {
  const [socket] = (await once(server, 'connection')) as [Socket];
  socket.on('error', () => {});
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  return {
    socket,
    send: (...frames: readonly (InjectorFrame | object)[]) =>
      socket.write(frames.map((frame) => `${JSON.stringify(frame)}\n`).join('')),
    receive: async () => JSON.parse((await lines.next()).value as string) as SidecarFrame,
  };
}

const HELLO = { type: 'hello', schema: 2, namespace: 'shop', pod: 'api' };

test('a connection asks for partial groups, and first of all about the members that are known', async () => {
  enforcement.replace(
    admittingGroup(table({ revision: 1 }), ['ingress'], partialGroupOf({ '10.0.0.1': 'one' })),
  );
  stream.start();
  const injector = await nextConnection();
  expect(await injector.receive()).toEqual({ ...HELLO, holds: true, partial: true });
  expect(await injector.receive()).toEqual({ type: 'meet', addresses: ['10.0.0.1'] });
});

test.each(['direct', 'mixed'] as const)(
  'a connection says that inbound TCP takes the path %s, but not to an injector that does not know the word',
  async (used) => {
    areTaken = false;
    path = used;
    stream.start();
    const before = await nextConnection();
    expect(await before.receive()).toEqual({ ...HELLO, path: used });
    before.send({
      type: 'refused',
      message: 'not a frame: frame.path is a field this version does not know',
    });
    const injector = await nextConnection();
    expect(await injector.receive()).toEqual({ ...HELLO, schema: 1 });
    injector.send({ type: 'snapshot', table: olderTable(table({ revision: 4 })) });
    await waitFor(() => enforcement.revision === 4);
  },
);

test('an answer is heard after the change before it, and before the one after it', async () => {
  stream.start();
  const injector = await nextConnection();
  await injector.receive();
  const first = admittingGroup(table({ revision: 1 }), ['ingress'], partialGroupOf({}));
  const change = (from: number) => ({
    type: 'change',
    change: {
      schema: 2,
      from,
      revision: from + 1,
      groups: { g: { members: { [`10.0.0.${from}`]: 'one' } } },
    },
  });
  injector.send(
    { type: 'snapshot', table: tableJson(first) },
    change(1),
    { type: 'met', addresses: ['10.0.0.1'] },
    change(2),
  );
  await waitFor(() => enforcement.revision === 3);
  expect(met).toEqual([{ addresses: ['10.0.0.1'], revision: 2 }]);
});

test('a long question takes several frames', async () => {
  stream.start();
  const injector = await nextConnection();
  await injector.receive();
  link.meet(Array.from({ length: 1_025 }, (_, i) => `10.0.${i >> 8}.${i & 255}`));
  const [long, short] = [await injector.receive(), await injector.receive()];
  expect(long).toMatchObject({ type: 'meet', addresses: { length: 1_024 } });
  expect(short).toEqual({ type: 'meet', addresses: ['10.0.4.0'] });
});

test('another replica that is tried is asked about whom the first one is asked about meanwhile', async () => {
  const first = admittingGroup(table({ revision: 1 }), ['ingress'], partialGroupOf({}));
  stream.start();
  const injector = await nextConnection();
  await injector.receive();
  injector.send({ type: 'snapshot', table: tableJson(first) }, { type: 'moved', message: 'too many here' });
  const other = await nextConnection();
  expect(await other.receive()).toMatchObject({ type: 'hello', partial: true });
  await waitFor(() => enforcement.revision === 1);
  link.meet(['10.0.0.1']);
  const question = (address: string) => ({ type: 'meet', addresses: [address] });
  expect([await injector.receive(), await other.receive()]).toEqual([
    question('10.0.0.1'),
    question('10.0.0.1'),
  ]);
  other.send({ type: 'snapshot', table: tableJson({ ...first, revision: 7 }) });
  await waitFor(() => enforcement.revision === 7);
  link.meet(['10.0.0.2']);
  link.identify('10.0.0.3');
  expect(await other.receive()).toEqual(question('10.0.0.2'));
  expect(await other.receive()).toEqual({ type: 'identify', address: '10.0.0.3' });
});

test('without a gate groups have to come whole, and nobody is asked', async () => {
  areTaken = false;
  stream.start();
  const injector = await nextConnection();
  expect(await injector.receive()).toEqual(HELLO);
  link.meet(['10.0.0.1']);
  link.identify('10.0.0.2');
  expect(await injector.receive()).toEqual({ type: 'identify', address: '10.0.0.2' });
});

test('an injector that does not know of partial groups is asked for what it serves, and not about members', async () => {
  stream.start();
  const before = await nextConnection();
  expect(await before.receive()).toMatchObject({ partial: true });
  before.send({
    type: 'refused',
    message: 'not a frame: frame.partial is a field this version does not know',
  });
  const injector = await nextConnection();
  expect(await injector.receive()).toEqual({ ...HELLO, schema: 1 });
  link.meet(['10.0.0.1']);
  injector.send({ type: 'snapshot', table: olderTable(table({ revision: 4 })) });
  await waitFor(() => enforcement.revision === 4);
  link.identify('10.0.0.2');
  expect(await injector.receive()).toEqual({ type: 'identify', address: '10.0.0.2' });
});

describe('a group that has come whole after it was partial', () => {
  const many = groupOf(
    Object.fromEntries(Array.from({ length: 4_097 }, (_, i) => [`10.0.${i >> 8}.${i & 255}`, `pod-${i}`])),
  );
  const sent = (revision: number, group: AddressGroup) => ({
    type: 'snapshot',
    table: tableJson(admittingGroup(table({ revision }), ['ingress'], group)),
  });

  /** @returns the hello of the connection that follows one with these tables */
  async function helloAfter(...groups: readonly AddressGroup[]): Promise<SidecarFrame> {
    const before = enforcement.revision;
    const injector = await nextConnection();
    await injector.receive();
    injector.send(...groups.map((group, i) => sent(before + i + 1, group)));
    await waitFor(() => enforcement.revision === before + groups.length);
    injector.socket.destroy();
    const next = await nextConnection();
    const hello = await next.receive();
    next.socket.destroy();
    return hello;
  }

  test('with many members is asked for whole on later connections, until it is small', async () => {
    stream.start();
    expect(await helloAfter(partialGroupOf({}), many)).toEqual({ ...HELLO, holds: true });
    expect(await helloAfter(many)).toEqual({ ...HELLO, holds: true });
    expect(await helloAfter(groupOf({}))).toEqual({ ...HELLO, holds: true, partial: true });
  });

  test('with few members is no large one any more', async () => {
    stream.start();
    expect(await helloAfter(partialGroupOf({}), groupOf({ '10.0.0.1': 'one' }))).toMatchObject({
      partial: true,
    });
  });

  test('because the connection did not ask for partial groups is asked for in part as soon as they are taken', async () => {
    enforcement.replace(admittingGroup(table({ revision: 1 }), ['ingress'], partialGroupOf({})));
    areTaken = false;
    stream.start();
    const injector = await nextConnection();
    await injector.receive();
    injector.send(sent(2, many));
    await waitFor(() => enforcement.revision === 2);
    areTaken = true;
    injector.socket.destroy();
    const next = await nextConnection();
    expect(await next.receive()).toMatchObject({ partial: true });
  });
});
