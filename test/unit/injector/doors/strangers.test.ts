/** Connections that have not logged in: anyone who reaches the port can open them, and nobody else may have to wait for them. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TABLE_SCHEMA } from '../../../../policy/table/form.ts';
import { pod } from '../../../builders/injector_manifests.ts';
import { RunningInjector } from '../running_injector.ts';
import { SERVER_NAME, tokenOf } from '../test_credentials.ts';
import { waitFor } from '../wait_for.ts';

/** More than kernels hold for both ends of a connection. */
const MUCH_BYTES = 64 * 1024 * 1024;

let injector: RunningInjector;
let sockets: Socket[];
let stop: AbortController;

beforeEach(async () => {
  sockets = [];
  stop = new AbortController();
  injector = new RunningInjector('TLS');
  injector.dir.write('pods.yaml', pod('web', '10.0.0.1'), pod('api', '10.0.0.2'));
});
afterEach(async () => {
  stop.abort();
  for (const socket of sockets) socket.destroy();
  await injector.close();
});

function kept<S extends Socket>(socket: S): S {
  sockets.push(socket);
  socket.on('error', () => {});
  return socket;
}

/** Says nothing, and comes again whenever it is cut. */
function silent(localAddress: string, signal = stop.signal): void {
  if (signal.aborted) return;
  const socket = kept(connect({ port: injector.port, host: '127.0.0.1', localAddress }));
  socket.resume();
  socket.once('close', () => setImmediate(() => silent(localAddress, signal)));
}

function tlsFrom(localAddress: string): TLSSocket {
  const to = { port: injector.port, host: '127.0.0.1', localAddress };
  return kept(connectTls({ ...to, ca: injector.certificate.ca.cert, servername: SERVER_NAME }));
}

function tcpFrom(localAddress: string): Socket {
  return kept(connect({ port: injector.port, host: '127.0.0.1', localAddress, noDelay: true })).resume();
}

/** What a client of TLS says first. */
async function clientHello(): Promise<Buffer> {
  const [client, wire] = duplexPair();
  kept(connectTls({ socket: client, servername: SERVER_NAME }));
  const [said] = await once(wire, 'data');
  return said as Buffer;
}

const line = (frame: object) => `${JSON.stringify(frame)}\n`;
const hello = (name: string) =>
  line({ type: 'token-hello', schema: TABLE_SCHEMA, token: tokenOf(`shop/${name}`) });

/** The types of the frames that come; without heartbeats. */
function typesOn(socket: Socket): readonly string[] {
  const types: string[] = [];
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (text + chunk).split('\n');
    text = lines.pop() ?? '';
    for (const one of lines) types.push(JSON.parse(one).type);
  });
  return types;
}

/** Whether a sidecar at this address gets its table. */
async function logsIn(localAddress: string): Promise<boolean> {
  const socket = tlsFrom(localAddress);
  const types = typesOn(socket);
  socket.write(hello('web'));
  await waitFor(() => types.includes('snapshot') || socket.closed);
  socket.destroy();
  return types.includes('snapshot');
}

describe('silent connections that are opened again as soon as they are cut', () => {
  test('of forty other addresses keep no sidecar from its login', async () => {
    await injector.start({ maxWaiting: 512 });
    for (let address = 1; address <= 40; address += 1)
      for (let count = 0; count < 16; count += 1) silent(`127.0.1.${address}`);
    await waitFor(() => sockets.length > 40 * 16); // the places are taken: some were cut
    for (let round = 0; round < 10; round += 1) expect(await logsIn('127.0.2.1')).toBe(true);
  });

  test('of its own address do not either', async () => {
    await injector.start();
    for (let count = 0; count < 17; count += 1) silent('127.0.1.1');
    await waitFor(() => sockets.length > 17);
    for (let round = 0; round < 10; round += 1) expect(await logsIn('127.0.1.1')).toBe(true);
  });
});

describe('sidecars that come all at once', () => {
  test('wait for their turn when there are more than places inside: none is turned away', async () => {
    const names = Array.from({ length: 100 }, (_, number) => `pod-${number}`);
    injector.dir.write('herd.yaml', ...names.map((name, number) => pod(name, `10.0.1.${number + 1}`)));
    await injector.start({ maxTotal: 64 });
    const said = names.map((name, number) => {
      const socket = tlsFrom(`127.0.3.${number + 1}`);
      socket.write(hello(name));
      return typesOn(socket);
    });
    await waitFor(() => said.every((types) => types.includes('snapshot')));
    expect((await injector.get('/metrics')).body).not.toContain('reason="too-many"');
  });

  test('who holds the places inside makes room for those whose turn it is', async () => {
    await injector.start({ maxTotal: 4 });
    for (let address = 1; address <= 4; address += 1)
      tcpFrom(`127.0.1.${address}`).write(await clientHello());
    const silentOnes = sockets.slice();
    await waitFor(() => silentOnes.filter((socket) => socket.bytesRead > 0).length === 4);
    for (let round = 0; round < 3; round += 1) expect(await logsIn('127.0.2.1')).toBe(true);
  });
});

describe('handshakes', () => {
  test('of one address are done at its rate, those of another one meanwhile', async () => {
    const aDay = 86_400;
    await injector.start({ handshakes: { burst: 2, perSecond: 1 / aDay } });
    expect(await logsIn('127.0.1.1')).toBe(true);
    expect(await logsIn('127.0.1.1')).toBe(true);
    const third = tlsFrom('127.0.1.1');
    expect(await logsIn('127.0.1.2')).toBe(true);
    expect(await logsIn('127.0.1.2')).toBe(true);
    expect(third.authorized).toBe(false); // no certificate has come
    expect(third.closed).toBe(false);
  });

  test('have their turn when the hello is whole, and not with the first byte of it', async () => {
    const aDay = 86_400;
    await injector.start({ handshakes: { burst: 1, perSecond: 1 / aDay } });
    const said = await clientHello();
    const half = tcpFrom('127.0.1.1');
    half.write(said.subarray(0, -1));
    await delay(100);
    expect(await logsIn('127.0.1.1')).toBe(true); // it had the only turn
    half.write(said.subarray(-1));
    await delay(100);
    expect(half.bytesRead).toBe(0);
    expect(half.closed).toBe(false);
  });

  test('of a hello that comes in pieces are done as of one that comes whole', async () => {
    await injector.start();
    const said = await clientHello();
    const socket = tcpFrom('127.0.1.1');
    for (const piece of [
      said.subarray(0, 3),
      said.subarray(3, 8),
      said.subarray(8, 700),
      said.subarray(700),
    ]) {
      socket.write(piece);
      await delay(20);
    }
    await waitFor(() => socket.bytesRead > 0);
  });

  test.each([
    ['is no TLS', () => Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n')],
    ['is another message', (said: Buffer) => said.with(5, 2)],
    ['has its hello in several records', (said: Buffer) => said.with(4, (said[4] ?? 0) ^ 1)],
  ])('are not begun where what comes first %s', async (_what, first) => {
    await injector.start();
    const socket = tcpFrom('127.0.1.1');
    socket.write(first(await clientHello()));
    await waitFor(() => socket.closed);
    expect(socket.bytesRead).toBe(0);
  });

  test('begin with a key exchange that holds against quantum computers, and without it where a client has none', async () => {
    await injector.start();
    const modern = tlsFrom('127.0.0.1');
    await waitFor(() => modern.authorized);
    expect(modern.getEphemeralKeyInfo()).toMatchObject({ name: 'X25519MLKEM768' });
    const old = kept(
      connectTls({
        port: injector.port,
        host: '127.0.0.1',
        ca: injector.certificate.ca.cert,
        servername: SERVER_NAME,
        ecdhCurve: 'prime256v1',
      }),
    );
    await waitFor(() => old.authorized);
    expect(old.getEphemeralKeyInfo()).toMatchObject({ name: 'prime256v1' });
  });
});

test('who keeps TLS busy and says next to nothing is cut, and stays outside; others do not', async () => {
  await injector.start();
  const [neighbour, socket] = [tlsFrom('127.0.1.1'), tlsFrom('127.0.1.1')];
  neighbour.write(hello('api'));
  const types = typesOn(socket);
  socket.write(hello('web'));
  const others = typesOn(neighbour);
  await waitFor(() => types.includes('snapshot') && others.includes('snapshot'));
  // A record for each byte of a line that has no end.
  const goOn = (error?: Error | null): void => void (error ?? socket.write(' ', goOn));
  goOn();
  await waitFor(() => socket.closed);
  expect(types).not.toContain('refused'); // nothing was said against the line
  expect(await logsIn('127.0.1.1')).toBe(false);
  expect(await logsIn('127.0.1.2')).toBe(true);
  expect(neighbour.closed).toBe(false);
});

describe('before the login', () => {
  test('the first frame is a hello, and what follows waits for the session', async () => {
    await injector.start();
    const first = tlsFrom('127.0.0.1');
    const refused = typesOn(first);
    first.write(line({ type: 'identify', address: '10.0.0.2' }) + hello('web'));
    await waitFor(() => first.closed);
    expect(refused).toEqual(['refused']);

    const second = tlsFrom('127.0.0.1');
    const served = typesOn(second);
    second.write(hello('web') + line({ type: 'identify', address: '10.0.0.2' }));
    await waitFor(() => served.includes('identity') && served.includes('snapshot'));
  });

  test('a hello in many small records is not waited for', async () => {
    await injector.start();
    const socket = tlsFrom('127.0.0.1');
    await once(socket, 'secureConnect');
    socket.setNoDelay();
    const said = Buffer.from(hello('web'));
    let sent = 0;
    const goOn = (): void => {
      sent += 1;
      if (sent < said.length) socket.write(said.subarray(sent - 1, sent), goOn);
    };
    const refused = typesOn(socket);
    goOn();
    await waitFor(() => socket.closed);
    expect(refused).toEqual(['refused']);
  });

  test('nothing is read after the hello: a peer that goes on and on is not listened to', async () => {
    await injector.start();
    injector.authenticator.away = true;
    const socket = tlsFrom('127.0.0.1');
    const types = typesOn(socket);
    const frames = Buffer.from(line({ type: 'ack', revision: 1 }).repeat(1_000));
    let taken = 0;
    const goOn = (): void => {
      taken += frames.length;
      if (taken < MUCH_BYTES) socket.write(frames, () => setImmediate(goOn));
    };
    socket.write(hello('web'), goOn);
    await waitFor(() => types.includes('heartbeat'));
    const before = taken; // the kernel holds that much for both ends
    await waitFor(() => types.filter((type) => type === 'heartbeat').length >= 2);
    expect(taken).toBe(before);
    expect(taken).toBeLessThan(MUCH_BYTES);
  });
});
