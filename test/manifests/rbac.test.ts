/** The rights that manifests/ grants are enough for the injector: it runs under them, and is refused nothing. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { allowApps, namespace, pod, service } from '../builders/manifests.ts';
import type { Json } from '../support/api_server/api_object.ts';
import { ApiServer } from '../support/api_server/api_server.ts';
import { InjectorProcess } from '../unit/injector/kubernetes/injector_process.ts';
import { waitFor } from '../unit/injector/wait_for.ts';
import { Authorizer, INJECTOR } from './authorizer.ts';
import { kustomize, one } from './render.ts';

const START_MS = 30_000;

test('the injector starts, publishes its CA, injects and follows policies under the rights it is granted', {
  timeout: 3 * START_MS, // two starts
}, async () => {
  const objects = await kustomize('manifests/overlays/default');
  const authorizer = new Authorizer(objects);
  let injector: InjectorProcess | undefined;
  const server = await ApiServer.start({
    services: () => ({ host: '127.0.0.1', port: injector?.ports.webhook ?? 0 }),
    authorize: ({ username }, verb, place) => username !== INJECTOR || authorizer.allows(verb, place),
  });
  const folder = mkdtempSync(join(tmpdir(), 'sluice-rbac-'));
  onTestFinished(async () => {
    await injector?.stop('SIGKILL');
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const token = server.api.tokens.issue({ username: INJECTOR, groups: ['system:authenticated'] });
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, JSON.stringify(server.kubeconfig(token)));
  await server.apply(namespace('sluice-system'));
  await server.apply(namespace('shop', { 'sluice.dev/inject': 'enabled' }));
  await server.apply(service('sluice-system/sluice-injector', { ips: ['10.96.0.9'], ports: [15010] }));
  await server.create({ ...one(objects, 'MutatingWebhookConfiguration') });
  for (const object of objects)
    if (['Secret', 'Lease'].includes(object.kind) || object.kind.startsWith('ValidatingAdmission'))
      await server.create({ ...object });
  await server.apply(allowApps('shop/allow', 'api', ['front']));

  const start = async () => {
    injector = await InjectorProcess.start(server, { SLUICE_KUBERNETES: kubeconfig });
    await waitFor(async () => (await injector?.get('/readyz'))?.code === 200, START_MS);
  };
  await start();
  const ca = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'shop', name: 'sluice-ca' } };
  await waitFor(() => server.find(ca));
  const webhook = one(objects, 'MutatingWebhookConfiguration') as unknown as Json;
  await waitFor(() => JSON.stringify(server.find(webhook)).includes('caBundle'));
  const policy = allowApps('shop/allow', 'api', []);
  await waitFor(() => server.find(policy)?.metadata.annotations?.['sluice.dev/status']);
  const created = await server.create(pod('shop/api', { labels: { app: 'api' }, ips: ['10.1.1.10'] }));
  expect(JSON.stringify(created.spec)).toContain('sluice-sidecar');

  const lease = { namespace: 'sluice-system', name: 'sluice-injector' };
  await waitFor(() =>
    JSON.stringify(
      server.find({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: lease }),
    ).includes('holderIdentity'),
  );

  // Of who asks about flows the token is reviewed, and the policy looked at by which it can be believed.
  await server.create({ ...one(objects, 'ServiceAccount', 'sluice-flows') });
  expect(await askForFlows(server, injector?.ports.operator ?? 0)).toContain('sluice-flows-askers is new');

  // What somebody has undone is put right by the next start: these are changes of what is there.
  await injector?.stop();
  const certificates = { namespace: 'sluice-system', name: 'sluice-certificates' };
  await server.patch(
    { apiVersion: 'v1', kind: 'Secret', metadata: certificates },
    { data: { 'tls.crt': 'eA==' } },
  );
  await server.patch(ca, { data: { 'ca.crt': 'x' } });
  await start();
  await waitFor(() => JSON.stringify(server.find(ca)).includes('-----BEGIN CERTIFICATE'));

  expect(authorizer.refused).toEqual([]);
});

/** What the injector says to a user who shows a good token at its port. */
async function askForFlows(server: ApiServer, port: number): Promise<string> {
  const audiences = ['sluice.dev/flows', 'user:alice'];
  const made = server.api.tokens.request('sluice-system', 'sluice-flows', {
    spec: { audiences, expirationSeconds: 600 },
  });
  const { token } = made.status as { token: string };
  const headers = { 'x-sluice-token': token, 'content-length': 0 };
  const target = { host: '127.0.0.1', port, path: '/observe', method: 'POST', headers };
  const asked = request({ ...target, rejectUnauthorized: false, agent: false });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return text(response);
}
