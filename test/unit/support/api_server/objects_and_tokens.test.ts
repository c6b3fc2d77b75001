/** The API-server double, asked by the published client: writes, conflicts, types, tokens. */
import {
  AuthenticationV1Api,
  CoordinationV1Api,
  CoreV1Api,
  NetworkingV1Api,
  PatchStrategy,
  setHeaderOptions,
} from '@kubernetes/client-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ApiProcess } from '../../../support/api_server/api_process.ts';
import { ApiServer } from '../../../support/api_server/api_server.ts';
import { clientOf, namespace, pod } from './objects.ts';

let server: ApiServer;

beforeEach(async () => {
  server = await ApiServer.start();
  await server.create(namespace('shop'));
});

afterEach(() => server.close());

const core = (token?: string) => clientOf(server, token).makeApiClient(CoreV1Api);

test('objects are created, read, replaced and deleted, each change with a version of its own', async () => {
  const api = core();
  const created = await api.createNamespacedPod({ namespace: 'shop', body: pod('shop', 'a') });
  expect(created.metadata).toMatchObject({ name: 'a', namespace: 'shop', uid: expect.stringMatching(/-/) });
  created.metadata = { ...created.metadata, labels: { app: 'web' } };
  const replaced = await api.replaceNamespacedPod({ name: 'a', namespace: 'shop', body: created });
  expect(Number(replaced.metadata?.resourceVersion)).toBeGreaterThan(
    Number(created.metadata.resourceVersion),
  );
  expect(replaced.metadata?.uid).toBe(created.metadata.uid);
  await api.deleteNamespacedPod({ name: 'a', namespace: 'shop' });
  await expect(api.readNamespacedPod({ name: 'a', namespace: 'shop' })).rejects.toMatchObject({ code: 404 });
});

test('a write on an older version is a conflict, whether put or patched', async () => {
  const api = core();
  const old = await api.createNamespacedPod({ namespace: 'shop', body: pod('shop', 'a') });
  await server.patch(pod('shop', 'a'), { metadata: { labels: { app: 'web' } } });
  await expect(api.replaceNamespacedPod({ name: 'a', namespace: 'shop', body: old })).rejects.toMatchObject({
    code: 409,
  });
  const body = { metadata: { resourceVersion: old.metadata?.resourceVersion, labels: { app: 'api' } } };
  const patch = api.patchNamespacedPod(
    { name: 'a', namespace: 'shop', body },
    setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
  );
  await expect(patch).rejects.toMatchObject({ code: 409 });
  await expect(api.createNamespacedPod({ namespace: 'shop', body: pod('shop', 'a') })).rejects.toMatchObject({
    code: 409,
  });
  expect(server.find(pod('shop', 'a'))?.metadata.labels).toEqual({ app: 'web' });
});

test('merge and JSON patches change what they name', async () => {
  const api = core();
  await api.createNamespacedPod({ namespace: 'shop', body: pod('shop', 'a', { app: 'web', tier: 'x' }) });
  const where = { name: 'a', namespace: 'shop' };
  await api.patchNamespacedPod(
    { ...where, body: { metadata: { labels: { tier: null, zone: 'b' } } } },
    setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
  );
  const patched = await api.patchNamespacedPod(
    { ...where, body: [{ op: 'replace', path: '/metadata/labels/app', value: 'api' }] },
    setHeaderOptions('Content-Type', PatchStrategy.JsonPatch),
  );
  expect(patched.metadata?.labels).toEqual({ app: 'api', zone: 'b' });
});

test('the status of a pod is written through its subresource only', async () => {
  const api = core();
  const created = await api.createNamespacedPod({ namespace: 'shop', body: pod('shop', 'a') });
  const where = { name: 'a', namespace: 'shop' };
  const ignored = await api.replaceNamespacedPod({
    ...where,
    body: { ...created, status: { phase: 'Running' } },
  });
  expect(ignored.status?.phase).toBe('Pending');
  const set = await api.replaceNamespacedPodStatus({
    ...where,
    body: { ...created, status: { phase: 'Running' } },
  });
  expect(set.status?.phase).toBe('Running');
});

test('what is not of the published type is refused with its field', async () => {
  const wrong = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'p', namespace: 'shop' },
  };
  await expect(server.create({ ...wrong, spec: { podSelektor: {} } })).rejects.toThrow(
    'spec.podSelektor: unknown field of V1NetworkPolicySpec',
  );
  await expect(
    server.create({ ...wrong, spec: { podSelector: { matchLabels: { app: 1 } } } }),
  ).rejects.toThrow('spec.podSelector.matchLabels[app]: wants a text');
});

test('a policy gets the defaults that the API server fills in', async () => {
  const api = clientOf(server).makeApiClient(NetworkingV1Api);
  const body = { metadata: { name: 'p' }, spec: { podSelector: {}, ingress: [{ ports: [{ port: 80 }] }] } };
  const { spec } = await api.createNamespacedNetworkPolicy({ namespace: 'shop', body });
  expect(spec?.policyTypes).toEqual(['Ingress']);
  expect(spec?.ingress?.[0]?.ports).toEqual([{ port: 80, protocol: 'TCP' }]);
});

test('of two that take a Lease at the same version one gets it', async () => {
  const api = clientOf(server).makeApiClient(CoordinationV1Api);
  const made = await api.createNamespacedLease({
    namespace: 'shop',
    body: { metadata: { name: 'l' }, spec: {} },
  });
  const take = (holderIdentity: string) =>
    api.replaceNamespacedLease({ name: 'l', namespace: 'shop', body: { ...made, spec: { holderIdentity } } });
  const outcomes = await Promise.allSettled([take('a'), take('b')]);
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
});

test('without a known token nothing is answered', async () => {
  await expect(core('wrong').listNamespace()).rejects.toMatchObject({ code: 401 });
});

test('a TokenReview names the pod that a token was made for, for the audience it was made for', async () => {
  const made = await server.create(pod('shop', 'a'));
  const token = await requestToken({ kind: 'Pod', name: 'a', uid: made.metadata.uid });
  const review = await reviewToken(token, ['sluice.dev']);
  expect(review).toMatchObject({ authenticated: true, audiences: ['sluice.dev'] });
  expect(review?.user?.username).toBe('system:serviceaccount:shop:default');
  expect(review?.user?.extra).toMatchObject({
    'authentication.kubernetes.io/pod-name': ['a'],
    'authentication.kubernetes.io/pod-uid': [made.metadata.uid],
  });
  expect(await reviewToken(token, ['another'])).toMatchObject({
    authenticated: false,
    error: expect.stringContaining('audience'),
  });
});

test('a token ends with its pod, and one that was tampered with is none', async () => {
  const made = await server.create(pod('shop', 'a'));
  const token = await requestToken({ kind: 'Pod', name: 'a', uid: made.metadata.uid });
  expect(await reviewToken(`${token}x`, ['sluice.dev'])).toMatchObject({ authenticated: false });
  await server.recreate(pod('shop', 'a'));
  expect(await reviewToken(token, ['sluice.dev'])).toMatchObject({ authenticated: false });
});

async function requestToken(boundObjectRef: {
  kind: string;
  name: string;
  uid: string | undefined;
}): Promise<string> {
  const body = {
    spec: {
      audiences: ['sluice.dev'],
      boundObjectRef: { apiVersion: 'v1', ...boundObjectRef, uid: String(boundObjectRef.uid) },
    },
  };
  const made = await core().createNamespacedServiceAccountToken({ name: 'default', namespace: 'shop', body });
  return made.status?.token ?? '';
}

async function reviewToken(token: string, audiences: string[]) {
  const api = clientOf(server).makeApiClient(AuthenticationV1Api);
  return (await api.createTokenReview({ body: { spec: { token, audiences } } })).status;
}

test('as a process of its own it takes orders and is asked over the network', async () => {
  const other = await ApiProcess.start();
  try {
    await other.apply(namespace('far'), pod('far', 'a'));
    const { KubeConfig } = await import('@kubernetes/client-node');
    const config = new KubeConfig();
    config.loadFromString(JSON.stringify(other.kubeconfig));
    const { items } = await config.makeApiClient(CoreV1Api).listPodForAllNamespaces();
    expect(items.map((item) => item.metadata?.name)).toEqual(['a']);
    expect((await other.requests()).at(-1)).toMatchObject({ path: '/api/v1/pods' });
  } finally {
    await other.close();
  }
});
