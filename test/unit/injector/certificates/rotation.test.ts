/** A change of the CA under traffic: everything real but the kubelet and the clock of the injector. */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Certificates, startCertificates } from '../../../../injector/certificates/certificates.ts';
import { CA_LIFE_MS, CA_RENEW_MS, CA_SETTLE_MS } from '../../../../injector/certificates/renewal.ts';
import { openDirectorySource } from '../../../../injector/directory/directory_source.ts';
import { createInjectorMetrics } from '../../../../injector/metrics.ts';
import { TableServer } from '../../../../injector/tables/table_server.ts';
import { startTlsServer, type TlsServer } from '../../../../injector/tables/tls_server.ts';
import { Enforcement } from '../../../../sidecar/table/enforcement.ts';
import { InjectorLink } from '../../../../sidecar/table/injector_link.ts';
import { LiveTable } from '../../../../sidecar/table/live_table.ts';
import { TableStream } from '../../../../sidecar/table/stream.ts';
import { tlsTransport } from '../../../../sidecar/table/tls_transport.ts';
import { pod } from '../../../builders/injector_manifests.ts';
import { namespace as apiNamespace, namespace } from '../../../builders/manifests.ts';
import { clientOf } from '../../../builders/stored_objects.ts';
import { ApiServer } from '../../../support/api_server/api_server.ts';
import { captureLog } from '../captured_log.ts';
import { ManifestDir } from '../manifest_dir.ts';
import { SERVER_NAME, TestAuthenticator, tokenOf } from '../test_credentials.ts';
import { waitFor } from '../wait_for.ts';

const KUBELET_MS = 20;

const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'shop', name: 'sluice-ca' } };
const webhooks = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingWebhookConfiguration',
  metadata: { name: 'sluice-injector' },
  webhooks: [
    {
      name: 'pods.sluice.dev',
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] }],
      clientConfig: { service: { namespace: 'sluice-system', name: 'sluice-injector' } },
    },
  ],
};

let api: ApiServer;
let dir: ManifestDir;
let nowMs: number;
let certificates: Certificates;
let server: TlsServer;
let kubelet: NodeJS.Timeout;
let reported: string[];
const closing: { close(): unknown }[] = [];

const caFile = () => join(dir.root, 'ca.crt');
const published = () => (api.find(configMap)?.data as Record<string, string> | undefined)?.['ca.crt'] ?? '';
/** CAs that the kubelet has brought to pods. */
const cas = () => readFileSync(caFile(), 'utf8').match(/BEGIN CERTIFICATE/g)?.length ?? 0;

beforeEach(async () => {
  reported = [];
  dir = new ManifestDir();
  dir.write('web.yaml', namespace('shop', { 'sluice.dev/inject': 'enabled' }), pod('web', '10.0.0.1'));
  writeFileSync(join(dir.root, 'token'), tokenOf('shop/web'));
  writeFileSync(caFile(), '');
  api = await ApiServer.start();
  for (const name of ['sluice-system', 'shop']) await api.create(apiNamespace(name));
  await api.create(webhooks);
  const { log } = captureLog();
  const source = await openDirectorySource(dir.path, log);
  const metrics = createInjectorMetrics();
  const tables = new TableServer(source, metrics, log);
  // A CA that is to be followed in a day: what is issued from then on is valid now.
  nowMs = Date.now() - (CA_LIFE_MS - CA_RENEW_MS) - CA_SETTLE_MS;
  const parts = { config: clientOf(api), namespace: 'sluice-system', source, metrics, log };
  certificates = await startCertificates({ ...parts, checkMs: KUBELET_MS, now: () => nowMs });
  const authenticator = new TestAuthenticator();
  const options = { host: '127.0.0.1', port: 0 };
  server = await startTlsServer({ tables, authenticator, certificate: certificates.serving, log }, options);
  kubelet = setInterval(() => writeFileSync(caFile(), published()), KUBELET_MS);
  closing.push(source, tables, certificates, server, api);
});
afterEach(async () => {
  clearInterval(kubelet);
  for (const part of closing.splice(0).reverse()) await part.close();
  dir.close();
});

/** A sidecar, from its first connection on. */
async function sidecar(): Promise<Enforcement> {
  const source = { host: '127.0.0.1', port: server.port, serverName: SERVER_NAME };
  const files = { tokenFile: join(dir.root, 'token'), caFile: caFile() };
  const enforcement = new Enforcement(new LiveTable());
  const pod = { namespace: 'shop', name: 'web' };
  const link = new InjectorLink();
  const stream = new TableStream(
    tlsTransport({ ...source, ...files }),
    pod,
    enforcement,
    {
      connected: () => {},
      moved: () => {},
      disconnected: (reason) => reported.push(reason),
      enforced: () => link.acknowledge(enforcement.revision),
      refused: ({ message }) => reported.push(message),
      unknownPod: (message) => reported.push(message),
      identified: () => {},
      turnedAway: (message) => reported.push(message),
      olderInjector: (message) => reported.push(message),
    },
    { link },
  );
  closing.push(stream);
  stream.start();
  await waitFor(() => enforcement.table);
  return enforcement;
}

/** Connects as an API server does, with the CA that the webhook's configuration names. */
async function handshakeOfApiServer(): Promise<void> {
  const [webhook] = (api.find(webhooks)?.webhooks ?? []) as { clientConfig: { caBundle: string } }[];
  const ca = Buffer.from(webhook?.clientConfig.caBundle ?? '', 'base64');
  const socket = connect({ host: '127.0.0.1', port: server.port, ca, servername: SERVER_NAME });
  await once(socket, 'secureConnect');
  socket.destroy();
}

test('nobody is refused at any step, and a connection that is up goes on', async () => {
  nowMs = Date.now() - CA_SETTLE_MS;
  await waitFor(() => cas() === 2);
  const signedByOld = certificates.serving.current.cert;
  const lasting = await sidecar();
  await handshakeOfApiServer();

  nowMs = Date.now();
  await waitFor(() => certificates.serving.current.cert !== signedByOld);
  await handshakeOfApiServer();
  dir.write('web.yaml', namespace('shop', { 'sluice.dev/inject': 'enabled' }), pod('web', '10.0.0.2'));
  await waitFor(() => lasting.table?.subject.ips[0] === '10.0.0.2');
  expect(reported).toEqual([]);
  // The newer connection of a pod replaces the older one: that is all that the lasting one ever hears.
  const fresh = await sidecar();
  expect(fresh.table?.subject.ips).toEqual(['10.0.0.2']);
  expect(reported.filter((line) => line !== 'the injector closed the connection')).toEqual([]);
});
