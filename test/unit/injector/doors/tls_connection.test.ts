import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { issueCa } from '../../../../injector/certificates/issue.ts';
import { TABLE_SCHEMA } from '../../../../policy/table/form.ts';
import { pod, policy } from '../../../builders/injector_manifests.ts';
import { namespace } from '../../../builders/manifests.ts';
import { RunningInjector } from '../running_injector.ts';
import { SERVER_NAME, tokenOf, validNow } from '../test_credentials.ts';
import { waitFor } from '../wait_for.ts';

let injector: RunningInjector;
let raw: Socket[];

/** A TCP connection that says nothing. */
function silentTcp(): Socket {
  const socket = connect(injector.port, '127.0.0.1');
  socket.on('error', () => {});
  raw.push(socket);
  return socket;
}

const closed = (socket: Socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()));

/** The certificate that a new connection is shown. */
async function shown(): Promise<string> {
  const ca = injector.certificate.ca.cert;
  const socket: TLSSocket = connectTls({
    host: '127.0.0.1',
    port: injector.port,
    ca,
    servername: SERVER_NAME,
  });
  raw.push(socket);
  await once(socket, 'secureConnect');
  return socket.getPeerX509Certificate()?.fingerprint256 ?? '';
}

beforeEach(() => {
  raw = [];
  injector = new RunningInjector('TLS');
  injector.dir.write('pods.yaml', pod('web', '10.0.0.1'), pod('api', '10.0.0.2'));
});
afterEach(async () => {
  for (const socket of raw) socket.destroy();
  await injector.close();
});

/** A connection that shows a token. */
function loginWith(token: string) {
  const connection = injector.connection();
  connection.send({ type: 'token-hello', schema: TABLE_SCHEMA, token });
  return connection;
}

/** A pod with a UID of its own. */
const podWithUid = (name: string, uid: string) => ({
  ...pod(name, '10.0.0.3'),
  metadata: { name, namespace: 'shop', uid, labels: { app: name } },
});

describe('a login', () => {
  test('waits while tokens cannot be checked, is answered so, and is served when they can be', async () => {
    await injector.start();
    injector.authenticator.away = true;
    const web = loginWith(tokenOf('shop/web'));
    await waitFor(() => web.types.length > 0);
    expect(web.frames[0]).toEqual({ type: 'unknown-pod', message: 'the API server does not answer' });
    await waitFor(() => injector.authenticator.asked.length > 1);
    // No revision that a sidecar could take for a word on the table it still has.
    const heartbeats = await waitFor(() => {
      const found = web.frames.filter((frame) => frame.type === 'heartbeat');
      return found.length > 0 && found;
    });
    expect(heartbeats.every((frame) => frame.revision === 0)).toBe(true);
    expect(web.table).toBeUndefined();
    injector.authenticator.away = false;
    await waitFor(() => web.table);
    expect(web.types).toEqual(['unknown-pod', 'snapshot']);
  });

  test('that goes away while its token is checked leaves nothing behind', async () => {
    await injector.start();
    injector.authenticator.away = true;
    const web = loginWith(tokenOf('shop/web'));
    await waitFor(() => web.types.length > 0);
    web.close();
    injector.authenticator.away = false;
    await injector.sidecar('shop/api');
    const { sidecars, waiting } = await injector.status();
    expect(sidecars.find((sidecar) => sidecar.pod === 'web')?.connected).toBe(false);
    expect(waiting).toEqual([]);
  });
});

describe('the UID in a token', () => {
  test('must be the one of the pod: its predecessor of the same name is not served', async () => {
    await injector.start();
    const old = loginWith(tokenOf('shop/web', 'uid-of-before'));
    await waitFor(() => old.types.length > 0);
    expect(old.types).toEqual(['unknown-pod']);
    const now = await injector.sidecar('shop/web');
    await waitFor(() => old.closed);
    // While the pod is served its predecessor cannot push it out.
    const again = loginWith(tokenOf('shop/web', 'uid-of-before'));
    await waitFor(() => again.closed);
    expect(again.types).toEqual(['refused']);
    expect(now.closed).toBe(false);
  });

  test('may be known here a little later than to the API server: the sidecar waits', async () => {
    await injector.start();
    const late = loginWith(tokenOf('shop/late', 'uid-1'));
    await waitFor(() => late.types.length > 0);
    injector.dir.write('late.yaml', podWithUid('late', 'uid-1'));
    await waitFor(() => late.table);
    expect(late.types).toEqual(['unknown-pod', 'snapshot']);
  });

  test.each([
    ['is deleted', () => injector.dir.remove('late.yaml')],
    ['is replaced', () => injector.dir.write('late.yaml', podWithUid('late', 'uid-2'))],
  ])('ends the session when its pod %s', async (_what, change) => {
    injector.dir.write('late.yaml', podWithUid('late', 'uid-1'));
    await injector.start();
    const late = loginWith(tokenOf('shop/late', 'uid-1'));
    await waitFor(() => late.table);
    change();
    await waitFor(() => late.closed);
    expect(injector.cuts('pod-gone').length).toBeGreaterThan(0);
  });
});

describe('the TLS port', () => {
  test('speaks TLS 1.3 only', async () => {
    await injector.start();
    const old = connectTls({
      host: '127.0.0.1',
      port: injector.port,
      ca: injector.certificate.ca.cert,
      servername: SERVER_NAME,
      maxVersion: 'TLSv1.2',
    });
    raw.push(old);
    const [error] = (await once(old, 'error')) as [Error & { code: string }];
    expect(error.code).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
  });

  test('drops who does not get on with the handshake', async () => {
    await injector.start({ loginStepMs: 1_000 });
    const web = await injector.sidecar('shop/web');
    const stuck = silentTcp();
    await closed(stuck);
    expect(web.closed).toBe(false);
  });

  test('takes a bounded number of connections that have not logged in, and any number that have', async () => {
    injector.dir.write('more.yaml', pod('db', '10.0.0.3'));
    await injector.start({ maxPerAddress: 2, maxTotal: 3 });
    const [web, api] = [await injector.sidecar('shop/web'), await injector.sidecar('shop/api')];
    const db = await injector.sidecar('shop/db');
    const strangers = [silentTcp(), silentTcp()];
    await Promise.all(strangers.map((socket) => once(socket, 'connect')));
    const third = silentTcp();
    await closed(strangers[0] as Socket); // the oldest makes room
    expect([third, strangers[1]].some((socket) => socket?.closed)).toBe(false);
    expect([web, api, db].some((sidecar) => sidecar.closed)).toBe(false);
    expect((await injector.get('/metrics')).body).toContain(
      'sluice_injector_sessions_cut_total{reason="too-many"} 1',
    );
    const next = loginWith(tokenOf('shop/web'));
    await waitFor(() => next.table);
  });

  test('is refused to a second injector with a clear error', async () => {
    await injector.start();
    const other = new RunningInjector('TLS');
    await expect(other.start({ port: injector.port })).rejects.toMatchObject({
      code: 'LISTEN_ADDRESS_UNUSABLE',
    });
    await other.close();
  });

  test('shows a new certificate to new connections and leaves those alone that are up', async () => {
    await injector.start();
    const web = await injector.sidecar('shop/web');
    const before = await shown();
    await injector.certificate.replace();
    const after = await shown();
    expect(after).not.toBe(before);
    await injector.certificate.replace({ ca: await issueCa(validNow()) });
    await injector.sidecar('shop/api');
    injector.dir.write('p.yaml', namespace('shop'), policy('web', 'web', []));
    await waitFor(() => web.table?.ingress.isolating.length === 1);
    expect(web.closed).toBe(false);
  });
});
