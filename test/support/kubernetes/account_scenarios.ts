/** What somebody can do who has the injector's token, asked of any API server that has the manifests' objects but the Deployment. */
import {
  AdmissionregistrationV1Api,
  CoreV1Api,
  type KubeConfig,
  NetworkingV1Api,
  PatchStrategy,
  setHeaderOptions,
} from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { issueCa } from '../../../injector/certificates/issue.ts';
import { validNow } from '../../unit/injector/test_credentials.ts';
import { type Access, settled, TestCluster } from './test_cluster.ts';

const WEBHOOK = 'sluice-injector';
const STATUS = {
  'sluice.dev/status': '{"state":"enforced"}',
  'sluice.dev/state': 'enforced',
  'sluice.dev/enforced-generation': '1',
};
const asMergePatch = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);
const asJsonPatch = setHeaderOptions('Content-Type', PatchStrategy.JsonPatch);

/** Registers the scenarios. `open` has the objects there; `asInjector` gives access by the injector's token. */
export function accountScenarios(
  open: () => Promise<Access>,
  asInjector: (admin: TestCluster) => Promise<KubeConfig>,
): void {
  let cluster: TestCluster;
  let stolen: KubeConfig;
  let enabled: string;
  let other: string;

  beforeAll(async () => {
    cluster = new TestCluster(await open());
    stolen = await asInjector(cluster);
    enabled = await cluster.namespace({ 'sluice.dev/inject': 'enabled' });
    other = await cluster.namespace();
    await cluster.config.makeApiClient(NetworkingV1Api).createNamespacedNetworkPolicy({
      namespace: enabled,
      body: {
        metadata: { name: 'p', labels: { team: 'shop' }, annotations: { owner: 'shop' } },
        spec: { podSelector: {}, policyTypes: ['Ingress'] },
      },
    });
    // The policy is in force a moment after it was written; until then each attempt changes something.
    let attempt = 0;
    await settled(() => {
      attempt += 1;
      const podSelector = { matchLabels: { attempt: String(attempt) } };
      return expect(patchPolicy({ spec: { podSelector } })).rejects.toThrow(/injector changes nothing/);
    });
  });

  afterAll(() => cluster.close());

  const patchPolicy = (body: object) =>
    stolen
      .makeApiClient(NetworkingV1Api)
      .patchNamespacedNetworkPolicy({ namespace: enabled, name: 'p', body }, asMergePatch);

  const patchWebhook = (op: string, path: string, value?: unknown) =>
    stolen
      .makeApiClient(AdmissionregistrationV1Api)
      .patchMutatingWebhookConfiguration({ name: WEBHOOK, body: [{ op, path, value }] }, asJsonPatch);

  const create = (
    namespace: string,
    name: string,
    more: object = { data: { 'ca.crt': 'ca' } },
    metadata = {},
  ) =>
    stolen
      .makeApiClient(CoreV1Api)
      .createNamespacedConfigMap({ namespace, body: { metadata: { name, ...metadata }, ...more } });

  test('the status of a policy can be written, and nothing else of it', async () => {
    await patchPolicy({ metadata: { annotations: STATUS } });
    const refused: readonly [object, RegExp][] = [
      [{ spec: { ingress: [{}] } }, /changes nothing/],
      [{ spec: { podSelector: { matchLabels: { app: 'nobody' } } } }, /changes nothing/],
      [{ metadata: { labels: { team: 'other' } } }, /no metadata/],
      [{ metadata: { labels: { team: null } } }, /no metadata/],
      [{ metadata: { finalizers: ['x.example/y'] } }, /no metadata/],
      [{ metadata: { annotations: { owner: 'x' } } }, /no annotation/],
      [{ metadata: { annotations: { owner: null } } }, /no annotation/],
      [{ metadata: { annotations: { more: 'x', ...STATUS } } }, /no annotation/],
    ];
    for (const [body, why] of refused)
      await expect(patchPolicy(body), JSON.stringify(body)).rejects.toThrow(why);
  });

  test('the CA of the webhook can be written, and nothing else of it', async () => {
    const ca = Buffer.from((await issueCa(validNow())).cert).toString('base64');
    await patchWebhook('add', '/webhooks/0/clientConfig/caBundle', ca);
    const refused: readonly [string, string, unknown?][] = [
      ['replace', '/webhooks/0/failurePolicy', 'Ignore'],
      ['replace', '/webhooks/0/clientConfig/service/name', 'mine'],
      ['replace', '/webhooks/0/clientConfig/service/namespace', other],
      ['remove', '/webhooks/0/namespaceSelector/matchExpressions'],
      ['replace', '/webhooks/0/rules/0/resources', ['secrets']],
      ['remove', '/webhooks/0'],
    ];
    for (const [op, path, value] of refused)
      await expect(patchWebhook(op, path, value), path).rejects.toThrow(
        /nothing of a webhook|changes nothing/,
      );
    await expect(patchWebhook('add', '/metadata/labels', { a: 'b' })).rejects.toThrow(/no metadata/);
  });

  test('the ConfigMap of the CA can be made where pods are injected, and no other', async () => {
    const refused: readonly [string, string, object?][] = [
      [enabled, 'mine'],
      [other, 'sluice-ca'],
      [enabled, 'sluice-ca', { data: { 'ca.crt': 'ca', mine: 'x' } }],
      [enabled, 'sluice-ca', { data: { 'ca.crt': 'ca' }, binaryData: { mine: 'eA==' } }],
    ];
    for (const [namespace, name, more] of refused)
      await expect(create(namespace, name, more)).rejects.toThrow(/writes its CA into/);
    const held = { finalizers: ['x.example/y'] };
    await expect(create(enabled, 'sluice-ca', undefined, held)).rejects.toThrow(/no metadata/);
    await create(enabled, 'sluice-ca');
    const place = { namespace: enabled, name: 'sluice-ca' };
    const core = stolen.makeApiClient(CoreV1Api);
    const there = await core.readNamespacedConfigMap(place);
    await core.replaceNamespacedConfigMap({ ...place, body: { ...there, data: { 'ca.crt': 'new' } } });
    const renamed = { ...there, metadata: { ...there.metadata, labels: { a: 'b' } } };
    await expect(core.replaceNamespacedConfigMap({ ...place, body: renamed })).rejects.toThrow(
      /no metadata|Conflict|modified/,
    );
  });

  test('no Secret, Lease, pod, policy or namespace can be made', async () => {
    const core = stolen.makeApiClient(CoreV1Api);
    const metadata = { name: 'mine' };
    for (const namespace of ['sluice-system', enabled])
      await expect(core.createNamespacedSecret({ namespace, body: { metadata } })).rejects.toThrow(
        /forbidden/i,
      );
    await expect(core.createNamespace({ body: { metadata } })).rejects.toThrow(/forbidden/i);
    await expect(
      stolen
        .makeApiClient(NetworkingV1Api)
        .createNamespacedNetworkPolicy({ namespace: enabled, body: { metadata, spec: { podSelector: {} } } }),
    ).rejects.toThrow(/forbidden/i);
  });
}
