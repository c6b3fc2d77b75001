/** Tokens as an API server makes and checks them, shown to the table server. */
import { AuthenticationV1Api, CoreV1Api } from '@kubernetes/client-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readReview } from '../../../../injector/tokens/review.ts';
import type { TokenReviewerOptions } from '../../../../injector/tokens/reviewed_tokens.ts';
import { TokenReviewer } from '../../../../injector/tokens/token_reviewer.ts';
import { namespace } from '../../../builders/manifests.ts';
import { clientOf, pod } from '../../../builders/stored_objects.ts';
import { ApiServer } from '../../../support/api_server/api_server.ts';
import { waitFor } from '../wait_for.ts';

const AUDIENCE = 'sluice.dev';

let api: ApiServer;

beforeEach(async () => {
  api = await ApiServer.start();
  await api.create(namespace('shop'));
  await api.create({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { namespace: 'shop', name: 'web' },
  });
  await api.create(pod('shop', 'web-1'));
});
afterEach(() => api.close());

const reviewer = (options: Partial<TokenReviewerOptions> = {}) =>
  new TokenReviewer(clientOf(api).makeApiClient(AuthenticationV1Api), options);

/** A token as the kubelet asks for it. */
async function tokenFor(podName: string | undefined, audience = AUDIENCE): Promise<string> {
  const bound =
    podName === undefined ? {} : { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: podName } };
  const body = { spec: { audiences: [audience], expirationSeconds: 600, ...bound } };
  const core = clientOf(api).makeApiClient(CoreV1Api);
  const made = await core.createNamespacedServiceAccountToken({ namespace: 'shop', name: 'web', body });
  return made.status?.token ?? '';
}

const reviews = () => api.requests.filter(({ path }) => path.endsWith('/tokenreviews')).length;

describe('a token', () => {
  test('for our audience names its pod and the pod of that UID only', async () => {
    const uid = api.find(pod('shop', 'web-1'))?.metadata.uid;
    expect(await reviewer().authenticate(await tokenFor('web-1'))).toEqual({
      verdict: 'pod',
      pod: { namespace: 'shop', name: 'web-1', uid },
    });
  });

  test.each([
    [
      'for another audience',
      () => tokenFor('web-1', 'vault'),
      /audiences.*is the volume's audience sluice\.dev\?/,
    ],
    ['for the API server', () => tokenFor('web-1', 'https://kubernetes.default.svc'), /sluice\.dev/],
    ['that is no token', async () => 'nonsense', /invalid bearer token/],
    ['that is bound to no pod', () => tokenFor(undefined), /not bound to a pod/],
    [
      'that has expired',
      async () => {
        const bound = { boundObjectRef: { kind: 'Pod', name: 'web-1' } };
        const request = { spec: { audiences: [AUDIENCE], ...bound } };
        const made = api.api.tokens.request('shop', 'web', request, -1);
        return String((made.status as { token: string }).token);
      },
      /expired/,
    ],
  ])('%s is refused, and the reason says so', async (_what, token, reason) => {
    const verdict = await reviewer().authenticate(await token());
    expect(verdict).toMatchObject({ verdict: 'refused', message: expect.stringMatching(reason) });
  });

  test('of a pod that was deleted, or replaced by another of its name, is refused', async () => {
    const token = await tokenFor('web-1');
    await api.recreate(pod('shop', 'web-1'));
    expect(await reviewer().authenticate(token)).toMatchObject({ verdict: 'refused' });
    await api.delete(pod('shop', 'web-1'));
    expect(await reviewer().authenticate(token)).toMatchObject({ verdict: 'refused' });
  });

  test('is reviewed once, however many connections show it at once, and remembered for a while', async () => {
    const checker = reviewer({ goodMs: 1_000 });
    const token = await tokenFor('web-1');
    const verdicts = await Promise.all(Array.from({ length: 20 }, () => checker.authenticate(token)));
    expect(verdicts.every(({ verdict }) => verdict === 'pod')).toBe(true);
    await checker.authenticate(token);
    expect(reviews()).toBe(1);
    await waitFor(async () => {
      await checker.authenticate(token);
      return reviews() === 2;
    });
  });

  test('that was refused is not asked about again at once', async () => {
    const checker = reviewer();
    await checker.authenticate('nonsense');
    await checker.authenticate('nonsense');
    expect(reviews()).toBe(1);
  });
});

describe('reviews', () => {
  const UNCHECKED = expect.objectContaining({ code: 'TOKEN_UNCHECKED' });

  test('come in a bounded number at once, and none is forgotten', async () => {
    const checker = reviewer({ maxAtOnce: 2 });
    api.faults.add({ on: { plural: 'tokenreviews' }, action: { do: 'delay', ms: 100 }, times: 2 });
    const all = ['a', 'b', 'c', 'd', 'e'].map((token) => checker.authenticate(token));
    await waitFor(() => reviews() === 2);
    await Promise.all(all);
    expect(reviews()).toBe(5);
  });

  test('that would wait in too long a queue are put off', async () => {
    const checker = reviewer({ maxAtOnce: 1, maxWaiting: 2 });
    const all = ['a', 'b', 'c'].map((token) => checker.authenticate(token));
    await expect(all[2]).rejects.toEqual(UNCHECKED);
    await Promise.all(all.slice(0, 2));
    expect(await checker.authenticate('c')).toMatchObject({ verdict: 'refused' });
  });

  test.each([
    ['fails', { do: 'fail', code: 503 }, /answers 503/],
    ['asks for patience', { do: 'too-many-requests', retryAfterSeconds: 1 }, /answers 429/],
    ['resets the connection', { do: 'reset' }, /does not answer/],
    ['never answers', { do: 'hang' }, /does not answer/],
    ['breaks off', { do: 'truncate' }, /does not answer/],
  ] as const)('admit nobody and refuse nobody while the API server %s', async (_what, action, reason) => {
    api.faults.add({ on: { plural: 'tokenreviews' }, action });
    const checker = reviewer({ timeoutMs: 1_000 });
    const token = await tokenFor('web-1');
    const failed = checker.authenticate(token);
    await expect(failed).rejects.toEqual(UNCHECKED);
    await expect(failed).rejects.toThrow(reason);
    expect(await checker.authenticate(token)).toMatchObject({ verdict: 'pod' });
  });

  test('that the injector may not make say which right it lacks', async () => {
    await api.close();
    api = await ApiServer.start({
      authorize: (_user, _verb, { resource }) => resource.plural !== 'tokenreviews',
    });
    await expect(reviewer().authenticate('any')).rejects.toThrow(
      /403: tokenreviews is forbidden.*is the ClusterRole of the injector bound/,
    );
  });
});

test.each([
  ['says nothing', {}],
  ['does not look at audiences', { audiences: [] }],
  ['is of a user', { user: { username: 'alice', extra: {} } }],
  [
    'names two pods',
    {
      user: {
        username: 'system:serviceaccount:shop:web',
        extra: {
          'authentication.kubernetes.io/pod-name': ['a', 'b'],
          'authentication.kubernetes.io/pod-uid': ['u'],
        },
      },
    },
  ],
  [
    'names no UID',
    {
      user: {
        username: 'system:serviceaccount:shop:web',
        extra: { 'authentication.kubernetes.io/pod-name': ['a'] },
      },
    },
  ],
])('a review that %s admits nobody', (what, change) => {
  const status = { authenticated: true, audiences: [AUDIENCE], ...change };
  expect(
    readReview({ spec: { token: 'any' }, ...(what === 'says nothing' ? {} : { status }) }),
  ).toMatchObject({
    verdict: 'refused',
  });
});
