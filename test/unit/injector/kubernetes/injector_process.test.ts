/** The injector of a cluster, as a process: unready until it knows the cluster, then tables for who shows a token, and admission. */
import { connect } from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readInjectorConfig } from '../../../../injector/config.ts';
import { TABLE_SCHEMA } from '../../../../policy/table/form.ts';
import { allowApps, namespace, pod, service } from '../../../builders/manifests.ts';
import { ApiServer } from '../../../support/api_server/api_server.ts';
import type { TestDoor } from '../test_door.ts';
import { TestSidecar } from '../test_sidecar.ts';
import { waitFor } from '../wait_for.ts';
import { InjectorProcess } from './injector_process.ts';

const START_MS = 30_000;
const WEBHOOK = 'sluice-injector';

let server: ApiServer;
let injector: InjectorProcess;
const sidecars: TestSidecar[] = [];

beforeEach(async () => {
  server = await ApiServer.start({ services: () => ({ host: '127.0.0.1', port: injector.ports.webhook }) });
  await server.apply(namespace('sluice-system'));
  await server.apply(namespace('shop', { 'sluice.dev/inject': 'enabled' }));
  await server.apply(service('sluice-system/sluice-injector', { ips: ['10.96.0.9'], ports: [15010] }));
});

afterEach(async () => {
  for (const sidecar of sidecars.splice(0)) sidecar.close();
  await injector.stop('SIGKILL');
  await server.close();
});

/** The way in of a pod that has a token and the CA of its namespace. */
function door(uid: string, audience = 'sluice.dev'): TestDoor {
  const metadata = { namespace: 'shop', name: 'sluice-ca' };
  const published = server.find({ apiVersion: 'v1', kind: 'ConfigMap', metadata })?.data;
  const ca = (published as Record<string, string>)['ca.crt'] ?? '';
  const to = {
    host: '127.0.0.1',
    port: injector.ports.tables,
    servername: 'sluice-injector.sluice-system.svc',
  };
  return {
    connect: () => connect({ ...to, ca }),
    hello: (key) => ({ type: 'token-hello', schema: TABLE_SCHEMA, token: tokenOf(key, uid, audience) }),
  };
}

function tokenOf(key: string, uid: string, audience: string): string {
  const [namespace = '', name = ''] = key.split('/');
  const spec = { audiences: [audience], boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name, uid } };
  const answer = server.api.tokens.request(namespace, 'default', { spec });
  return (answer.status as { token: string }).token;
}

const isolating = ({ table }: TestSidecar) => table?.ingress.isolating.length;

async function isReady(): Promise<boolean> {
  return (await injector.get('/readyz')).code === 200;
}

test('serves a pod of the cluster its table, follows the cluster, and ends clean', async () => {
  const api = await server.apply(pod('shop/api', { labels: { app: 'api' }, ips: ['10.1.1.10'] }));
  await server.apply(pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11'] }));
  injector = await InjectorProcess.start(server);
  await waitFor(isReady, START_MS);
  await waitFor(() =>
    server.find({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'shop', name: 'sluice-ca' } }),
  );
  const sidecar = await TestSidecar.open(door(api.metadata.uid ?? ''), 'shop/api');
  sidecars.push(sidecar);
  expect(sidecar.table?.subject).toMatchObject({ namespace: 'shop', name: 'api', ips: ['10.1.1.10'] });
  expect(isolating(sidecar)).toBe(0);

  await server.apply(allowApps('shop/allow', 'api', ['front']));
  await waitFor(() => isolating(sidecar) === 1);
  const annotations = () => server.find(allowApps('shop/allow', 'api', []))?.metadata.annotations ?? {};
  await waitFor(() => annotations()['sluice.dev/status']?.includes('"enforced"'));
  await server.delete(allowApps('shop/allow', 'api', []));
  await waitFor(() => isolating(sidecar) === 0);

  const foreign = new TestSidecar(door(api.metadata.uid ?? '', 'vault'));
  sidecars.push(foreign);
  foreign.hello('shop/api');
  await waitFor(() => foreign.closed);
  const message = expect.stringContaining("is the volume's audience sluice.dev?");
  expect(foreign.frames).toEqual([{ type: 'refused', message }]);
  await server.recreate(pod('shop/api', { labels: { app: 'api' }, ips: ['10.1.1.10'] }));
  await waitFor(() => sidecar.closed);
  expect(sidecar.types.at(-1)).toBe('refused');

  const metrics = (await injector.get('/metrics')).body;
  expect(metrics).toContain('sluice_injector_source_objects{kind="Pod"} 2');
  expect(metrics).toMatch(/sluice_injector_source_age_seconds\{kind="NetworkPolicy"\} \d/);
  expect((await injector.get('/healthz')).code).toBe(200);
  expect((await injector.get('/status')).code).toBe(404);
  expect(await injector.stop()).toBe(0);
});

test('until all kinds are known it is unready and serves nobody; it may be stopped all the same', async () => {
  server.faults.add({
    on: { plural: 'networkpolicies' },
    action: { do: 'fail', code: 500 },
    times: 1_000_000,
  });
  injector = await InjectorProcess.start(server);
  const { body } = await waitFor(async () => {
    const answer = await injector.get('/readyz');
    return answer.code === 503 && !answer.body.includes(',') && answer;
  }, START_MS);
  expect(body).toBe('not synced with the API server: NetworkPolicy\n');
  expect((await injector.get('/healthz')).code).toBe(200);
  expect(injector.output).not.toContain('serving tables');
  expect(await injector.stop()).toBe(0);
});

test('adds the sidecar to pods as the API server creates them, once the webhook has its CA', async () => {
  await server.create({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: WEBHOOK },
    webhooks: [
      {
        name: 'inject.sluice.dev',
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        reinvocationPolicy: 'IfNeeded',
        namespaceSelector: { matchLabels: { 'sluice.dev/inject': 'enabled' } },
        rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
        clientConfig: { service: { namespace: 'sluice-system', name: 'sluice-injector', path: '/inject' } },
      },
    ],
  });
  injector = await InjectorProcess.start(server);
  await waitFor(isReady, START_MS);
  const plain = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'shop', name: 'web' },
    spec: { containers: [{ name: 'app', image: 'app' }] },
  };
  const made = await waitFor(() => server.create(plain).catch(() => undefined));
  const { initContainers } = made.spec as {
    initContainers: { name: string; env?: { name: string; value?: string }[] }[];
  };
  expect(initContainers.map(({ name }) => name)).toEqual(['sluice-sidecar']);
  const env = Object.fromEntries((initContainers[0]?.env ?? []).map(({ name, value }) => [name, value]));
  expect(env.SLUICE_INJECTOR_ADDRESS).toBe('10.96.0.9:15010');
});

test.each([
  [['--kubernetes', '/nowhere/config', '--dir', '/x'], 'SLUICE_DIR and SLUICE_KUBERNETES exclude each other'],
  [[], 'SLUICE_DIR or SLUICE_KUBERNETES is required'],
  [['--kubernetes', '/nowhere/config', '--status-port', '15010'], 'must differ'],
])('refuses %j with what is wrong', (argv, message) => {
  expect(() => readInjectorConfig(argv, {})).toThrow(message);
});

test('a kubeconfig that cannot be used is bad input', async () => {
  injector = await InjectorProcess.start(server, { SLUICE_KUBERNETES: '/nowhere/config' });
  await waitFor(
    () => injector.output.includes('CONFIG_INVALID: SLUICE_KUBERNETES: /nowhere/config'),
    START_MS,
  );
  expect(await injector.stop()).toBe(2);
});
