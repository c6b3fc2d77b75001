/**
 * Case 19. Given sidecar A's token, when it asks for pod B's policy, or the server has a wrong, expired or absent CA, then it
 * is refused; never plaintext, never "no CA = no check".
 */
import { rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { issueCa } from '../../injector/certificates/issue.ts';
import { TABLE_SCHEMA } from '../../policy/index.ts';
import { Enforcement } from '../../sidecar/table/enforcement.ts';
import { LiveTable } from '../../sidecar/table/live_table.ts';
import { TableStream } from '../../sidecar/table/stream.ts';
import { tlsTransport } from '../../sidecar/table/tls_transport.ts';
import { pod } from '../builders/injector_manifests.ts';
import { RunningInjector } from '../unit/injector/running_injector.ts';
import { SERVER_NAME, tokenOf, validNow } from '../unit/injector/test_credentials.ts';
import { waitFor } from '../unit/injector/wait_for.ts';

const HOUR_MS = 3_600_000;

let injector: RunningInjector;
let stream: TableStream | undefined;
let enforcement: Enforcement;
let events: string[];

const tokenFile = () => join(injector.dir.root, 'token');
const caFile = () => join(injector.dir.root, 'ca.crt');
const trust = (...pems: string[]) => writeFileSync(caFile(), pems.join('\n'));

/** The stream of the sidecar of shop/web. It keeps what happens to it. */
function open(port = injector.port): void {
  const files = { tokenFile: tokenFile(), caFile: caFile() };
  const transport = tlsTransport({ host: '127.0.0.1', port, serverName: SERVER_NAME, ...files });
  enforcement = new Enforcement(new LiveTable());
  stream = new TableStream(transport, { namespace: 'shop', name: 'web' }, enforcement, {
    connected: () => events.push('connected'),
    moved: () => events.push('moved'),
    disconnected: (reason) => events.push(`disconnected: ${reason}`),
    enforced: () => events.push('table'),
    refused: (error) => events.push(`refused: ${error.message}`),
    identified: () => 0,
    unknownPod: (message) => events.push(`no table: ${message}`),
    turnedAway: (message) => events.push(`turned away: ${message}`),
    olderInjector: (message) => events.push(message),
  });
  stream.start();
}

beforeEach(async () => {
  events = [];
  injector = new RunningInjector('TLS');
  injector.dir.write('pods.yaml', pod('web', '10.0.0.1'), pod('api', '10.0.0.2'));
  await injector.start();
  trust(injector.certificate.ca.cert);
  writeFileSync(tokenFile(), `${tokenOf('shop/web')}\n`);
});
afterEach(async () => {
  stream?.close();
  stream = undefined;
  await injector.close();
});

/** A connection that shows a token. */
function loginWith(token: string) {
  const connection = injector.connection();
  connection.send({ type: 'token-hello', schema: TABLE_SCHEMA, token });
  return connection;
}

test('a login with a token that is refused gets the reason and no table', async () => {
  const foreign = loginWith('of another audience');
  await waitFor(() => foreign.closed);
  expect(foreign.frames).toEqual([{ type: 'refused', message: 'the token is not valid' }]);
  expect(injector.cuts('token')).toHaveLength(1);
});

test('a login by name is refused: any client that reaches the port could name any pod', async () => {
  const named = injector.connection();
  named.send({ type: 'hello', schema: TABLE_SCHEMA, namespace: 'shop', pod: 'web' });
  await waitFor(() => named.closed);
  expect(named.types).toEqual(['refused']);
});

test('a login gives the table of the pod in the token, even if the client names another later', async () => {
  const web = await injector.sidecar('shop/web');
  expect(web.table?.subject.name).toBe('web');
  web.send({ type: 'token-hello', schema: TABLE_SCHEMA, token: tokenOf('shop/api') });
  await waitFor(() => web.closed);
  expect(web.types).toEqual(['snapshot', 'refused']);
});

test("the token of another pod gets that pod's table, which a sidecar refuses", async () => {
  writeFileSync(tokenFile(), tokenOf('shop/api'));
  open();
  await waitFor(() => events.some((line) => /^refused: a table of shop\/api came to shop\/web/.test(line)));
  expect(enforcement.table).toBeUndefined();
});

test('the token of a former pod of the same name gets nothing', async () => {
  const former = loginWith(tokenOf('shop/web', 'uid-of-another'));
  await waitFor(() => former.frames.length > 0);
  expect(former.table).toBeUndefined();
  expect(former.types).not.toContain('snapshot');
});

test.each<[string, RegExp, () => Promise<void> | void]>([
  [
    'that another CA has signed',
    /no CA of .*ca\.crt has signed/,
    async () => trust((await issueCa(validNow())).cert),
  ],
  [
    'for another name',
    /SLUICE_INJECTOR_NAME/,
    () => injector.certificate.replace({ names: ['other.sluice-system.svc'] }),
  ],
  [
    'that has expired',
    /check the clocks/,
    () =>
      injector.certificate.replace({
        validity: { notBeforeMs: Date.now() - 2 * HOUR_MS, notAfterMs: Date.now() - HOUR_MS },
      }),
  ],
])('no token is shown to a server with a certificate %s', async (_what, reason, spoil) => {
  await spoil();
  open();
  await waitFor(() => events.length >= 2);
  expect(events.every((line) => reason.test(line))).toBe(true);
  expect(injector.authenticator.asked).toEqual([]);
});

test.each<[string, RegExp, () => void]>([
  ['no token file', /token cannot be read: is the token volume mounted/, () => rmSync(tokenFile())],
  ['an empty token file', /token is empty/, () => writeFileSync(tokenFile(), '\n')],
  ['no CA file', /ca\.crt cannot be read: is the CA volume mounted/, () => rmSync(caFile())],
  ['an empty CA file: not even public CAs are trusted then', /holds no certificate/, () => trust('')],
  [
    'a CA file that is cut off',
    /holds a certificate that cannot be read/,
    () => trust(injector.certificate.ca.cert.replace(/\n.{64}/, '\n')),
  ],
])('with %s it says so, and goes on as soon as the file is there', async (_what, reason, spoil) => {
  spoil();
  open();
  await waitFor(() => events.length >= 2);
  expect(events.every((line) => reason.test(line))).toBe(true);
  trust(injector.certificate.ca.cert);
  writeFileSync(tokenFile(), tokenOf('shop/web'));
  await waitFor(() => enforcement.table);
});

/** Everything that comes to a port in plain text. */
async function listener(answer: string): Promise<{ readonly port: number; readonly heard: () => string }> {
  const sockets: Socket[] = [];
  let heard = '';
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
    });
    socket.write(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, heard: () => heard };
}

test('a server that answers in plain text hears no token, and what it says is no table', async () => {
  const { port, heard } = await listener(
    `${JSON.stringify({ type: 'unknown-pod', message: 'say it in plain text' })}\n`,
  );
  open(port);
  await waitFor(() => events.filter((line) => line.startsWith('disconnected')).length > 1);
  expect(heard()).not.toContain('token');
  expect(events.some((line) => line.startsWith('connected') || line.startsWith('no table'))).toBe(false);
});

test('the injector answers nothing to a login in plain text', async () => {
  const socket = connect(injector.port, '127.0.0.1');
  socket.on('error', () => {});
  let heard = '';
  socket.on('data', (chunk) => {
    heard += chunk.toString('latin1');
  });
  socket.write(
    `${JSON.stringify({ type: 'token-hello', schema: TABLE_SCHEMA, token: tokenOf('shop/web') })}\n`,
  );
  await new Promise((resolve) => socket.once('close', resolve));
  expect(heard).not.toMatch(/snapshot|refused|unknown/);
  expect(injector.authenticator.asked).toEqual([]);
});

test('no variable of the environment switches the check off', async () => {
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  onTestFinished(() => {
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  });
  trust((await issueCa(validNow())).cert);
  open();
  await waitFor(() => events.length >= 2);
  expect(events.every((line) => /no CA of .*ca\.crt has signed/.test(line))).toBe(true);
  expect(injector.authenticator.asked).toEqual([]);
});
