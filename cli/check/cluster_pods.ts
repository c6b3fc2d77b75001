/** The pods of a namespace of a cluster, with what the kernels of their nodes have refused. */
import type { V1Pod } from '@kubernetes/client-node';
import { OWN_CONTAINERS } from '../../common/contract.ts';
import type { CheckedPod } from './namespace_check.ts';
import { KERNEL_CODES, type KernelRefusal } from './node_check.ts';
import { type AutoPod, autoPodOf } from './node_paths.ts';
import { workloadOf } from './workload.ts';

/** All that are to stay. @param listed all pods of one namespace */
export function podsToStay(listed: readonly V1Pod[]): {
  readonly pods: readonly CheckedPod[];
  readonly refused: readonly KernelRefusal[];
  /** Those that say which path `auto` comes to. */
  readonly auto: readonly AutoPod[];
} {
  const pods: CheckedPod[] = [];
  const refused: KernelRefusal[] = [];
  const auto: AutoPod[] = [];
  for (const pod of listed.filter(isToStay)) {
    const found = autoPodOf(pod);
    if (found !== undefined) auto.push(found);
    const message = refusalOf(pod);
    const { namespace = '', name = '', labels = {}, annotations = {} } = pod.metadata ?? {};
    if (message !== undefined)
      refused.push({ node: pod.spec?.nodeName ?? '', namespace, pod: name, message });
    pods.push({
      workload: workloadOf(pod),
      pod: name,
      count: 1,
      object: { metadata: { labels, annotations }, spec: pod.spec },
    });
  }
  return { pods, refused, auto };
}

/** Neither finished nor about to go: restarting the workload of one that ends changes nothing. */
function isToStay({ metadata, status }: V1Pod): boolean {
  return metadata?.deletionTimestamp === undefined && !['Succeeded', 'Failed'].includes(status?.phase ?? '');
}

/** What a container of ours said when it ended last, where its node's kernel was the reason. */
function refusalOf({ status }: V1Pod): string | undefined {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
    .filter(({ name }) => OWN_CONTAINERS.includes(name))
    .map(({ state, lastState }) => (state?.terminated ?? lastState?.terminated)?.message ?? '')
    .find((message) => KERNEL_CODES.test(message));
}
