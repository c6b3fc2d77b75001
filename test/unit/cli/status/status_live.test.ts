/** `sluice status` and `sluice wait` of a cluster: the API's stand-in over HTTPS. */
import { beforeEach, expect, test } from 'vitest';
import { pod } from '../../../builders/cli_manifests.ts';
import { type Manifest, namespace, policy } from '../../../builders/manifests.ts';
import type { ApiServer } from '../../../support/api_server/api_server.ts';
import { liveCluster } from '../support/live_cluster.ts';
import { schemaProblems } from '../support/schema.ts';
import { runSluice, startSluice } from '../support/sluice_process.ts';

let api: ApiServer;
let kubeconfig = '';
/** What the user may not do. */
let refused: string[] = [];

beforeEach(async () => {
  refused = [];
  ({ api, kubeconfig } = await liveCluster({
    contexts: { double: 'shop' },
    authorize: (_, verb, { resource }) => !refused.includes(`${verb} ${resource.plural}`),
  }));
  await api.create(namespace('shop', { 'sluice.dev/inject': 'enabled' }));
  await api.apply(withSidecar(pod('shop/api-1', { labels: { app: 'api' }, ip: '10.1.0.1' }), true));
  await api.apply(withSidecar(pod('shop/api-2', { labels: { app: 'api' }, ip: '10.1.0.2' }), true));
});

function withSidecar(made: Manifest, ready: boolean): Manifest {
  const { spec, status } = made as { readonly spec: object; readonly status: object };
  const name = 'sluice-sidecar';
  return {
    ...made,
    spec: { ...spec, initContainers: [{ name, image: 'sluice', restartPolicy: 'Always' }] },
    status: {
      ...status,
      initContainerStatuses: [{ name, image: 'sluice', imageID: '', ready, restartCount: 0 }],
    },
  };
}

/** A policy of the cluster, with what the injector has written on it. */
async function putPolicy(name: string, status?: object): Promise<void> {
  const made = policy(name, { podSelector: { matchLabels: { app: 'api' } }, policyTypes: ['Ingress'] });
  const { metadata } = made as { readonly metadata: object };
  const annotations = status === undefined ? {} : { 'sluice.dev/status': JSON.stringify(status) };
  await api.apply({ ...made, metadata: { ...metadata, annotations } });
}

const ENFORCED = { state: 'enforced', generation: 1, selected: 2, enforcing: 2 };
const sluice = (...args: string[]) => runSluice([...args, '--kubeconfig', kubeconfig]);

test('all policies of a namespace, each with its state', async () => {
  await putPolicy('shop/a-new', undefined);
  await putPolicy('shop/b-good', ENFORCED);
  await putPolicy('shop/c-old', { ...ENFORCED, generation: 7 });
  await putPolicy('shop/d-part', { ...ENFORCED, state: 'partial', unsupported: ['spec.x: endPort'] });
  const { code, stdout, stderr } = await sluice('status');
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
  expect(stdout.split('\n').filter((text) => !text.startsWith('  '))).toEqual([
    'not-known   shop/a-new  generation 1  2 pods  it has no sluice.dev/status: no injector has looked at it',
    'enforced    shop/b-good  generation 1  2 of 2 pods enforce it',
    'pending     shop/c-old  generation 1  0 of 2 pods enforce it  the injector has not looked at generation 1 yet',
    'partial     shop/d-part  generation 1  2 of 2 pods enforce it',
    '',
  ]);
  expect(stdout).toContain('  not supported: spec.x: endPort\n');
});

test('who lags, why, and what to do', async () => {
  await putPolicy('shop/api-in', { ...ENFORCED, state: 'pending', selected: 4 });
  await api.apply(withSidecar(pod('shop/api-3', { labels: { app: 'api' }, ip: '10.1.0.4' }), false));
  await api.apply(pod('shop/api-4', { labels: { app: 'api' }, ip: '10.1.0.5' }));
  const { code, stdout } = await sluice('status', 'netpol/api-in');
  expect(code).toBe(1);
  expect(stdout.replace(/ {2,}/g, '  ')).toBe(`pending  shop/api-in  generation 1  2 of 4 pods enforce it
  shop/pod/api-1  api-1  not known: 2 of 4 pods enforce shop/api-in
  shop/pod/api-2  api-2  not known: 2 of 4 pods enforce shop/api-in
  shop/pod/api-3  api-3  its sidecar is not ready  kubectl -n shop logs api-3 -c sluice-sidecar
  shop/pod/api-4  api-4  it has no sidecar  kubectl -n shop delete pod api-4
`);
  const json = await sluice('status', 'netpol', 'api-in', '-o', 'json');
  expect(schemaProblems('status.v1.json', json.stdout)).toEqual([]);
  expect(JSON.parse(json.stdout)).toMatchObject({
    policies: [{ name: 'shop/api-in', generation: 1, state: 'pending', selected: 4, lagging: { count: 4 } }],
  });
});

test('pods of a namespace that is not injected: the label comes first', async () => {
  await api.create(namespace('other'));
  await api.apply(pod('other/web', { labels: { app: 'api' }, ip: '10.1.0.9' }));
  await putPolicy('other/x', { ...ENFORCED, state: 'unenforced', selected: 1, enforcing: 0 });
  const { stdout } = await sluice('status', 'other/netpol/x');
  expect(stdout).toContain(
    'kubectl label namespace other sluice.dev/inject=enabled && kubectl -n other delete pod web',
  );
});

test('a policy that is not there, with one that is like it', async () => {
  await putPolicy('shop/api-in', ENFORCED);
  expect(await sluice('status', 'netpol/api-inn')).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringMatching(/has no NetworkPolicy shop\/api-inn; did you mean shop\/api-in\?/),
  });
});

test('wait ends when the policy is in force', async () => {
  await putPolicy('shop/api-in', { ...ENFORCED, state: 'pending', enforcing: 1 });
  const child = startSluice(['wait', 'netpol/api-in', '--kubeconfig', kubeconfig, '--timeout', '60s']);
  let stdout = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  const ended = new Promise((resolve) => child.on('close', resolve));
  await expect
    .poll(() => api.requests.filter(({ path }) => path.endsWith('/api-in')).length)
    .toBeGreaterThan(1);
  await putPolicy('shop/api-in', ENFORCED);
  expect(await ended).toBe(0);
  expect(stdout).toBe('enforced    shop/api-in  generation 1  2 of 2 pods enforce it\n');
});

test('wait needs the right to get the policy alone, and says who lags as far as it may', async () => {
  await putPolicy('shop/api-in', { ...ENFORCED, state: 'pending', enforcing: 1 });
  refused = ['list networkpolicies', 'list pods', 'get namespaces'];
  const { code, stdout, stderr } = await sluice('wait', 'netpol/api-in', '--timeout', '2s');
  expect(code).toBe(124);
  expect(stdout).toBe('pending     shop/api-in  generation 1  1 of 2 pods enforce it\n');
  expect(stderr).toContain('note: who lags is not known: the user of context double may not list');
});

test.each([
  ['unenforced', { ...ENFORCED, state: 'unenforced', enforcing: 0 }],
  ['partial', { ...ENFORCED, state: 'partial', unsupported: ['spec.x'] }],
])('wait does not wait in vain: %s', async (state, status) => {
  await putPolicy('shop/api-in', status);
  const { code, stdout } = await sluice('wait', 'api-in', '--timeout', '60s');
  expect(code).toBe(1);
  expect(stdout).toMatch(new RegExp(`^${state} `));
});

test.each([
  [['wait'], 'which policy?'],
  [['wait', 'deploy/x/y'], "'x' is no kind|none of|no kind"],
  [['wait', 'netpol/x', '--for', 'gone'], '--for is'],
  [['status', 'netpol'], 'which netpol?'],
  [['status', 'x', '-A'], '-A is for all policies'],
  [['status', 'x', '-n', 'shop', '-A'], 'leave one out'],
])('a command line that makes no sense: %j', async (args, message) => {
  const { code, stdout, stderr } = await sluice(...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(new RegExp(message));
});

test('wait says of a policy that is not there that it is not', async () => {
  expect(await sluice('wait', 'netpol/nope')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('has no NetworkPolicy shop/nope'),
  });
});
