import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { getSystemErrorName } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import { loadAddon } from '../../../native/addon.ts';
import { destroySockets as destroyListed } from '../../../native/destroy.ts';
import { NETLINK_PROTOCOLS, Netlink } from '../../../native/netlink.ts';
import {
  attribute,
  hostUint32,
  message,
  NLM_F_ACK,
  nested,
  readAttributes,
  readMessages,
  text,
} from '../../../native/netlink_message.ts';
import { order } from '../../../sidecar/kernel/exchange.ts';
import {
  destroySockets,
  destroySocketsAt,
  socketCookie,
  type TcpSocket,
  tcpSockets,
  tcpSocketsAt,
} from '../../../sidecar/kernel/tcp_sockets.ts';

/** A connection over loopback, and how both ends fare. */
async function connection(address: string, options: net.ServerOpts = {}) {
  const server = net.createServer(options).listen(0, address);
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const client = net.connect((server.address() as net.AddressInfo).port, address);
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
    [net.Socket],
    unknown,
  ];
  onTestFinished(() => void [client.destroy(), accepted.destroy()]);
  return { client, accepted };
}

/** What the kernel lists for it. */
async function found({ localAddress, localPort, remotePort }: net.Socket): Promise<TcpSocket> {
  const sockets = tcpSockets(
    (local, remote) =>
      local.address === localAddress?.replace('::ffff:', '') &&
      local.port === localPort &&
      remote.port === remotePort,
  );
  for await (const [one] of sockets) if (one !== undefined) return one;
  throw new Error('the kernel does not list the socket');
}

test.each(['127.0.0.1', '::1'])('a connection on %s is listed with the bytes it carried', async (address) => {
  const { client, accepted } = await connection(address);
  client.write('12345');
  await once(accepted, 'data');
  accepted.write('123');
  await once(client, 'data');
  expect(await found(client)).toMatchObject({
    local: { address, port: client.localPort },
    remote: { address, port: client.remotePort },
    bytesSent: 5,
    bytesReceived: 3,
  });
});

test.each(['127.0.0.1', '::1'])(
  'connections on %s are found by their ends, as they are listed; what nobody has, or only listens, is not',
  async (address) => {
    const { client, accepted } = await connection(address);
    client.write('12345');
    await once(accepted, 'data');
    const ends = {
      local: { address, port: client.localPort ?? 0 },
      remote: { address, port: client.remotePort ?? 0 },
    };
    const stranger = { ...ends, local: { address, port: 1 } };
    const listener = { local: ends.remote, remote: { address, port: 1 } };
    const [one, ...others] = tcpSocketsAt([ends, stranger, listener]);
    expect(one).toEqual(await found(client));
    expect(others).toEqual([undefined, undefined]);
    expect(tcpSocketsAt([])).toEqual([]);
  },
);

test('more sockets than one datagram has are found, each in its place', async () => {
  const connections = await Promise.all(Array.from({ length: 150 }, () => connection('127.0.0.1')));
  const ends = connections.map(({ client }) => ({
    local: { address: '127.0.0.1', port: client.localPort ?? 0 },
    remote: { address: '127.0.0.1', port: client.remotePort ?? 0 },
  }));
  const cookies = new Set(tcpSocketsAt(ends).map((socket) => socket && socketCookie(socket.handle)));
  expect(cookies.size).toBe(150);
  for (const one of [0, 63, 64, 149]) {
    const { client } = connections[one] ?? {};
    if (client !== undefined) expect(tcpSocketsAt(ends)[one]).toEqual(await found(client));
  }
});

test.each(['127.0.0.1', '::1', '::ffff:127.0.0.1'])(
  'a connection to %s is destroyed, and no other; both ends learn it',
  async (address) => {
    const [doomed, kept] = [await connection(address), await connection(address)];
    const ends = [doomed.client, doomed.accepted].map((end) => once(end, 'error'));
    expect(await destroySockets([await found(doomed.client)])).toEqual([0]);
    const codes = (await Promise.all(ends)).map(([error]) => (error as NodeJS.ErrnoException).code);
    expect(codes).toEqual(['ECONNABORTED', 'ECONNRESET']);
    kept.client.write('still');
    expect(String((await once(kept.accepted, 'data'))[0])).toBe('still');
  },
);

test('of many sockets at once each has its own result; one that has gone is ENOENT', async () => {
  const connections = await Promise.all(Array.from({ length: 150 }, () => connection('127.0.0.1')));
  for (const { client, accepted } of connections)
    for (const end of [client, accepted]) end.on('error', () => {});
  const sockets = await Promise.all(connections.map(({ client }) => found(client)));
  const gone = sockets[77];
  if (gone !== undefined) await destroySockets([gone]);
  const results = await destroySockets(sockets);
  expect(results.map((result) => (result === 0 ? 'OK' : getSystemErrorName(result)))).toEqual(
    sockets.map((one) => (one === gone ? 'ENOENT' : 'OK')),
  );
});

test('more sockets than one call takes have a result each, in order', async () => {
  const { client, accepted } = await connection('127.0.0.1');
  for (const end of [client, accepted]) end.on('error', () => {});
  const { family, id } = (await found(client)).handle;
  const gone = Uint8Array.from(id).fill(7, 4, 8); // from another address
  const handles = Array.from({ length: 2100 }, (_, index) => ({ family, id: index === 2050 ? id : gone }));
  const results = await destroyListed(handles);
  expect(results).toHaveLength(handles.length);
  expect(results.flatMap((result, index) => (result === 0 ? index : []))).toEqual([2050]);
  expect(await destroyListed([])).toEqual([]);
});

test.each(['127.0.0.1', '::1'])(
  'connections on %s are ended by their ends, in one call; who only listens, or is left, stays',
  async (address) => {
    const connections = await Promise.all(
      Array.from({ length: 150 }, () => connection(address, { allowHalfOpen: true })),
    );
    const endsOf = ({ localPort, remotePort }: net.Socket) => ({
      local: { address, port: localPort ?? 0 },
      remote: { address, port: remotePort ?? 0 },
    });
    const [left, kept, ...doomed] = connections;
    if (left === undefined || kept === undefined) throw new Error('no connections');
    // The other side has not closed it, and this one has nothing more to send.
    const leftEnds = endsOf(left.client);
    left.client.destroy();
    await vi.waitFor(() => expect(tcpSocketsAt([leftEnds])).toEqual([undefined]));
    for (const { client } of doomed) client.write('12345');
    await Promise.all(doomed.map(({ accepted }) => once(accepted, 'data')));
    const ends = doomed.map(({ client }) => endsOf(client));
    const codes = doomed.map(({ accepted }) => once(accepted, 'error'));
    for (const { client } of doomed) client.on('error', () => {});
    const [{ remote: place } = endsOf(kept.client)] = ends;
    const listener = { local: place, remote: { address, port: 1 } };
    const wanted = [leftEnds, ...ends, listener];
    const results = await destroySocketsAt(wanted);
    expect([results[0], results.at(-1)]).toEqual([undefined, undefined]);
    expect(results).toHaveLength(wanted.length);
    for (const [index, pair] of ends.entries()) {
      const socket = { ...pair, isArriving: false, bytesSent: 5, bytesReceived: 0 };
      expect(results[index + 1]).toMatchObject({ result: 0, socket });
    }
    const cookies = results.flatMap((one) => (one ? socketCookie(one.socket.handle) : []));
    expect(new Set(cookies).size).toBe(ends.length);
    for (const [error] of await Promise.all(codes)) expect(error).toMatchObject({ code: 'ECONNRESET' });
    kept.client.write('still');
    expect(String((await once(kept.accepted, 'data'))[0])).toBe('still');
    expect(await destroySocketsAt([])).toEqual([]);
  },
);

test.each(['127.0.0.1', '::1', '::ffff:127.0.0.1'])(
  'a connection to %s whose cookie is known is found and ended by that; one with the same ends and another cookie is not',
  async (address) => {
    const { client, accepted } = await connection(address);
    const listed = await found(client);
    const cookie = socketCookie(listed.handle);
    const ends = { local: listed.local, remote: listed.remote };
    for (const other of [cookie + 1, cookie + 2 ** 32, 0]) {
      expect(tcpSocketsAt([{ ...ends, cookie: other }])).toEqual([undefined]);
      expect(await destroySocketsAt([{ ...ends, cookie: other }])).toEqual([undefined]);
    }
    expect(tcpSocketsAt([{ ...ends, cookie }])).toMatchObject([{ handle: listed.handle }]);
    client.write('still');
    expect(String((await once(accepted, 'data'))[0])).toBe('still');
    const errors = [client, accepted].map((end) => once(end, 'error'));
    expect(await destroySocketsAt([{ ...ends, cookie }])).toMatchObject([{ result: 0 }]);
    await Promise.all(errors);
  },
);

test('a list that does not fit its results is refused', async () => {
  const addon = loadAddon();
  for (const [bytes, places] of [
    [51, 1],
    [52, 0],
    [0, 1],
  ] as const) {
    const result = await addon.destroySockets(new Uint8Array(bytes), new Int32Array(places));
    expect(getSystemErrorName(result)).toBe('EINVAL');
    const found = addon.lookUpSockets(new Uint8Array(bytes), new Float64Array(4 * places));
    expect(getSystemErrorName(found)).toBe('EINVAL');
    const list = new Uint8Array(bytes);
    for (const [facts, results] of [
      [4 * places, 1],
      [4, places],
    ] as const) {
      const both = addon.destroyFound(list, new Float64Array(facts), new Int32Array(results), 0, 0);
      expect(getSystemErrorName(await both)).toBe('EINVAL');
    }
  }
});

test('what the kernel cannot do is a result, not silence', async () => {
  // Nobody can destroy unix sockets: `struct unix_diag_req`.
  const body = [Uint8Array.of(1, 0, 0, 0), ...Array.from({ length: 5 }, () => hostUint32(0))];
  const [result = 0] = await order(NETLINK_PROTOCOLS.SOCK_DIAG, [{ type: 21, body }]);
  expect(getSystemErrorName(result)).toBe('ENOTSUP');
});

test('without the capability the kernel refuses', async () => {
  const { client } = await connection('127.0.0.1');
  const { family, id } = (await found(client)).handle;
  const script = `
    import { destroySockets } from ${JSON.stringify(new URL('../../../sidecar/kernel/tcp_sockets.ts', import.meta.url).href)};
    const handle = { family: ${family}, id: Uint8Array.from(${JSON.stringify([...id])}) };
    console.log(...(await destroySockets([{ handle }])));`;
  const argv = [
    '--bounding-set=-all',
    '--inh-caps=-all',
    process.execPath,
    '--input-type=module',
    '-e',
    script,
  ];
  const said = execFileSync('setpriv', argv, { encoding: 'utf8' });
  expect(getSystemErrorName(Number(said))).toBe('EPERM');
});

test('what is sent on another thread is answered as ever; a socket that is closed says so', async () => {
  const socket = new Netlink(NETLINK_PROTOCOLS.SOCK_DIAG);
  const unknown = message(99, NLM_F_ACK, 7, []);
  await socket.sendAside(unknown);
  const [answer] = socket.receive() ?? [];
  expect(answer).toMatchObject({ sequence: 7 });
  expect(getSystemErrorName(answer?.result ?? 0)).toBe('EINVAL');
  socket.close();
  await expect(socket.sendAside(unknown)).rejects.toMatchObject({ code: 'NETLINK_FAILED' });
});

test('a part that the kernel lacks is NETLINK_UNAVAILABLE', () => {
  expect(() => new Netlink(31)).toThrow(expect.objectContaining({ code: 'NETLINK_UNAVAILABLE' }));
});

test('messages and attributes come back as they were made, whatever their length', () => {
  const inner = [attribute(1, Uint8Array.of(7)), attribute(2, text('abcd')), attribute(3, hostUint32(5))];
  const bytes = Buffer.concat([
    message(0x123, NLM_F_ACK, 9, [Uint8Array.of(1, 2, 3, 4), nested(5, inner)]),
    message(0x124, 0, 10, []),
  ]);
  const [first, second] = readMessages(bytes);
  expect(first).toMatchObject({ type: 0x123, sequence: 9 });
  const attributes = readAttributes(first?.body ?? bytes, 4).nested(5);
  expect([1, 2, 3].map((type) => [...(attributes.get(type) ?? [])])).toEqual([
    [7],
    [97, 98, 99, 100, 0],
    [...hostUint32(5)],
  ]);
  expect(attributes.number(2, 2)).toBe(0x61_62);
  expect([attributes.number(1, 2), attributes.number(4, 1), attributes.nested(4).get(1)]).toEqual([
    undefined, // too short
    undefined, // absent
    undefined,
  ]);
  expect([attributes.has(3), attributes.has(4)]).toEqual([true, false]);
  expect(second).toMatchObject({ type: 0x124, sequence: 10 });
  expect(second?.body).toHaveLength(0);
  expect(readMessages(bytes.subarray(0, 20))).toEqual([]); // a piece is no message
});
