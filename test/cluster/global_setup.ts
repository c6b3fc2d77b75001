/** Before the cluster tests: there is a cluster, and what a run that was interrupted left in it goes. */
import { KubernetesObjectApi } from '@kubernetes/client-node';
import { TEST_LABEL } from '../support/kubernetes/test_cluster.ts';
import { realCluster } from './access.ts';

const ADMISSION = 'admissionregistration.k8s.io/v1';
const RBAC = 'rbac.authorization.k8s.io/v1';

/** What tests make beside what is in their namespaces. */
const KINDS = [
  [ADMISSION, 'MutatingWebhookConfiguration'],
  [ADMISSION, 'ValidatingAdmissionPolicyBinding'],
  [ADMISSION, 'ValidatingAdmissionPolicy'],
  [RBAC, 'ClusterRoleBinding'],
  [RBAC, 'ClusterRole'],
  ['certificates.k8s.io/v1', 'CertificateSigningRequest'],
  ['v1', 'Namespace'],
] as const;

export default async function setup(): Promise<void> {
  if (process.env.KUBECONFIG === undefined)
    throw new Error('KUBECONFIG is not set: the cluster tests want the kubeconfig of a cluster to test in');
  const objects = KubernetesObjectApi.makeApiClient((await realCluster()).config);
  for (const [apiVersion, kind] of KINDS) {
    const left = await objects.list(
      apiVersion,
      kind,
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
      TEST_LABEL,
    );
    for (const { metadata } of left.items)
      await objects.delete({ apiVersion, kind, metadata: { name: metadata?.name ?? '' } });
  }
}
