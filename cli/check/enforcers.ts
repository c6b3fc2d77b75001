/** Other programs that enforce NetworkPolicy in a cluster, as far as its objects show them. */
import type { V1DaemonSet, V1Node } from '@kubernetes/client-node';
import { type Finding, shellWord, warning } from './finding.ts';

/** One of them: known by a word in the name of its DaemonSet, or of the image of one of its containers. */
interface Enforcer {
  readonly name: string;
  readonly daemonSets?: readonly string[];
  readonly images?: readonly string[];
}

/** Sources: the install manifests of each. Of the AWS plugin only the agent for policies counts, which not all have. */
const ENFORCERS: readonly Enforcer[] = [
  { name: 'Calico', daemonSets: ['calico-node', 'canal'], images: ['calico/node'] },
  { name: 'Cilium', daemonSets: ['cilium', 'anetd'], images: ['cilium/cilium'] },
  { name: 'Antrea', daemonSets: ['antrea-agent'], images: ['antrea/antrea-agent'] },
  { name: 'kube-router', daemonSets: ['kube-router'], images: ['kube-router'] },
  { name: "Amazon's network policy agent", images: ['aws-network-policy-agent'] },
  { name: 'Weave Net', images: ['weave-npc'] },
  { name: 'Azure Network Policy Manager', daemonSets: ['azure-npm'] },
  { name: 'OVN-Kubernetes', daemonSets: ['ovnkube-node'] },
  { name: 'Kube-OVN', daemonSets: ['kube-ovn-cni'] },
  { name: 'kube-network-policies', daemonSets: ['kube-network-policies'], images: ['kube-network-policies'] },
  { name: 'kindnet', daemonSets: ['kindnet'], images: ['kindnetd'] },
];

/** A k3s node enforces policy in its own process, unless it is started with --disable-network-policy. */
const K3S = /\+k3s/;

const SAID =
  'enforces NetworkPolicy too, unless it is set not to: connections pass only where both allow them, and what it denies leaves no record of Sluice';

/** @param daemonSets of all namespaces */
export function checkEnforcers(
  daemonSets: readonly V1DaemonSet[],
  nodes: readonly V1Node[],
): readonly Finding[] {
  const found = daemonSets.flatMap((daemonSet) => {
    const enforcer = ENFORCERS.find((one) => isOf(one, daemonSet));
    const { namespace = '', name = '' } = daemonSet.metadata ?? {};
    const look = `kubectl describe daemonset/${shellWord(name)} -n ${shellWord(namespace)}`;
    return enforcer === undefined
      ? []
      : [warning('CK101', `daemonset ${namespace}/${name}`, `${enforcer.name} ${SAID}`, look)];
  });
  const isK3s = nodes.some(({ status }) => K3S.test(status?.nodeInfo?.kubeletVersion ?? ''));
  return isK3s
    ? [...found, warning('CK101', 'cluster', `k3s ${SAID} (--disable-network-policy turns it off)`)]
    : found;
}

function isOf({ daemonSets = [], images = [] }: Enforcer, { metadata, spec }: V1DaemonSet): boolean {
  if (daemonSets.includes(metadata?.name ?? '')) return true;
  const used = (spec?.template.spec?.containers ?? []).map(({ image = '' }) => imageName(image));
  return images.some((image) => used.some((one) => one === image || one.endsWith(`/${image}`)));
}

/** Without its tag and digest. */
function imageName(image: string): string {
  return image.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
}
