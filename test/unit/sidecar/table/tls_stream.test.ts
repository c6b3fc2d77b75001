import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { issueCa } from '../../../../injector/certificates/issue.ts';
import { Enforcement } from '../../../../sidecar/table/enforcement.ts';
import { InjectorLink } from '../../../../sidecar/table/injector_link.ts';
import { LiveTable } from '../../../../sidecar/table/live_table.ts';
import { TableStream } from '../../../../sidecar/table/stream.ts';
import { tlsTransport } from '../../../../sidecar/table/tls_transport.ts';
import { pod } from '../../../builders/injector_manifests.ts';
import { RunningInjector } from '../../injector/running_injector.ts';
import { SERVER_NAME, tokenOf, validNow } from '../../injector/test_credentials.ts';
import { waitFor } from '../../injector/wait_for.ts';

let injector: RunningInjector;
let stream: TableStream;
let enforcement: Enforcement;
let reported: string[];

const tokenFile = () => join(injector.dir.root, 'token');
const caFile = () => join(injector.dir.root, 'ca.crt');
const trust = (...pems: string[]) => writeFileSync(caFile(), pems.join('\n'));

/** A sidecar's stream that notes what it reports. */
function open(serverName = SERVER_NAME): void {
  const source = {
    host: '127.0.0.1',
    port: injector.port,
    serverName,
    tokenFile: tokenFile(),
    caFile: caFile(),
  };
  enforcement = new Enforcement(new LiveTable());
  const link = new InjectorLink();
  stream = new TableStream(
    tlsTransport(source),
    { namespace: 'shop', name: 'web' },
    enforcement,
    {
      connected: () => reported.push('connected'),
      moved: (reason) => reported.push(`moved: ${reason}`),
      disconnected: (reason) => reported.push(`disconnected: ${reason}`),
      enforced: () => {
        reported.push('table');
        link.acknowledge(enforcement.revision);
      },
      refused: (error) => reported.push(`refused: ${error.message}`),
      identified: () => 0,
      unknownPod: (message) => reported.push(`no table: ${message}`),
      turnedAway: (message) => reported.push(`turned away: ${message}`),
      olderInjector: (message) => reported.push(message),
    },
    { link },
  );
  stream.start();
}

beforeEach(async () => {
  reported = [];
  injector = new RunningInjector('TLS');
  injector.dir.write('web.yaml', pod('web', '10.0.0.1'));
  await injector.start();
  trust(injector.certificate.ca.cert);
  writeFileSync(tokenFile(), `${tokenOf('shop/web')}\n`);
});
afterEach(async () => {
  stream?.close();
  await injector.close();
});

const enforced = async () => (await injector.status()).sidecars[0]?.enforced;

test('a sidecar gets its table over TLS by its token, and says what it enforces', async () => {
  open();
  await waitFor(() => enforcement.table);
  expect(enforcement.table?.subject.name).toBe('web');
  await waitFor(async () => (await enforced()) === enforcement.revision);
  expect(reported).toEqual(['connected', 'table']);
});

test('a token that is refused is named in the log, and the renewed one is read and taken', async () => {
  writeFileSync(tokenFile(), 'expired');
  open();
  await waitFor(() => reported.includes('turned away: the token is not valid'));
  writeFileSync(tokenFile(), tokenOf('shop/web'));
  await waitFor(() => enforcement.table);
});

test('certificates are rotated under traffic: both CAs are trusted for a while, and no revision is lost', async () => {
  open();
  await waitFor(() => enforcement.table);
  const before = injector.certificate.ca;
  const next = await issueCa(validNow());
  trust(before.cert, next.cert); // the kubelet has brought the bundle
  await injector.certificate.replace({ ca: next });
  injector.dir.write('web.yaml', pod('web', '10.0.0.1', { tier: 'front' }));
  await waitFor(() => reported.filter((line) => line === 'table').length === 2);
  trust(next.cert);
  await injector.stop();
  await injector.start();
  await waitFor(() => reported.filter((line) => line === 'table').length === 3);
  await waitFor(async () => (await enforced()) === enforcement.revision);
});
