/** What the rights and policies of the default overlay leave to a stolen token of the injector. */
import { CoreV1Api, KubeConfig, type KubernetesObject } from '@kubernetes/client-node';
import { afterAll, beforeAll } from 'vitest';
import { kustomize } from '../manifests/render.ts';
import { accountScenarios } from '../support/kubernetes/account_scenarios.ts';
import { settled, TestCluster } from '../support/kubernetes/test_cluster.ts';
import { realCluster } from './access.ts';

let installed: TestCluster;

beforeAll(async () => {
  installed = new TestCluster(await realCluster());
  // The namespace comes first: it fails where Sluice is installed already.
  const objects = (await kustomize('manifests/overlays/default')).filter(({ kind }) => kind !== 'Deployment');
  const ordered = [...objects].sort(
    (a, b) => Number(b.kind === 'Namespace') - Number(a.kind === 'Namespace'),
  );
  for (const object of ordered) await settled(() => installed.create(object as KubernetesObject));
}, 120_000);

afterAll(() => installed.close());

accountScenarios(realCluster, async ({ config }) => {
  const { status } = await config.makeApiClient(CoreV1Api).createNamespacedServiceAccountToken({
    namespace: 'sluice-system',
    name: 'sluice-injector',
    body: { spec: { audiences: [] } },
  });
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error('the kubeconfig has no current cluster');
  const stolen = new KubeConfig();
  stolen.loadFromClusterAndUser(cluster, { name: 'stolen', token: status?.token ?? '' });
  return stolen;
});
