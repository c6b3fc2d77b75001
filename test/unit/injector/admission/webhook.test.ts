/** The webhook as an API server calls it: TLS verified with the CA bundle, reinvoked, fail closed. */
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { issueCa } from '../../../../injector/certificates/issue.ts';
import { validNow } from '../test_credentials.ts';
import { waitFor } from '../wait_for.ts';
import { pod, type TestContainer } from './pod_builder.ts';
import { RunningWebhook } from './running_webhook.ts';

let webhook: RunningWebhook;

beforeEach(async () => {
  webhook = new RunningWebhook();
});
afterEach(() => webhook.close());

const ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount';

const mountsOf = (containers: readonly TestContainer[] = []) =>
  containers.flatMap(({ volumeMounts = [] }) =>
    (volumeMounts as { mountPath: string }[]).map((mount) => mount.mountPath),
  );

const review = (changes: object = {}) =>
  JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: { uid: 'u1', namespace: 'shop', operation: 'CREATE', object: pod(), ...changes },
  });

describe('a pod that is created', () => {
  beforeEach(() => webhook.start());

  test('comes out injected once, though the webhook is called twice', async () => {
    await webhook.namespace('shop');

    const { spec } = await webhook.create('shop', pod());

    expect(spec.initContainers?.map(({ name }) => name)).toEqual(['sluice-redirect', 'sluice-sidecar']);
    // Between the two calls the API server mounts the account's token in what is new. The sidecar has no use for it.
    expect(await webhook.admissions('injected')).toBe(2);
    expect(mountsOf(spec.initContainers)).not.toContain(ACCOUNT_TOKEN);
    expect(mountsOf(spec.containers)).toContain(ACCOUNT_TOKEN);
  });

  test('that mounts no token of its account is the same to the second call', async () => {
    await webhook.namespace('shop');
    const quiet = pod({ automountServiceAccountToken: false });
    const once = await webhook.create('shop', quiet);
    await webhook.create('shop', {
      ...once,
      metadata: { name: 'again', annotations: once.metadata.annotations ?? {} },
    });
    expect(await webhook.admissions('injected')).toBe(1);
    expect(await webhook.admissions('unchanged')).toBe(1);
  });

  test('is refused with every reason in the words of kubectl', async () => {
    await webhook.namespace('shop');
    const bad = pod(
      { containers: [{ name: 'a', securityContext: { privileged: true } }] },
      { 'sluice.dev/deny': 'x' },
    );

    await expect(webhook.create('shop', bad)).rejects.toThrow(
      /^admission webhook "pods.sluice.dev" denied the request: pod shop\/api-1-\w*: .*sluice.dev\/deny is 'x'.*container a is privileged/,
    );
    expect(await webhook.admissions('refused')).toBe(1);
    expect(webhook.lines).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        msg: 'pod not injected',
        namespace: 'shop',
        outcome: 'refused',
      }),
    );
  });

  test('may be what its namespace allows, and no other one', async () => {
    await webhook.namespace('lenient', { 'sluice.dev/allow-opt-out': 'true' });
    await webhook.namespace('shop');
    const leftOut = pod({}, { 'sluice.dev/inject': 'disabled' });

    expect((await webhook.create('lenient', leftOut)).spec.initContainers).toBeUndefined();
    await expect(webhook.create('shop', leftOut)).rejects.toThrow(/does not allow/);
    expect(await webhook.admissions('opted-out')).toBe(1);
  });

  test('is left alone on the host network, where its namespace allows it', async () => {
    await webhook.namespace('shop', { 'sluice.dev/allow-privileged': 'true' });

    expect((await webhook.create('shop', pod({ hostNetwork: true }))).spec.initContainers).toBeUndefined();
    expect(await webhook.admissions('skipped')).toBe(1);
  });

  test('is refused while sidecars would not find the injector', async () => {
    await webhook.namespace('shop');
    webhook.config = undefined;

    await expect(webhook.create('shop', pod())).rejects.toThrow(/Service has no address yet/);
  });

  test('finds the CA in its namespace, which a rehearsal does not touch', async () => {
    await webhook.namespace('shop');
    await webhook.create('shop', pod(), { dryRun: true });
    expect(webhook.prepared).toEqual([]);

    await webhook.create('shop', pod());
    expect(new Set(webhook.prepared)).toEqual(new Set(['shop']));
  });

  test('leaves nothing in a namespace without the label, whoever asks for it there', async () => {
    await webhook.namespace('shop');
    await webhook.forbid('shop');
    expect((await webhook.ask({ body: review() })).code).toBe(200);
    expect(webhook.prepared).toEqual([]);

    // One that the injector does not know of yet may be enabled.
    expect((await webhook.ask({ body: review({ namespace: 'new' }) })).code).toBe(200);
    expect(webhook.prepared).toEqual(['new']);
  });

  test('is refused when its namespace cannot be given the CA', async () => {
    await webhook.namespace('shop');
    webhook.unprepared = new Error('configmaps "sluice-ca" is forbidden');

    await expect(webhook.create('shop', pod())).rejects.toThrow(/cannot be given the CA: .* is forbidden/);
  });

  test('follows a permission of its namespace that is taken back', async () => {
    await webhook.namespace('shop', { 'sluice.dev/allow-privileged': 'true' });
    const mighty = pod({ containers: [{ name: 'a', securityContext: { privileged: true } }] });
    await webhook.create('shop', mighty);

    await webhook.forbid('shop');
    await expect(webhook.create('shop', mighty)).rejects.toThrow(/privileged/);
  });
});

describe('the certificate', () => {
  beforeEach(() => webhook.start());

  test('is the one of the moment, without a restart', async () => {
    await webhook.namespace('shop');
    await webhook.certificate.replace({ ca: await issueCa(validNow()) });

    await expect(webhook.create('shop', pod())).rejects.toThrow(/failed calling webhook/);
    await webhook.trust();
    await webhook.create('shop', pod());
  });

  test('is not shown to a TLS older than 1.3', async () => {
    await expect(webhook.ask({ maxVersion: 'TLSv1.2' })).rejects.toThrow(/version|alert|EPROTO/);
  });
});

describe('a request that is none of an API server', () => {
  beforeEach(() => webhook.start({ maxBodyBytes: 10_000 }));

  test.each([
    ['another path', { path: '/metrics' }, 404, 'the webhook is at /inject'],
    ['another method', { method: 'PUT' }, 405, 'POST'],
    ['another type', { type: 'text/plain' }, 415, 'application/json'],
    ['no JSON', { body: '{' }, 400, 'no JSON'],
    ['no review', { body: '{}' }, 400, 'apiVersion: Required value'],
    ['an old review', { body: review().replace('/v1', '/v1beta1') }, 400, 'admission.k8s.io/v1'],
    ['no uid', { body: review({ uid: '' }) }, 400, 'request.uid: Required value'],
    ['no namespace', { body: review({ namespace: undefined }) }, 400, 'request.namespace: Required value'],
    ['a deletion', { body: review({ operation: 'DELETE' }) }, 400, 'request.operation'],
    [
      'no pod',
      { body: review({ resource: { group: 'apps', resource: 'deployments' } }) },
      400,
      'request.resource',
    ],
    ['too much', { body: ' '.repeat(10_001) }, 413, 'larger than 10000 bytes'],
    ['the word of too much', { body: '', length: 10_001 }, 413, 'larger than 10000 bytes'],
  ])('is told what is wrong: %s', async (_, asked, code, message) => {
    const answer = await webhook.ask(asked);

    expect(answer).toEqual({ code, body: expect.stringContaining(message) });
    expect(await webhook.admissions('error')).toBe(1);
  });

  test('is no reason to stop', async () => {
    await webhook.ask({ body: '[' });

    const { code, body } = await webhook.ask({ body: review() });
    expect(code).toBe(200);
    expect(JSON.parse(body)).toMatchObject({
      response: { uid: 'u1', allowed: true, patchType: 'JSONPatch' },
    });
  });

  test('gets a broken pod refused by the names of its fields', async () => {
    const { body } = await webhook.ask({ body: review({ object: { spec: { containers: 1 } } }) });

    expect(JSON.parse(body)).toMatchObject({
      response: {
        uid: 'u1',
        allowed: false,
        status: { code: 422, message: expect.stringContaining('spec.containers') },
      },
    });
  });
});

describe('bounds', () => {
  test('a request that does not end is cut', async () => {
    await webhook.start({ requestTimeoutMs: 1_000 });

    await expect(webhook.ask({ body: '{', length: 100 })).resolves.toMatchObject({ code: 408 });
  });

  test('connections of one address do not keep API servers at another one out', async () => {
    await webhook.start();
    await webhook.namespace('shop');
    const held = Array.from({ length: 256 }, () =>
      connect({ port: webhook.port, host: '127.0.0.1', localAddress: '127.0.0.9' }),
    );
    let refused = 0;
    for (const socket of held) {
      socket.on('error', () => {});
      socket.once('close', () => {
        refused += 1;
      });
    }
    await waitFor(() => refused === held.length - 32);

    const { spec } = await webhook.create('shop', pod());
    expect(spec.initContainers).toHaveLength(2);
    expect(refused).toBe(held.length - 32);
    for (const socket of held) socket.destroy();
  });

  test('more requests at once than it takes are told to come again', async () => {
    await webhook.start({ maxRequests: 1, requestTimeoutMs: 1_000 });
    const held = webhook.ask({ body: '{', length: 100 });
    held.catch(() => {});

    const { code } = await webhook.until(429);
    expect(code).toBe(429);
  });
});
