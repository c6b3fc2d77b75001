/** `sluice diff cluster PATH` and `sluice graph` ask a cluster: the API's stand-in over HTTPS. */
import { beforeEach, expect, test } from 'vitest';
import { deployment, manifestDirectory, pod } from '../../../builders/cli_manifests.ts';
import { namespace, policy } from '../../../builders/manifests.ts';
import type { ApiServer } from '../../../support/api_server/api_server.ts';
import { liveCluster } from '../support/live_cluster.ts';
import { runSluice } from '../support/sluice_process.ts';

let api: ApiServer;
let kubeconfig = '';
/** What the user may not do in all namespaces. */
let refused: string[] = [];

const fromWeb = [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ port: 80 }] }];
const select = { podSelector: { matchLabels: { app: 'api' } } };

beforeEach(async () => {
  refused = [];
  ({ api, kubeconfig } = await liveCluster({
    contexts: { 'in-shop': 'shop' },
    authorize: (_, verb, { resource, namespace: where }) =>
      where !== undefined || !refused.includes(`${verb} ${resource.plural}`),
  }));
  for (const name of ['shop', 'other']) await api.create(namespace(name));
  await api.create(deployment('shop/web', { app: 'web' }));
  await api.apply(pod('shop/api-1', { labels: { app: 'api' }, ip: '10.1.0.1' }));
  await api.apply(pod('other/client', { labels: { app: 'web' }, ip: '10.1.0.3' }));
  await api.create(policy('shop/api', { ...select, ingress: fromWeb }));
});

const sluice = (...args: string[]) => runSluice([...args, '--kubeconfig', kubeconfig]);

test('what applying files would change, and nothing is deleted by it', async () => {
  const { metadata, ...more } = policy('shop/more', { ...select, ingress: [{ ports: [{ port: 9 }] }] });
  // Without a namespace: that of the context, as with kubectl.
  const files = manifestDirectory({ ...more, metadata: { ...Object(metadata), namespace: undefined } });
  const { code, stdout, stderr } = await sluice('diff', 'cluster', files);
  expect([code, stderr]).toEqual([1, '']);
  expect(stdout).toBe(
    [
      '+ wider  external, any pod of other namespaces, other/pod/client -> shop/pod/api-1  none -> TCP/9            shop/more ingress[0] added',
      '+ wider  shop/deploy/web -> shop/pod/api-1                                          TCP/80 -> TCP/9, TCP/80  shop/more ingress[0] added',
      '= 4 pairs wider, 15 unchanged',
      '',
    ].join('\n'),
  );
});

test('graph is about the namespace of the context, with -A about all', async () => {
  const own = await sluice('graph', '--no-headers');
  expect(own.stdout).toBe('shop/deploy/web -> shop/pod/api-1  TCP/80  shop/api ingress[0]\n');
  await api.create(policy('other/open', { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] }));
  await api.apply(pod('other/more', { labels: { app: 'x' }, ip: '10.1.0.4' }));
  expect((await sluice('graph', '--no-headers')).stdout).toBe(own.stdout);
  expect((await sluice('graph', '-A', '--no-headers')).stdout).toBe(
    'other/* -> other/*                 all ports  other/open ingress[0]\n' +
      'shop/deploy/web -> shop/pod/api-1  TCP/80     shop/api ingress[0]\n',
  );
});

test('who may read one namespace only is answered about it, with a note', async () => {
  refused = ['list pods', 'list networkpolicies'];
  const { code, stdout, stderr } = await sluice('graph', '--no-headers');
  expect([code, stdout]).toEqual([0, 'shop/deploy/web -> shop/pod/api-1  TCP/80  shop/api ingress[0]\n']);
  expect(stderr).toContain('only namespace shop could be read');
});
