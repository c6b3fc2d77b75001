/** The whole way, in a cluster whose nodes run pods: from the label of a namespace to a connection that is cut. */
import {
  CoreV1Api,
  NetworkingV1Api,
  PatchStrategy,
  setHeaderOptions,
  type V1Pod,
  type V1TokenRequestSpec,
} from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { idlePod, settled, TestCluster } from '../../support/kubernetes/test_cluster.ts';
import { realCluster } from '../access.ts';
import { Installation } from './installation.ts';
import { Pods } from './pods.ts';

let cluster: TestCluster;
let core: CoreV1Api;
let network: NetworkingV1Api;
let installation: Installation;
let namespace: string;
let pods: Pods;

beforeAll(async () => {
  cluster = new TestCluster(await realCluster());
  core = cluster.config.makeApiClient(CoreV1Api);
  network = cluster.config.makeApiClient(NetworkingV1Api);
  installation = await Installation.create(cluster);
  namespace = await cluster.namespace();
  await core.patchNamespace(
    { name: namespace, body: { metadata: { labels: { 'sluice.dev/inject': 'enabled' } } } },
    setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
  );
  pods = new Pods(cluster, namespace);
  // The injector is ready a moment before its Service leads to it.
  const body = idlePod(namespace, 'probe') as V1Pod;
  await settled(() => core.createNamespacedPod({ namespace, body, dryRun: 'All' }));
}, 120_000);

afterAll(() => cluster.close(), 60_000);

const only = (from: string) => ({
  podSelector: { matchLabels: { app: 'server' } },
  policyTypes: ['Ingress'],
  ingress: [{ _from: [{ podSelector: { matchLabels: { app: from } } }] }],
});

/** Writes the policy on the server's pod. */
async function admit(from: string): Promise<void> {
  const body = { metadata: { name: 'server', namespace }, spec: only(from) };
  const there = await network.listNamespacedNetworkPolicy({ namespace });
  if (there.items.length === 0) await network.createNamespacedNetworkPolicy({ namespace, body });
  else await network.replaceNamespacedNetworkPolicy({ name: 'server', namespace, body });
}

/** A connection that works, with the address that the server saw. */
async function connected(client: string): Promise<Awaited<ReturnType<Pods['connect']>>> {
  return settled(async () => {
    const connection = await pods.connect(client, 'server');
    await settled(async () => expect(connection.lines.length).toBeGreaterThan(2));
    return connection;
  });
}

/** How a connection that must not work fails. */
async function refused(client: string): Promise<string | undefined> {
  const connection = await pods.connect(client, 'server');
  await connection.over;
  return connection.lines.at(-1);
}

test('pods of a labelled namespace come up behind a sidecar, probed by their node', async () => {
  const [server, client] = await Promise.all([pods.server('server'), pods.client('client')]);
  await pods.client('other');
  for (const { spec } of [server, client] as V1Pod[])
    expect(spec?.initContainers?.map(({ name }) => name)).toEqual(['sluice-sidecar']);
  const { lines } = await connected('client');
  expect(lines[0]).toBe(`::ffff:${client.status?.podIP}`);
});

test('a policy cuts the connection that is open, and lets others be', async () => {
  const cut = await connected('client');
  const kept = await connected('other');
  await admit('other');
  await cut.over;
  expect(cut.lines.at(-1)).toBe('error ECONNRESET');
  expect(await refused('client')).toBe('error silence');
  const soFar = kept.lines.length;
  await settled(async () => expect(kept.lines.length).toBeGreaterThan(soFar));
});

test('the policy says how many pods enforce it', async () => {
  await settled(async () => {
    const { metadata } = await network.readNamespacedNetworkPolicy({ name: 'server', namespace });
    const status = JSON.parse(metadata?.annotations?.['sluice.dev/status'] ?? '{}');
    expect(status).toEqual({
      state: 'enforced',
      generation: metadata?.generation,
      selected: 1,
      enforcing: 1,
    });
  });
});

test('a denial names both pods and the rule that came nearest', async () => {
  await settled(async () =>
    expect(await pods.log('server', 'sluice-sidecar')).toContainEqual(
      expect.objectContaining({
        explanation: expect.stringContaining('label app=other wanted, peer has app=client'),
      }),
    ),
  );
});

test('a label that changes changes what its pod may do', async () => {
  const label = (app: string) =>
    core.patchNamespacedPod(
      { name: 'client', namespace, body: { metadata: { labels: { app } } } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    );
  await label('other');
  const connection = await connected('client');
  await label('client');
  await connection.over;
  expect(connection.lines.at(-1)).toBe('error ECONNRESET');
});

test('egress policy cuts what its pod has open, and lets it reach the Services it may', async () => {
  const policy = (app: string) => ({
    metadata: { name: 'other', namespace },
    spec: {
      podSelector: { matchLabels: { app: 'other' } },
      policyTypes: ['Egress'],
      egress: [{ to: [{ podSelector: { matchLabels: { app } } }] }],
    },
  });
  const cut = await connected('other');
  await network.createNamespacedNetworkPolicy({ namespace, body: policy('client') });
  await cut.over;
  expect(cut.lines.at(-1)).toMatch(/^error/);
  expect(await refused('other')).toBe('error silence');
  await network.replaceNamespacedNetworkPolicy({ name: 'other', namespace, body: policy('server') });
  await connected('other');
  await network.deleteNamespacedNetworkPolicy({ name: 'other', namespace });
});

test('a table is for who shows a token of its pod, made for Sluice', async () => {
  const token = async (spec: V1TokenRequestSpec) => {
    const made = await core.createNamespacedServiceAccountToken({
      name: 'default',
      namespace,
      body: { spec },
    });
    return made.status?.token ?? '';
  };
  const { metadata } = await core.readNamespacedPod({ name: 'client', namespace });
  const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: 'client', uid: metadata?.uid ?? '' };
  const good = await token({ audiences: ['sluice.dev'], boundObjectRef });
  // Of an injected pod only the sidecar reaches the injector.
  expect(await pods.askForTable('client', good)).toMatch(/ECONNREFUSED/);
  const strangers = new Pods(cluster, await cluster.namespace());
  await strangers.client('stranger');
  expect(await strangers.askForTable('stranger', good)).toBe('snapshot');
  // Of no pod; of the pod, but made for the API server.
  const ofNoPod = await token({ audiences: ['sluice.dev'] });
  const foreign = await token({ audiences: [], boundObjectRef });
  for (const bad of [ofNoPod, foreign]) expect(await strangers.askForTable('stranger', bad)).toBe('refused');
});

test('a Job ends, though its pod has a sidecar', () => pods.job('job'));

test('without the injector nothing new starts, and what runs is enforced as it was', async () => {
  const kept = await connected('other');
  await installation.takeAway();
  await expect(
    core.createNamespacedPod({ namespace, body: idlePod(namespace, 'late') as V1Pod }),
  ).rejects.toThrow(/failed calling webhook/);
  expect(await refused('client')).toBe('error silence');
  const soFar = kept.lines.length;
  await settled(async () => expect(kept.lines.length).toBeGreaterThan(soFar));
  await admit('client'); // nobody learns of it yet
  await installation.bringBack();
  await kept.over;
  await connected('client');
});

test('a policy that is deleted isolates nobody any more', async () => {
  expect(await refused('other')).toBe('error silence');
  await network.deleteNamespacedNetworkPolicy({ name: 'server', namespace });
  await connected('other');
});

test('the rights of the injector are all that it needs', async () => {
  for (const line of await installation.log()) expect(line).not.toMatch(/forbidden/);
});
