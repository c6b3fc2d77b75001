/** `sluice can` asks a cluster: the API's stand-in over HTTPS, with kubeconfig files. */
import { beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { deployment, pod, temporaryDirectory } from '../../../builders/cli_manifests.ts';
import { namespace, policy } from '../../../builders/manifests.ts';
import type { ApiServer } from '../../../support/api_server/api_server.ts';
import { liveCluster } from '../support/live_cluster.ts';
import { runSluice } from '../support/sluice_process.ts';

let api: ApiServer;
let kubeconfig = '';
/** What the user may not do: `list pods`, `list pods shop`. */
let refused: string[] = [];

beforeEach(async () => {
  refused = [];
  ({ api, kubeconfig } = await liveCluster({
    contexts: { double: undefined, 'in-shop': 'shop' },
    authorize: (_, verb, { resource, namespace: where }) =>
      !refused.includes(`${verb} ${resource.plural}`) &&
      !refused.includes(`${verb} ${resource.plural} ${where ?? '*'}`),
  }));
  for (const name of ['shop', 'other']) await api.create(namespace(name, { team: name }));
  await api.apply(
    pod('shop/api-1', {
      labels: { app: 'api' },
      ip: '10.1.0.1',
      ports: [{ name: 'http', containerPort: 8080 }],
    }),
  );
  await api.apply(pod('shop/web-1', { labels: { app: 'web' }, ip: '10.1.0.2' }));
  await api.apply(pod('other/client', { labels: { app: 'client' }, ip: '10.1.0.3' }));
  await api.create({ ...deployment('shop/cart', { app: 'crat' }) });
  await api.create(
    policy('shop/api', {
      podSelector: { matchLabels: { app: 'api' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ port: 'http' }] }],
    }),
  );
});

const can = (...args: string[]) => runSluice(['can', ...args, '--kubeconfig', kubeconfig]);

test('it answers from the cluster, with the namespace of the context', async () => {
  const allowed = await can('web-1', 'api-1', 'http', '--context', 'in-shop');
  expect(allowed.stderr).toBe('');
  expect(allowed.stdout).toBe('allowed: shop/web-1 -> shop/api-1 TCP/8080\n');
  const denied = await can('other/client', 'api-1', '8080', '-n', 'shop');
  expect(denied.stdout).toMatch(
    /^denied: other\/client -> shop\/api-1 TCP\/8080 \(ingress: isolated by shop\/api\)\n/,
  );
  expect(denied.stdout).toContain('  nearest shop/api ingress[0]\n');
  expect(denied.code).toBe(1);
});

test('only the namespaces of the two ends are listed; an address may be anybody’s', async () => {
  await can('web-1', 'api-1', '80', '-n', 'shop');
  expect(api.requests.filter(({ path }) => path.endsWith('/pods')).map(({ path }) => path)).toEqual([
    '/api/v1/namespaces/shop/pods',
  ]);
  const byAddress = await can('10.1.0.3', 'shop/api-1', '8080');
  expect(byAddress.stdout).toMatch(/^denied: other\/client -> shop\/api-1/);
});

test('a workload without pods is read too, and pages are followed', async () => {
  for (let at = 0; at < 600; at += 1)
    await api.create(pod(`shop/filler-${at}`, { labels: { app: 'filler' } }));
  const { stdout, code } = await can('cart', 'api-1', '8080', '-n', 'shop');
  expect(stdout).toMatch(/^denied: shop\/deploy\/cart \(template\) -> shop\/api-1/);
  expect(code).toBe(1);
  expect(
    api.requests.filter(({ path, query }) => path.endsWith('/pods') && query.continue !== undefined),
  ).toHaveLength(1);
});

test('ReplicaSets and ReplicationControllers are read, but not those that a Deployment keeps', async () => {
  const of = (kind: string, name: string, metadata: object = {}) => ({
    ...deployment(`shop/${name}`, { app: 'web' }),
    apiVersion: kind === 'ReplicaSet' ? 'apps/v1' : 'v1',
    kind,
    metadata: { namespace: 'shop', name, ...metadata },
  });
  const controller = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'web', controller: true };
  await api.create(of('ReplicaSet', 'alone'));
  const template = {
    metadata: { labels: { app: 'web' } },
    spec: { containers: [{ name: 'a', image: 'b' }] },
  };
  await api.create({ ...of('ReplicationController', 'old'), spec: { selector: { app: 'web' }, template } });
  await api.create(of('ReplicaSet', 'web-5d4f8c7b9d', { ownerReferences: [controller] }));
  for (const name of ['rs/alone', 'rc/old'])
    expect((await can(name, 'api-1', '8080', '-n', 'shop')).stdout).toBe(
      `allowed: shop/${name} (template) -> shop/api-1 TCP/8080\n`,
    );
  const kept = await can('rs/web-5d4f8c7b9d', 'api-1', '8080', '-n', 'shop');
  expect(kept.stderr).toContain('has no workload shop/rs/web-5d4f8c7b9d');
});

test('a right that is missing is named, with where and how to get it', async () => {
  refused = ['list networkpolicies shop'];
  const { code, stdout, stderr } = await can('web-1', 'api-1', '80', '-n', 'shop');
  expect(stderr).toContain('may not list networkpolicies.networking.k8s.io in namespace shop\n');
  expect(stderr).toContain('kubectl auth can-i list networkpolicies.networking.k8s.io -n shop');
  expect(stderr).toContain(
    'kubectl create role sluice-reader -n shop --verb=list --resource=networkpolicies.networking.k8s.io',
  );
  expect(stdout).toBe('');
  expect(code).toBe(2);
});

test('a user of one namespace gets an answer there, and what is not known is said', async () => {
  refused = [
    'list pods *',
    'list networkpolicies *',
    'list nodes',
    'list namespaces',
    'get namespaces',
    'list cronjobs',
  ];
  const { code, stdout, stderr } = await can('web-1', 'api-1', '8080', '-n', 'shop');
  expect(stdout).toBe('allowed: shop/web-1 -> shop/api-1 TCP/8080\n');
  expect(stderr).toContain('not known, because the user may not: ');
  expect(stderr).toContain('list cronjobs.batch in namespace shop');
  expect(code).toBe(0);
  const address = await can('10.1.0.2', 'shop/api-1', '8080');
  expect(address.stderr).toContain(
    'only namespace shop could be read: the user may not list pods in all namespaces',
  );
  expect(address.code).toBe(0);
});

test.each([
  ['json', '8080'],
  ['yaml', '--all-ports'],
])('what is not known is a note of -o %s about %s', async (format, ports) => {
  refused = ['list cronjobs'];
  const { stdout } = await can('web-1', 'api-1', ports, '-n', 'shop', '-o', format);
  const { notes } = parse(stdout) as { readonly notes?: readonly string[] };
  expect(notes).toEqual([expect.stringContaining('list cronjobs.batch in namespace shop')]);
});

test.each([
  ['a context that is not there', ['--context', 'in-shpo'], 'no context in-shpo; did you mean in-shop?'],
  ['a namespace that is not there', ['-n', 'shpo'], 'the cluster has no namespace shpo; did you mean shop?'],
])('%s is one line on stderr and exit 2', async (_, args, message) => {
  const { code, stderr } = await can('web-1', 'api-1', '80', ...args);
  expect(stderr).toContain(message);
  expect(stderr).toMatch(/^sluice: [^\n]+\n$/);
  expect(code).toBe(2);
});

test('where there is no kubeconfig it says where it looked', async () => {
  const home = temporaryDirectory();
  const { code, stderr } = await runSluice(['can', 'a', 'b', '80'], '', { HOME: home, KUBECONFIG: '' });
  expect(stderr).toBe(
    `sluice: no kubeconfig was found: there is no ${home}/.kube/config, and KUBECONFIG is not set; give --kubeconfig FILE, or manifests with -f PATH\n`,
  );
  expect(code).toBe(2);
});

test('a server that is away is a line with its address', async () => {
  await api.goAway();
  const { code, stderr } = await can('web-1', 'api-1', '80', '-n', 'shop');
  expect(stderr).toMatch(
    /^sluice: the cluster of context double cannot be read: https:\/\/127\.0\.0\.1:\d+: [^\n]+\n$/,
  );
  expect(code).toBe(2);
});
