/** The API-server double calls webhooks as an API server does, and evaluates admission policies. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { namespace } from '../../../builders/manifests.ts';
import { pod } from '../../../builders/stored_objects.ts';
import type { Json } from '../../../support/api_server/api_object.ts';
import { ApiServer } from '../../../support/api_server/api_server.ts';
import { type Authority, createAuthority } from '../../../support/api_server/certificates.ts';

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
