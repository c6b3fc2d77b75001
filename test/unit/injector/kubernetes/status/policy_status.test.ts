/** What a policy's status says, worked out from the cluster and from what sidecars enforce. */
import { expect, test } from 'vitest';
import { policyStatus } from '../../../../../injector/kubernetes/status/policy_status.ts';
import { watchedResources } from '../../../../../injector/kubernetes/watched_kinds.ts';
import { PolicyCounts } from '../../../../../injector/tables/policy_counts.ts';
import { LiveCluster } from '../../../../../policy/compile/live_cluster.ts';
import { DEFAULT_POLICY_LIMITS } from '../../../../../policy/index.ts';
import { allowApps, type Manifest, pod, policy } from '../../../../builders/manifests.ts';

/** The cluster of objects as a source would have it. */
function clusterOf(...objects: readonly Manifest[]): LiveCluster {
  const cluster = new LiveCluster();
  for (const object of objects) {
    const { change } = trimmed(object);
    if (change !== undefined) cluster.apply(change);
  }
  return cluster;
}

function trimmed(object: Manifest) {
  const resource = watchedResources(DEFAULT_POLICY_LIMITS).find(({ kind }) => kind === object.kind);
  const metadata = { uid: 'u', resourceVersion: '1', ...(object.metadata as { name: string }) };
  if (resource === undefined) throw new Error(`${object.kind} is not watched`);
  return resource.trim({ ...object, metadata });
}

test('a policy selects the running pods of its namespace that policy can select', () => {
  const web = { app: 'web' };
  const cluster = clusterOf(
    pod('shop/a', { labels: web, ips: ['10.0.1.1'] }),
    pod('shop/b', { labels: web, ips: ['10.0.1.2'], hostNetwork: true }),
    pod('shop/c', { labels: web, ips: ['10.0.1.3'], phase: 'Succeeded' }),
    pod('shop/d', { labels: web, ips: [] }),
    pod('shop/e', { labels: { app: 'api' }, ips: ['10.0.1.5'] }),
    pod('other/f', { labels: web, ips: ['10.0.1.6'] }),
    allowApps('shop/web', 'web', []),
    policy('shop/egress', { podSelector: {}, policyTypes: ['Egress'] }),
  );
  const counts = new PolicyCounts(cluster);
  expect(counts.examples('shop/web', 10)).toEqual(['shop/a']);
  expect(counts.of('shop/web').selected).toBe(1);
  expect(counts.examples('shop/egress', 10)).toEqual(['shop/a', 'shop/e']);
  expect(counts.of('shop/egress').selected).toBe(2);
});

test('a pod counts once its connected sidecar enforces the table it was last sent', () => {
  const web = { app: 'web' };
  const pods = ['a', 'b', 'c', 'd'].map((name, place) =>
    pod(`shop/${name}`, { labels: web, ips: [`10.0.1.${place}`] }),
  );
  const counts = new PolicyCounts(clusterOf(...pods, allowApps('shop/web', 'web', [])));
  counts.setSidecar('shop/a', 'enforcing');
  counts.setSidecar('shop/b', 'behind');
  counts.setSidecar('shop/c', 'absent');
  expect(counts.of('shop/web')).toEqual({ selected: 4, enforcing: 1 });
});

test.each([
  [2, 2, true, 'enforced'],
  [0, 0, true, 'enforced'],
  [2, 1, true, 'pending'],
  [2, 3, true, 'enforced'],
  [2, 1, false, 'unenforced'],
  [2, 2, false, 'enforced'],
  [0, 0, false, 'enforced'],
])('of %d pods %d enforce it, injected: %s: %s', (selected, enforcing, isInjected, state) => {
  expect(policyStatus(4, selected, enforcing, [], isInjected)).toEqual({
    state,
    generation: 4,
    selected,
    enforcing: Math.min(selected, enforcing),
  });
});

test('what cannot be enforced is said, warnings are not', () => {
  const ipBlock = { cidr: '10.0.0.0/99' };
  const { problems } = trimmed(policy('shop/web', { ingress: [{ from: [{ ipBlock }] }] }));
  const warning = { file: 'cluster', document: 0, message: 'unknown field' };
  const status = policyStatus(1, 1, 1, [{ ...warning, severity: 'warning' }, ...problems], true);
  expect(status).toMatchObject({
    state: 'partial',
    unsupported: [expect.stringContaining('spec.ingress[0].from[0]')],
  });
});
