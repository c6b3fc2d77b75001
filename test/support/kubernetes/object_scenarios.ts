/** What Sluice relies on when it reads and writes objects, asked of any API server. */
import {
  CoordinationV1Api,
  CoreV1Api,
  NetworkingV1Api,
  PatchStrategy,
  setHeaderOptions,
} from '@kubernetes/client-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Access, idlePod, TestCluster } from './test_cluster.ts';

/** Registers the scenarios. */
export function objectScenarios(open: () => Promise<Access>): void {
  let cluster: TestCluster;
  let namespace: string;
  let core: CoreV1Api;

  beforeEach(async () => {
    cluster = new TestCluster(await open());
    core = cluster.config.makeApiClient(CoreV1Api);
    namespace = await cluster.namespace();
  });

  afterEach(() => cluster.close());

  test('objects are created, read, replaced and deleted, each change with a version of its own', async () => {
    const created = await core.createNamespacedPod({ namespace, body: idlePod(namespace, 'a') });
    expect(created.metadata).toMatchObject({ name: 'a', namespace, uid: expect.stringMatching(/-/) });
    created.metadata = { ...created.metadata, labels: { app: 'web' } };
    const replaced = await core.replaceNamespacedPod({ name: 'a', namespace, body: created });
    expect(Number(replaced.metadata?.resourceVersion)).toBeGreaterThan(
      Number(created.metadata.resourceVersion),
    );
    expect(replaced.metadata?.uid).toBe(created.metadata.uid);
    await core.deleteNamespacedPod({ name: 'a', namespace, gracePeriodSeconds: 0 });
    await expect(core.readNamespacedPod({ name: 'a', namespace })).rejects.toMatchObject({ code: 404 });
  });

  test('a write on an older version is a conflict, whether put or patched', async () => {
    const old = await core.createNamespacedPod({ namespace, body: idlePod(namespace, 'a') });
    const where = { name: 'a', namespace };
    const asMerge = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);
    const label = (app: string, more = {}) => ({
      ...where,
      body: { metadata: { labels: { app }, ...more } },
    });
    await core.patchNamespacedPod(label('web'), asMerge);
    const { resourceVersion } = old.metadata ?? {};
    const refused = [
      core.replaceNamespacedPod({ ...where, body: old }),
      core.patchNamespacedPod(label('api', { resourceVersion }), asMerge),
      core.createNamespacedPod({ namespace, body: idlePod(namespace, 'a') }),
    ];
    for (const outcome of await Promise.allSettled(refused))
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 409 } });
    expect((await core.readNamespacedPod(where)).metadata?.labels).toEqual({ app: 'web' });
  });

  test('merge and JSON patches change what they name', async () => {
    await core.createNamespacedPod({ namespace, body: idlePod(namespace, 'a', { app: 'web', tier: 'x' }) });
    const where = { name: 'a', namespace };
    await core.patchNamespacedPod(
      { ...where, body: { metadata: { labels: { tier: null, zone: 'b' } } } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    );
    const patched = await core.patchNamespacedPod(
      { ...where, body: [{ op: 'replace', path: '/metadata/labels/app', value: 'api' }] },
      setHeaderOptions('Content-Type', PatchStrategy.JsonPatch),
    );
    expect(patched.metadata?.labels).toEqual({ app: 'api', zone: 'b' });
  });

  test('a JSON patch that tests for another value than is there changes nothing', async () => {
    await core.createNamespacedPod({ namespace, body: idlePod(namespace, 'a', { app: 'web' }) });
    const body = [
      { op: 'test', path: '/metadata/labels/app', value: 'api' },
      { op: 'replace', path: '/metadata/labels/app', value: 'db' },
    ];
    const patched = core.patchNamespacedPod(
      { name: 'a', namespace, body },
      setHeaderOptions('Content-Type', PatchStrategy.JsonPatch),
    );
    await expect(patched).rejects.toMatchObject({ code: 422 });
  });

  test('a write that changes nothing keeps the version', async () => {
    const created = await core.createNamespacedPod({
      namespace,
      body: idlePod(namespace, 'a', { app: 'web' }),
    });
    const same = await core.patchNamespacedPod(
      { name: 'a', namespace, body: { metadata: { labels: { app: 'web' } } } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    );
    expect(same.metadata?.resourceVersion).toBe(created.metadata?.resourceVersion);
  });

  test('the status of a pod is written through its subresource only', async () => {
    const created = await core.createNamespacedPod({ namespace, body: idlePod(namespace, 'a') });
    const where = { name: 'a', namespace };
    const body = { ...created, status: { phase: 'Running' } };
    const ignored = await core.replaceNamespacedPod({ ...where, body });
    expect(ignored.status?.phase).toBe('Pending');
    const set = await core.replaceNamespacedPodStatus({
      ...where,
      body: { ...ignored, status: body.status },
    });
    expect(set.status?.phase).toBe('Running');
  });

  test('a policy gets the defaults that the API server fills in', async () => {
    const api = cluster.config.makeApiClient(NetworkingV1Api);
    const body = { metadata: { name: 'p' }, spec: { podSelector: {}, ingress: [{ ports: [{ port: 80 }] }] } };
    const { spec } = await api.createNamespacedNetworkPolicy({ namespace, body });
    expect(spec?.policyTypes).toEqual(['Ingress']);
    expect(spec?.ingress?.[0]?.ports).toEqual([{ port: 80, protocol: 'TCP' }]);
  });

  test('what has not the type of its field is refused', async () => {
    const api = cluster.config.makeApiClient(NetworkingV1Api);
    const spec = { podSelector: { matchLabels: { app: 1 } } } as never;
    const created = api.createNamespacedNetworkPolicy({ namespace, body: { metadata: { name: 'p' }, spec } });
    await expect(created).rejects.toMatchObject({ code: 400 });
  });

  test('of two that take a Lease at the same version one gets it', async () => {
    const api = cluster.config.makeApiClient(CoordinationV1Api);
    const made = await api.createNamespacedLease({ namespace, body: { metadata: { name: 'l' }, spec: {} } });
    const take = (holderIdentity: string) =>
      api.replaceNamespacedLease({ name: 'l', namespace, body: { ...made, spec: { holderIdentity } } });
    const outcomes = await Promise.allSettled([take('a'), take('b')]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  test('a delete on another UID deletes nothing', async () => {
    await core.createNamespacedPod({ namespace, body: idlePod(namespace, 'a') });
    const preconditions = { uid: '00000000-0000-0000-0000-000000000000' };
    const deleted = core.deleteNamespacedPod({ name: 'a', namespace, body: { preconditions } });
    await expect(deleted).rejects.toMatchObject({ code: 409 });
  });

  test('a rehearsed write leaves nothing behind', async () => {
    await core.createNamespacedPod({ namespace, body: idlePod(namespace, 'a'), dryRun: 'All' });
    await expect(core.readNamespacedPod({ name: 'a', namespace })).rejects.toMatchObject({ code: 404 });
  });
}
