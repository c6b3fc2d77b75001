/** Certificates of one and more replicas, against the API server's double. */
import { X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CA_FILE } from '../../../../common/contract.ts';
import { type Certificates, startCertificates } from '../../../../injector/certificates/certificates.ts';
import {
  CA_LIFE_MS,
  CA_RENEW_MS,
  CA_SETTLE_MS,
  SERVING_LIFE_MS,
} from '../../../../injector/certificates/renewal.ts';
import { createInjectorMetrics, type InjectorMetrics } from '../../../../injector/metrics.ts';
import type { ClusterSource, SourceListener } from '../../../../injector/source.ts';
import { EMPTY_CLUSTER } from '../../../../policy/index.ts';
import type { Namespace } from '../../../../policy/model.ts';
import { namespace } from '../../../builders/manifests.ts';
import { clientOf } from '../../../builders/stored_objects.ts';
import { ApiServer, type ApiServerOptions } from '../../../support/api_server/api_server.ts';
import { captureLog } from '../captured_log.ts';
import { waitFor } from '../wait_for.ts';

const SYSTEM = 'sluice-system';
const ENABLED = { 'sluice.dev/inject': 'enabled' };
const CHECK_MS = 20;

const secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { namespace: SYSTEM, name: 'sluice-certificates' },
};
const configMap = (name: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: name, name: 'sluice-ca' },
});
const webhooks = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingWebhookConfiguration',
  metadata: { name: 'sluice-injector' },
  webhooks: ['a.sluice.dev', 'b.sluice.dev'].map((name) => ({
    name,
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] }],
    clientConfig: { service: { namespace: SYSTEM, name: 'sluice-injector', path: '/inject' } },
  })),
};

/** Namespaces that a test enables. */
class Namespaces implements Pick<ClusterSource, 'cluster' | 'onChange'> {
  readonly #namespaces = new Map<string, Namespace>();
  readonly #listeners = new Set<SourceListener>();
  readonly cluster = { ...EMPTY_CLUSTER, namespaces: this.#namespaces };

  add(name: string, labels: Record<string, string> = ENABLED): void {
    const object = { name, labels };
    this.#namespaces.set(name, object);
    for (const listener of this.#listeners)
      listener.clusterChanged([{ kind: 'Namespace', key: name, object }]);
  }

  onChange(listener: SourceListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

let api: ApiServer;
let namespaces: Namespaces;
let nowMs: number;
let metrics: InjectorMetrics;
const replicas: Certificates[] = [];

async function startApi(options: ApiServerOptions = {}): Promise<void> {
  api = await ApiServer.start(options);
  for (const name of [SYSTEM, 'shop', 'bank']) await api.create(namespace(name));
}

async function replica(): Promise<Certificates> {
  const { log } = captureLog();
  const parts = { config: clientOf(api), namespace: SYSTEM, source: namespaces, metrics, log };
  const made = await startCertificates({ ...parts, checkMs: CHECK_MS, now: () => nowMs });
  replicas.push(made);
  return made;
}

beforeEach(async () => {
  nowMs = Date.now();
  metrics = createInjectorMetrics();
  namespaces = new Namespaces();
  namespaces.add('shop');
  namespaces.add('bank', {});
  await startApi();
});
afterEach(async () => {
  for (const made of replicas.splice(0)) made.close();
  await api.close();
});

/** What the Secret has under a key. */
const stored = (key: string) =>
  Buffer.from(String((api.find(secret)?.data as Record<string, string>)?.[key] ?? ''), 'base64').toString();
/** What sidecars of a namespace trust. */
const trusted = (name: string) => (api.find(configMap(name))?.data as Record<string, string>)?.[CA_FILE];
/** What API servers trust, per webhook. */
const caBundles = () =>
  ((api.find(webhooks)?.webhooks ?? []) as { clientConfig: { caBundle?: string } }[]).map(
    ({ clientConfig }) => Buffer.from(clientConfig.caBundle ?? '', 'base64').toString(),
  );
const certificatesIn = (pem = '') => pem.match(/-----BEGIN CERTIFICATE-----/g)?.length ?? 0;

describe('certificates', () => {
  test('are made once, stored, and published to webhooks and to enabled namespaces only', async () => {
    await api.create(webhooks);
    const made = await replica();
    await waitFor(() => trusted('shop') && caBundles().every((bundle) => bundle !== ''));
    const ca = stored('ca.crt');
    expect(trusted('shop')).toBe(ca);
    expect(caBundles()).toEqual([ca, ca]);
    expect(trusted('bank')).toBeUndefined();
    const serving = new X509Certificate(made.serving.current.cert);
    expect(serving.verify(new X509Certificate(ca).publicKey)).toBe(true);
    expect(serving.checkHost('sluice-injector.sluice-system.svc')).toBeTruthy();
    const text = await metrics.registry.metrics();
    expect(text).toContain(`certificate="serving"} ${serving.validToDate.getTime() / 1000}`);
    expect(text).toContain(`certificate="ca"} ${new X509Certificate(ca).validToDate.getTime() / 1000}`);
    // No key leaves the Secret.
    expect(JSON.stringify([api.find(configMap('shop')), api.find(webhooks)])).not.toContain('PRIVATE');
  });

  test('are the same for replicas that start at the same moment', async () => {
    const made = await Promise.all([replica(), replica(), replica()]);
    const shown = new Set(made.map(({ serving }) => serving.current.cert));
    expect([...shown]).toEqual([stored('tls.crt')]);
  });

  test('are found again by an injector that starts later', async () => {
    const first = await replica();
    const later = await replica();
    expect(later.serving.current).toEqual(first.serving.current);
  });

  test('fill a Secret that a manifest made without data', async () => {
    await api.create({ ...secret, type: 'Opaque' });
    await replica();
    expect(certificatesIn(stored('tls.crt'))).toBe(1);
  });

  test('are renewed while they are served; every replica shows the same new one', async () => {
    const [one, two] = [await replica(), await replica()];
    const changed = [vi.fn(), vi.fn()];
    one.serving.onChange(changed[0] ?? (() => {}));
    two.serving.onChange(changed[1] ?? (() => {}));
    const before = one.serving.current.cert;
    nowMs += SERVING_LIFE_MS;
    await waitFor(() => changed.every((listener) => listener.mock.calls.length > 0));
    await waitFor(() => one.serving.current.cert === two.serving.current.cert);
    expect(one.serving.current.cert).not.toBe(before);
    expect(one.serving.current.cert).toBe(stored('tls.crt'));
  });

  test('change their CA in three steps: both are trusted before the new one signs', async () => {
    await api.create(webhooks);
    const made = await replica();
    await waitFor(() => certificatesIn(trusted('shop')) === 1);
    const oldCa = new X509Certificate(stored('ca.crt'));
    nowMs += CA_LIFE_MS - CA_RENEW_MS;
    await waitFor(
      () => certificatesIn(trusted('shop')) === 2 && caBundles().every((pem) => certificatesIn(pem) === 2),
    );
    const signedBy = (ca: X509Certificate) =>
      new X509Certificate(made.serving.current.cert).verify(ca.publicKey);
    expect(signedBy(oldCa)).toBe(true);
    nowMs += CA_SETTLE_MS;
    await waitFor(() => !signedBy(oldCa));
    expect(certificatesIn(trusted('shop'))).toBe(2);
    nowMs += CA_RENEW_MS;
    await waitFor(
      () => certificatesIn(trusted('shop')) === 1 && caBundles().every((pem) => certificatesIn(pem) === 1),
    );
    expect(signedBy(new X509Certificate(trusted('shop') ?? ''))).toBe(true);
  });
});

describe('what others undo', () => {
  test('is put back: a ConfigMap that is deleted or changed, a caBundle that is overwritten', async () => {
    await api.create(webhooks);
    await replica();
    await waitFor(() => trusted('shop') && caBundles()[0]);
    const bundle = trusted('shop');
    await api.apply(webhooks);
    await waitFor(() => caBundles()[1] === bundle);
    const late = await replica(); // has not seen anything yet
    await api.delete(configMap('shop'));
    await late.ensureCa('shop');
    expect(trusted('shop')).toBe(bundle);
  });

  test('is put back: a Secret that is deleted comes back with the same CA', async () => {
    const made = await replica();
    const before = [stored('ca.crt'), made.serving.current.cert];
    await api.delete(secret);
    await waitFor(() => api.find(secret));
    expect([stored('ca.crt'), made.serving.current.cert]).toEqual(before);
  });

  test('a Secret that is spoilt is replaced by what the injector still has', async () => {
    await replica();
    const before = stored('ca.crt');
    await api.patch(secret, { data: { 'ca.crt': Buffer.from('nonsense').toString('base64') } });
    await waitFor(() => stored('ca.crt') === before);
  });
});

test('a namespace gets its CA when it is enabled, and before its first pod is admitted', async () => {
  const made = await replica();
  await made.ensureCa('bank');
  expect(certificatesIn(trusted('bank'))).toBe(1);
  await api.create(namespace('new'));
  namespaces.add('new');
  await waitFor(() => certificatesIn(trusted('new')) === 1);
});

test('a namespace that is about to go takes no CA, which is no fault', async () => {
  const { metadata, ...going } = namespace('going', ENABLED);
  await api.create({ ...going, metadata: { ...metadata, deletionTimestamp: new Date(nowMs).toISOString() } });
  await expect((await replica()).ensureCa('going')).resolves.toBeUndefined();
  expect(trusted('going')).toBeUndefined();
});

test('pods that are admitted in quick succession cost one question', async () => {
  const made = await replica();
  await made.ensureCa('bank');
  const before = api.requests.length;
  for (let count = 0; count < 20; count += 1) await made.ensureCa('bank');
  const asked = api.requests.slice(before).filter(({ path }) => path.includes('/namespaces/bank/'));
  expect(asked).toEqual([]);
});

test('while the API server is away, what there is stays in use; afterwards all is renewed', async () => {
  const made = await replica();
  const before = made.serving.current.cert;
  await api.goAway();
  await expect(made.ensureCa('bank')).rejects.toThrow();
  nowMs += SERVING_LIFE_MS - 1_000;
  expect(made.serving.current.cert).toBe(before);
  await api.comeBack();
  await waitFor(() => made.serving.current.cert !== before);
});

test('without the right to read the Secret the error says what is missing', async () => {
  await api.close();
  await startApi({ authorize: (_user, _verb, { resource }) => resource.plural !== 'secrets' });
  await expect(replica()).rejects.toMatchObject({
    code: 'CERTIFICATES_UNUSABLE',
    message: expect.stringContaining('Role'),
  });
});
