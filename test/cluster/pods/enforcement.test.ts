/** The whole way, in a cluster whose nodes run pods: from the label of a namespace to a connection that is cut. */
import {
  CoreV1Api,
  NetworkingV1Api,
  PatchStrategy,
  setHeaderOptions,
  type V1Pod,
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

/** Writes the policy on the server's pod; returns when the API server took it, ms since 1970. */
async function admit(from: string): Promise<number> {
  const body = { metadata: { name: 'server', namespace }, spec: only(from) };
  const there = await network.listNamespacedNetworkPolicy({ namespace });
  if (there.items.length === 0) await network.createNamespacedNetworkPolicy({ namespace, body });
  else await network.replaceNamespacedNetworkPolicy({ name: 'server', namespace, body });
  return Date.now();
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
    expect(spec?.initContainers?.map(({ name }) => name)).toEqual(['sluice-redirect', 'sluice-sidecar']);
  const { lines } = await connected('client');
  expect(lines[0]).toBe(`::ffff:${client.status?.podIP}`);
});

test('a policy cuts the connection that is open, and lets others be', async () => {
  const cut = await connected('client');
  const kept = await connected('other');
  const since = await admit('other');
  await cut.over;
  console.info(`cut ${cut.lastAt() - since} ms after the API server took the policy`);
  expect(cut.lines.at(-1)).toBe('error ECONNRESET');
  expect(await refused('client')).toBe('error silence');
  const soFar = kept.lines.length;
  await settled(async () => expect(kept.lines.length).toBeGreaterThan(soFar));
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
