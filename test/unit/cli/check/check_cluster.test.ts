/** `sluice check` against an API server's stand-in. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { issueCa } from '../../../../injector/certificates/issue.ts';
import { ApiServer } from '../../../support/api_server/api_server.ts';
import { injected, pod } from '../../injector/admission/pod_builder.ts';
import { validNow } from '../../injector/test_credentials.ts';
import { temporaryDirectory } from '../support/manifest_builders.ts';
import { runSluice } from '../support/sluice_process.ts';

type Json = Record<string, unknown>;
const BASE = join(import.meta.dirname, '../../../../manifests/base');
const base = (name: string): Json[] =>
  parseAllDocuments(readFileSync(join(BASE, name), 'utf8')).map((document) => document.toJS() as Json);

let api: ApiServer;
let kubeconfig = '';

beforeEach(async () => {
  api = await ApiServer.start();
  kubeconfig = join(temporaryDirectory(), 'kubeconfig');
  writeFileSync(kubeconfig, JSON.stringify(api.kubeconfig()));
});
afterEach(() => api.close());

const check = (...args: string[]) => runSluice(['check', '--kubeconfig', kubeconfig, ...args]);

/** The webhook's configuration once the injector has put its CA there. */
function webhookTrusting(caBundle: string): Json {
  const webhooks = base('webhook.yaml').flatMap((configuration) => configuration.webhooks as Json[]);
  const trusting = webhooks.map((hook) => ({
    ...hook,
    clientConfig: { ...(hook.clientConfig as Json), caBundle },
  }));
  return { ...base('webhook.yaml')[0], webhooks: trusting };
}

async function install(
  changes: { readonly caBundle?: string; readonly replicas?: number; readonly clusterIP?: string } = {},
): Promise<void> {
  const caBundle = changes.caBundle ?? Buffer.from((await issueCa(validNow())).cert).toString('base64');
  const [deployment, service] = [...base('deployment.yaml'), ...base('service.yaml')];
  for (const namespace of base('namespace.yaml')) await api.create(namespace);
  await api.apply({ ...deployment });
  await api.apply({ ...deployment, status: { availableReplicas: changes.replicas ?? 1 } });
  await api.create({
    ...service,
    spec: { ...(service?.spec as Json), clusterIP: changes.clusterIP ?? '10.96.0.20' },
  });
  await api.create(webhookTrusting(caBundle));
  for (const object of base('admission_policies.yaml')) await api.create(object);
}

async function enable(name: string, labels: Json = {}): Promise<void> {
  const metadata = { name, labels: { 'sluice.dev/inject': 'enabled', ...labels } };
  await api.create({ apiVersion: 'v1', kind: 'Namespace', metadata });
}

/** As it was before the webhook and the policies were there. */
const podIn = (namespace: string, name: string, object = pod()) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  ...object,
  metadata: { ...object.metadata, namespace, name },
});

describe('sluice check in a cluster', () => {
  test('finds nothing where all is well', async () => {
    await enable('shop');
    await api.create(podIn('shop', 'api', injected(pod())));
    await install();

    const { code, stdout, stderr } = await check();
    expect([stderr, stdout]).toEqual([
      '',
      [
        'ok       cluster: Sluice is installed; Kubernetes 1.36',
        'ok       namespace shop: can be enforced: 1 pod or workload looked at',
        '',
      ].join('\n'),
    ]);
    expect(code).toBe(0);
  });

  test('finds that nothing is installed', async () => {
    const { code, stdout } = await check();

    expect(code).toBe(1);
    for (const missing of [
      'webhook sluice-injector: is not there',
      'admission policy sluice-pods is not bound',
      'deployment sluice-injector: is not there',
      'service sluice-injector: is not there',
    ])
      expect(stdout).toContain(missing);
    expect(stdout).not.toContain('every new pod is refused');
  });

  test('names pods whose sidecar looks for an injector that has another address now', async () => {
    await enable('shop');
    await api.create(podIn('shop', 'api', injected(pod())));
    await install({ clusterIP: '10.96.0.30' });

    const { code, stdout } = await check();
    expect([code, stdout]).toEqual([
      1,
      [
        'ok       cluster: Sluice is installed; Kubernetes 1.36',
        'error    pod shop/api: its sidecar looks for the injector at 10.96.0.20, which is at 10.96.0.30 now: ' +
          'it gets no tables once its connection ends; restart its workload',
        '',
      ].join('\n'),
    ]);
  });

  test('finds a Service that is headless: it has no address to give to sidecars', async () => {
    await enable('shop');
    await api.create(podIn('shop', 'api', injected(pod())));
    await install({ clusterIP: 'None' });

    const { code, stdout } = await check();
    expect(code).toBe(1);
    expect(stdout).toMatch(/^error +service sluice-injector: has no cluster IP/m);
    expect(stdout).not.toContain('None');
  });

  test('says of a namespace without the label that its pods are not injected', async () => {
    await api.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
    await install();

    const { stdout } = await check();
    expect(stdout).toContain(
      'warning  namespaces: none is labelled sluice.dev/inject=enabled: no pod is injected',
    );
    expect((await check('-n', 'shop')).stdout).toContain(
      'namespace shop: has no label sluice.dev/inject: no pod is injected until it is enabled',
    );
  });

  test('finds a webhook whose CA is missing or has expired', async () => {
    await install({ caBundle: '' });
    expect((await check()).stdout).toContain('has no caBundle');

    const day = 24 * 3_600_000;
    const old = await issueCa({ notBeforeMs: Date.now() - 2 * day, notAfterMs: Date.now() - day });
    await api.apply(webhookTrusting(Buffer.from(old.cert).toString('base64')));
    expect((await check()).stdout).toContain('only expired CAs');
  });

  test('finds pods that are older than the label, and what will refuse them', async () => {
    await enable('shop', { 'pod-security.kubernetes.io/enforce': 'restricted' });
    const mighty = pod({ containers: [{ name: 'a', image: 'a', securityContext: { privileged: true } }] });
    await api.create(podIn('shop', 'old'));
    await api.create(podIn('shop', 'pretender', pod({}, { 'sluice.dev/status': '{"version":"9.9.9"}' })));
    await api.create(podIn('shop', 'mighty', mighty));
    await install();

    const { code, stdout } = await check();
    expect(code).toBe(1);
    expect(stdout).toMatch(/^error +namespace shop: Pod Security 'restricted'/m);
    expect(stdout).toMatch(/^error +pod shop\/old: has no sidecar, it is older than the label/m);
    expect(stdout).toMatch(/^error +pod shop\/pretender: has no sidecar/m);
    expect(stdout).toMatch(/^error +pod shop\/mighty: will be refused: container a is privileged/m);
  });

  test('says so when the cluster cannot be read', async () => {
    await api.goAway();
    const gone = await check();
    expect([gone.code, gone.stderr]).toEqual([2, expect.stringContaining('the cluster cannot be read')]);

    const home = temporaryDirectory();
    const nothing = await runSluice(['check'], '', {
      HOME: home,
      KUBECONFIG: '',
      KUBERNETES_SERVICE_HOST: '',
    });
    expect([nothing.code, nothing.stderr]).toEqual([
      2,
      expect.stringContaining('there is no kubeconfig: set KUBECONFIG'),
    ]);
    const none = await runSluice(['check', '--kubeconfig', '/nonexistent']);
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('kubeconfig')]);
  });
});
