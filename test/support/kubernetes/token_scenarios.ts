/** What Sluice relies on to know a pod by its token, asked of any API server. */
import { AuthenticationV1Api, CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Access, idlePod, TestCluster } from './test_cluster.ts';

const AUDIENCE = 'sluice.dev';

/** Registers the scenarios. */
export function tokenScenarios(open: () => Promise<Access>): void {
  let cluster: TestCluster;
  let namespace: string;
  let core: CoreV1Api;

  beforeEach(async () => {
    cluster = new TestCluster(await open());
    core = cluster.config.makeApiClient(CoreV1Api);
    namespace = await cluster.namespace();
  });

  afterEach(() => cluster.close());

  const makePod = () => core.createNamespacedPod({ namespace, body: idlePod(namespace, 'a') });

  async function requestToken(uid: string | undefined): Promise<string> {
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: 'a', uid: String(uid) };
    const body = { spec: { audiences: [AUDIENCE], boundObjectRef } };
    const made = await core.createNamespacedServiceAccountToken({ name: 'default', namespace, body });
    return made.status?.token ?? '';
  }

  async function reviewToken(token: string, audiences = [AUDIENCE]) {
    const api = cluster.config.makeApiClient(AuthenticationV1Api);
    return (await api.createTokenReview({ body: { spec: { token, audiences } } })).status;
  }

  test('a TokenReview names the pod that a token was made for, for the audience it was made for', async () => {
    const { metadata } = await makePod();
    const token = await requestToken(metadata?.uid);
    const review = await reviewToken(token);
    expect(review).toMatchObject({ authenticated: true, audiences: [AUDIENCE] });
    expect(review?.user?.username).toBe(`system:serviceaccount:${namespace}:default`);
    expect(review?.user?.extra).toMatchObject({
      'authentication.kubernetes.io/pod-name': ['a'],
      'authentication.kubernetes.io/pod-uid': [metadata?.uid],
    });
    const elsewhere = await reviewToken(token, ['another']);
    expect(elsewhere?.authenticated ?? false).toBe(false);
    expect(elsewhere?.error).toContain('audience');
  });

  test('a token that was tampered with is none', async () => {
    const token = await requestToken((await makePod()).metadata?.uid);
    const [head, body] = token.split('.');
    const review = await reviewToken(`${head}.${body}.${Buffer.alloc(256).toString('base64url')}`);
    expect(review?.authenticated ?? false).toBe(false);
    expect(review?.error).not.toBe('');
  });

  test('a token ends with its pod, though another takes the name', async () => {
    const token = await requestToken((await makePod()).metadata?.uid);
    await core.deleteNamespacedPod({ name: 'a', namespace, gracePeriodSeconds: 0 });
    await makePod();
    // An API server may hold on to its answer for a moment.
    await expect
      .poll(async () => (await reviewToken(token))?.authenticated ?? false, { timeout: 30_000 })
      .toBe(false);
  });

  test('a token is not made for a pod that is another than was meant', async () => {
    await makePod();
    await expect(requestToken('00000000-0000-0000-0000-000000000000')).rejects.toMatchObject({ code: 409 });
  });

  test('without a known token nothing is answered', async () => {
    const stranger = new KubeConfig();
    const server = cluster.config.getCurrentCluster();
    if (server === null) throw new Error('the kubeconfig names no cluster');
    stranger.loadFromClusterAndUser(server, { name: 'stranger', token: 'wrong' });
    const asked = stranger.makeApiClient(CoreV1Api).listNamespace();
    await expect(asked).rejects.toMatchObject({ code: 401 });
  });
}
