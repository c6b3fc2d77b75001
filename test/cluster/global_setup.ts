/** Before the cluster tests: there is a cluster, and what an earlier run left in it goes. */
import { CoreV1Api } from '@kubernetes/client-node';
import { TEST_LABEL } from '../support/kubernetes/test_cluster.ts';
import { realCluster } from './access.ts';

export default async function setup(): Promise<void> {
  if (process.env.KUBECONFIG === undefined)
    throw new Error('KUBECONFIG is not set: the cluster tests want the kubeconfig of a cluster to test in');
  const { config } = await realCluster();
  const core = config.makeApiClient(CoreV1Api);
  const left = await core.listNamespace({ labelSelector: TEST_LABEL });
  for (const { metadata } of left.items) await core.deleteNamespace({ name: metadata?.name ?? '' });
}
