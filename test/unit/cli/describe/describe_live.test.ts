/** `sluice describe` of a cluster: the API's stand-in over HTTPS, and how far things are in force there. */
import { beforeEach, expect, test } from 'vitest';
import { pod } from '../../../builders/cli_manifests.ts';
import { type Manifest, namespace, policy } from '../../../builders/manifests.ts';
import type { ApiServer } from '../../../support/api_server/api_server.ts';
import { liveCluster } from '../support/live_cluster.ts';
import { runSluice } from '../support/sluice_process.ts';

let api: ApiServer;
let kubeconfig = '';
/** What the user may not do. */
let refused: string[] = [];

beforeEach(async () => {
  refused = [];
  ({ api, kubeconfig } = await liveCluster({
    contexts: { double: 'shop' },
    authorize: (_, verb, { resource, namespace: where }) =>
      !refused.includes(`${verb} ${resource.plural} ${where ?? '*'}`),
  }));
  for (const name of ['shop', 'other']) await api.create(namespace(name, { team: name }));
  await api.apply(withSidecar(pod('shop/api-1', { labels: { app: 'api' }, ip: '10.1.0.1' }), true));
  await api.apply(withSidecar(pod('shop/api-2', { labels: { app: 'api' }, ip: '10.1.0.2' }), true));
  await api.apply(pod('other/client', { labels: { app: 'client' }, ip: '10.1.0.3' }));
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
async function putPolicy(status?: object): Promise<void> {
  const made = policy('shop/api-in', {
    podSelector: { matchLabels: { app: 'api' } },
    ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'other' } } }], ports: [{ port: 80 }] }],
  });
  const { metadata } = made as { readonly metadata: object };
  const annotations = status === undefined ? {} : { 'sluice.dev/status': JSON.stringify(status) };
  await api.apply({ ...made, metadata: { ...metadata, annotations } });
}

const ENFORCED = { state: 'enforced', generation: 1, selected: 2, enforcing: 2 };
const describe = (...args: string[]) => runSluice(['describe', ...args, '--kubeconfig', kubeconfig]);

test('a policy that all sidecars enforce, with its peers of another namespace', async () => {
  await putPolicy(ENFORCED);
  const { code, stdout, stderr } = await describe('netpol/api-in');
  expect(stderr).toBe('');
  expect(stdout).toContain(
    `shop/api-in  NetworkPolicy
selects   shop/[app=api]: 2 pods: pod/api-1, pod/api-2
in force  at 2 of 2 pods
status    enforced, generation 1: 2 of 2 pods
INGRESS  isolated; admitted:
  FROM            PORTS   BY                 WHO THAT IS NOW
  [team=other]/*  TCP/80  api-in ingress[0]  1 pod: other/pod/client
EGRESS  not isolated by it
`,
  );
  expect(code).toBe(0);
});

test('pods without a sidecar, or with one that is not ready, are named, and the exit code is 1', async () => {
  await putPolicy({ ...ENFORCED, state: 'pending', selected: 4 });
  await api.apply(withSidecar(pod('shop/api-3', { labels: { app: 'api' }, ip: '10.1.0.4' }), false));
  await api.apply(pod('shop/api-4', { labels: { app: 'api' }, ip: '10.1.0.5' }));
  const { code, stdout } = await describe('netpol/api-in');
  expect(stdout).toContain(`in force  at 0 of 4 pods
  not in force at shop/api-3: its sidecar is not ready
  not in force at shop/api-4: it has no sidecar
  not known of shop/api-1: 2 of 4 pods enforce shop/api-in
  not known of shop/api-2: 2 of 4 pods enforce shop/api-in
status    pending, generation 1: 2 of 4 pods
`);
  expect(code).toBe(1);
});

test('a pod of a policy that only some enforce is not known, and that is no failure', async () => {
  await putPolicy({ ...ENFORCED, state: 'pending', enforcing: 1 });
  const json = await describe('pod/api-1', '-o', 'json');
  expect(JSON.parse(json.stdout)).toMatchObject({
    in_force: { known: true, pods: 1, in_force: 0, not_in_force: { count: 0 }, not_known: { count: 1 } },
  });
  expect(json.code).toBe(0);
});

test.each([
  [
    'of an earlier generation',
    { ...ENFORCED, generation: 0 },
    'the status of shop/api-in is about an earlier generation',
  ],
  ['that nobody has written', undefined, 'shop/api-in has no sluice.dev/status'],
])('a status %s says nothing', async (_, status, why) => {
  await putPolicy(status);
  const { code, stdout } = await describe('pod', 'api-1');
  expect(stdout).toContain(`in force  at 0 of 1 pod\n  not known of shop/api-1: ${why}\n`);
  expect(code).toBe(0);
});

test('a namespace that the user may not see is not said to be absent alone', async () => {
  await api.create(namespace('empty'));
  expect(await describe('ns/empty')).toMatchObject({ code: 0, stderr: '' });
  refused = ['list namespaces *'];
  const { code, stderr } = await describe('ns/empty');
  expect(stderr).toContain(
    'has no namespace empty, or the user cannot see it, who may not list namespaces\n',
  );
  expect(code).toBe(2);
});

test('-n of a namespace that is not there is an error for each command that reads the whole cluster', async () => {
  for (const command of ['lint', 'graph', 'describe api-1']) {
    const args = [...command.split(' '), '-n', 'shpo', '--kubeconfig', kubeconfig];
    const { code, stdout, stderr } = await runSluice(args);
    expect([code, stdout, stderr]).toEqual([
      2,
      '',
      'sluice: the cluster has no namespace shpo; did you mean shop?\n',
    ]);
  }
});

test('a user of one namespace is told what is not known', async () => {
  await putPolicy(ENFORCED);
  refused = ['list pods *', 'list networkpolicies *', 'list namespaces *', 'list nodes *'];
  const { code, stdout, stderr } = await describe('netpol/api-in', '-o', 'json');
  expect(stderr).toContain('only namespace shop could be read: the user may not list pods in all namespaces');
  const { ingress, notes } = JSON.parse(stdout) as Record<string, unknown>;
  expect(notes).toEqual(
    expect.arrayContaining([expect.stringContaining('only namespace shop could be read')]),
  );
  expect(ingress).toMatchObject({
    rules: { first: [{ peers: { first: [{ now: { known: false, pods: 0 } }] } }] },
  });
  expect(code).toBe(0);
});
