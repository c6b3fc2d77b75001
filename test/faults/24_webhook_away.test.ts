/**
 * Case 24. Given the webhook down or timing out, when a selected pod is created, then it is refused (`Fail`), and a sweep
 * finds any uninjected pod within 30 s.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { namespace, pod, service } from '../builders/manifests.ts';
import { kustomize } from '../manifests/render.ts';
import { ApiServer } from '../support/api_server/api_server.ts';
import { freePorts } from '../support/free_ports.ts';
import { InjectorProcess } from '../unit/injector/kubernetes/injector_process.ts';
import { waitFor } from '../unit/injector/wait_for.ts';

const START_MS = 30_000;
/** Of the case. */
const FOUND_MS = 30_000;
/** How long an API server waits for the webhook, s: what the manifests say is looked at on its own. */
const TIMEOUT_SECONDS = 1;

const plain = (name: string, changes: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'shop', name, ...changes },
  spec: { containers: [{ name: 'app', image: 'app' }] },
});

let server: ApiServer;
let port: number;
let injector: InjectorProcess | undefined;
let mute: Server | undefined;

beforeEach(async () => {
  [port = 0] = await freePorts(1);
  server = await ApiServer.start({ services: () => ({ host: '127.0.0.1', port }) });
  await server.apply(namespace('sluice-system'));
  await server.apply(namespace('shop', { 'sluice.dev/inject': 'enabled' }));
  await server.apply(namespace('other'));
  await server.apply(service('sluice-system/sluice-injector', { ips: ['10.96.0.9'], ports: [15010] }));
});

afterEach(async () => {
  await injector?.stop('SIGKILL');
  injector = undefined;
  mute?.close();
  mute = undefined;
  await server.close();
});

/** The webhook as it is installed, but for the time that it may take. */
async function installWebhook(): Promise<void> {
  const rendered = await kustomize('manifests/overlays/default');
  const webhook = rendered.find(({ kind }) => kind === 'MutatingWebhookConfiguration') as unknown as {
    webhooks: { failurePolicy: string; timeoutSeconds: number }[];
  };
  expect(webhook.webhooks.map(({ failurePolicy }) => failurePolicy)).toEqual(['Fail']);
  expect(webhook.webhooks[0]?.timeoutSeconds).toBeLessThanOrEqual(10);
  const webhooks = webhook.webhooks.map((one) => ({ ...one, timeoutSeconds: TIMEOUT_SECONDS }));
  await server.create({ ...webhook, webhooks } as unknown as Parameters<ApiServer['create']>[0]);
}

const sweepSays = async () => {
  const body = (await injector?.get('/metrics'))?.body ?? '';
  return Number(/^sluice_injector_uninjected_pods (\d+)$/m.exec(body)?.[1] ?? -1);
};

test('with the webhook down, a selected pod is refused; others are not', async () => {
  await installWebhook();
  await expect(server.create(plain('web'))).rejects.toThrow('failed calling webhook');
  await server.create({ ...plain('web'), metadata: { namespace: 'other', name: 'web' } });
});

test('with a webhook that does not answer, a selected pod is refused after its time', async () => {
  await installWebhook();
  mute = createServer(() => undefined).listen(port, '127.0.0.1');
  await once(mute, 'listening');
  expect((mute.address() as AddressInfo).port).toBe(port);
  const startedAt = performance.now();
  await expect(server.create(plain('web'))).rejects.toThrow('failed calling webhook');
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(TIMEOUT_SECONDS * 1000);
});

test('a pod that came to run without a sidecar is named within 30 s, and until it goes', async () => {
  const before = await server.create(plain('older')); // nobody was there to refuse it
  injector = await InjectorProcess.start(server);
  await waitFor(async () => (await injector?.get('/readyz'))?.code === 200, START_MS);
  await waitFor(async () => (await sweepSays()) === 1, FOUND_MS);
  expect(injector.output).toContain('"pod":"shop/older"');

  const createdAt = performance.now();
  await server.create(plain('newer')); // as with a webhook that was taken away
  await server.create({ ...plain('host'), spec: { ...plain('host').spec, hostNetwork: true } });
  await server.create({ ...plain('there'), metadata: { namespace: 'other', name: 'there' } });
  await waitFor(async () => (await sweepSays()) === 2, FOUND_MS);
  expect(performance.now() - createdAt).toBeLessThan(FOUND_MS);
  expect(injector.output).toContain('"pod":"shop/newer"');
  expect(injector.output).not.toMatch(/"pod":"(shop\/host|other\/there)"/);

  await server.delete(before);
  await waitFor(async () => (await sweepSays()) === 1, FOUND_MS);
});

test('a look-alike does not pass for a sidecar, and leaving a pod out wants permission', async () => {
  const annotations = { 'sluice.dev/status': '{"version":"0"}', 'sluice.dev/inject': 'disabled' };
  await server.create(plain('annotated', { annotations }));
  await server.create(pod('shop/alike', { ips: ['10.1.1.9'] }));
  injector = await InjectorProcess.start(server);
  await waitFor(async () => (await injector?.get('/readyz'))?.code === 200, START_MS);
  await waitFor(async () => (await sweepSays()) === 2, FOUND_MS);
  await server.apply(
    namespace('shop', { 'sluice.dev/inject': 'enabled' }, { 'sluice.dev/allow-opt-out': 'true' }),
  );
  await waitFor(async () => (await sweepSays()) === 1, FOUND_MS);
});
