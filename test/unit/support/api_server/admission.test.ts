/** The API-server double calls webhooks as an API server does, and evaluates admission policies. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Json } from '../../../support/api_server/api_object.ts';
import { ApiServer } from '../../../support/api_server/api_server.ts';
import { type Authority, createAuthority } from '../../../support/api_server/certificates.ts';
import { namespace, pod } from './objects.ts';

const SERVICE_NAME = 'hook.system.svc';

let server: ApiServer;
let authority: Authority;
let hook: Server;
let reviews: Json[];
/** What the webhook answers, without the uid. */
let answer: (request: Json) => Json;

beforeEach(async () => {
  authority = await createAuthority();
  reviews = [];
  answer = () => ({ allowed: true });
  hook = createServer(await authority.issue([SERVICE_NAME]), async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const review = JSON.parse(Buffer.concat(chunks).toString());
    reviews.push(review.request);
    const body = { ...answer(review.request), uid: review.request.uid };
    response.end(
      JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: body }),
    );
  });
  hook.listen(0, '127.0.0.1');
  await once(hook, 'listening');
  const { port } = hook.address() as AddressInfo;
  server = await ApiServer.start({ services: () => ({ host: '127.0.0.1', port }) });
  await server.create(namespace('shop', { inject: 'yes' }));
  await server.create(namespace('other'));
});

afterEach(async () => {
  await server.close();
  hook.close();
  hook.closeAllConnections();
});

const configuration = (more: Json = {}, ca = authority.cert) => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingWebhookConfiguration',
  metadata: { name: 'hook' },
  webhooks: [
    {
      name: 'hook.example.com',
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      namespaceSelector: { matchLabels: { inject: 'yes' } },
      rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
      clientConfig: {
        caBundle: Buffer.from(ca).toString('base64'),
        service: { namespace: 'system', name: 'hook', path: '/mutate' },
      },
      ...more,
    },
  ],
});

const patch = (...operations: readonly Json[]) => ({
  allowed: true,
  patchType: 'JSONPatch',
  patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
});

test('a pod is stored as the webhook has it, and what was asked is what an API server asks', async () => {
  await server.create(configuration());
  answer = () => patch({ op: 'add', path: '/metadata/labels/hooked', value: 'yes' });
  const stored = await server.create({
    ...pod('shop', ''),
    metadata: { namespace: 'shop', generateName: 'a-', labels: {} },
  });
  expect(stored.metadata.labels).toEqual({ hooked: 'yes' });
  expect(reviews[0]).toMatchObject({
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { resource: 'pods' },
    namespace: 'shop',
    operation: 'CREATE',
    object: { kind: 'Pod', spec: { containers: [{ name: 'app' }] } },
    oldObject: null,
    dryRun: false,
  });
  expect(reviews[0]).not.toHaveProperty('name');
});

test('what the rules, selectors and conditions leave out is not asked about', async () => {
  const matchConditions = [
    { name: 'pod-network', expression: '!has(object.spec.hostNetwork) || !object.spec.hostNetwork' },
  ];
  await server.create(configuration({ matchConditions }));
  await server.create(pod('other', 'a'));
  await server.create({
    ...pod('shop', 'b'),
    spec: { hostNetwork: true, containers: [{ name: 'c', image: 'i' }] },
  });
  expect(reviews).toEqual([]);
  await server.create(pod('shop', 'c'));
  expect(reviews).toHaveLength(1);
});

test('a webhook that may be called again sees the outcome of the first round', async () => {
  await server.create(configuration({ reinvocationPolicy: 'IfNeeded' }));
  answer = () =>
    reviews.length === 1
      ? patch({ op: 'add', path: '/metadata/labels/hooked', value: 'yes' })
      : { allowed: true };
  await server.create(pod('shop', 'a'));
  expect(reviews).toHaveLength(2);
  expect(reviews[1]).toMatchObject({ object: { metadata: { labels: { hooked: 'yes' } } } });
});

test('a refusal reaches who asked, with its message', async () => {
  await server.create(configuration());
  answer = () => ({ allowed: false, status: { message: 'not here', code: 403 } });
  await expect(server.create(pod('shop', 'a'))).rejects.toMatchObject({
    code: 403,
    message: 'admission webhook "hook.example.com" denied the request: not here',
  });
});

test('a webhook that another authority vouches for is not asked: failurePolicy decides', async () => {
  const stranger = await createAuthority();
  await server.create(configuration({}, stranger.cert));
  await expect(server.create(pod('shop', 'a'))).rejects.toThrow(/failed calling webhook .*certificate/);
  await server.apply(configuration({ failurePolicy: 'Ignore' }, stranger.cert));
  await server.create(pod('shop', 'a'));
  expect(reviews).toEqual([]);
});

test('a patch that makes an object of no published type is refused', async () => {
  await server.create(configuration());
  answer = () => patch({ op: 'add', path: '/spec/sidecar', value: {} });
  await expect(server.create(pod('shop', 'a'))).rejects.toThrow('spec.sidecar: unknown field of V1PodSpec');
});

test('an admission policy refuses what its expression does not hold for', async () => {
  const named = (kind: string, spec: Json) => ({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind,
    metadata: { name: 'images' },
    spec,
  });
  await server.create(
    named('ValidatingAdmissionPolicy', {
      matchConstraints: {
        resourceRules: [
          { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] },
        ],
      },
      variables: [{ name: 'containers', expression: 'object.spec.containers' }],
      validations: [
        { expression: "variables.containers.all(c, c.image == 'app')", message: 'wants the app' },
      ],
    }),
  );
  await server.create(
    named('ValidatingAdmissionPolicyBinding', { policyName: 'images', validationActions: ['Deny'] }),
  );
  await server.create(pod('shop', 'a'));
  const wrong = { ...pod('shop', 'b'), spec: { containers: [{ name: 'c', image: 'other' }] } };
  await expect(server.create(wrong)).rejects.toThrow('wants the app');
});
