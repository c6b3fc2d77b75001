/** Pods that policies isolate for egress without letting them ask for names. */
import {
  type Cluster,
  createCompiler,
  isolatingPolicies,
  type NetworkPolicy,
  type Pod,
} from '../../policy/index.ts';
import { type Finding, warning } from './finding.ts';
import { type CheckedNamespace, type CheckedPod, metadataOf } from './namespace_check.ts';
import { workloadSubject } from './workload.ts';

/**
 * One finding for all pods of which the same is to be said.
 * @param policies of the namespace
 * @param cluster with the name servers, and the namespaces' labels
 */
export function checkDns(
  { name: namespace }: CheckedNamespace,
  pods: readonly CheckedPod[],
  policies: readonly NetworkPolicy[],
  cluster: Cluster,
): readonly Finding[] {
  const subjects = pods.flatMap((pod, index): (readonly [CheckedPod, Pod])[] => {
    const { labels } = metadataOf(pod);
    return isolatingPolicies(policies, { namespace, labels }, 'egress').length === 0
      ? []
      : [[pod, podOf(namespace, `${index}`, labels)]];
  });
  if (subjects.length === 0) return [];
  const compiler = createCompiler({
    ...cluster,
    pods: new Map([...cluster.pods, ...subjects.map(([, pod]) => [pod.uid, pod] as const)]),
    policies: new Map(policies.map((policy) => [`${namespace}/${policy.name}`, policy])),
  });
  const said = Map.groupBy(subjects, ([, pod]) => compiler.forgottenDns(pod.uid));
  return [...said].flatMap(([text, found]) => {
    const [first, ...others] = new Set(found.map(([{ workload }]) => workloadSubject(workload)));
    if (text === undefined || first === undefined) return [];
    const more = others.length === 0 ? '' : ` and ${others.length} more`;
    return [warning('CK403', `${first}${more}`, text)];
  });
}

/** As its workload makes it: policy goes by its labels alone. The name is no pod's: it has an upper-case letter. */
function podOf(namespace: string, index: string, labels: Pod['labels']): Pod {
  const name = `Checked-${index}`;
  return {
    namespace,
    name,
    uid: `${namespace}/${name}`,
    labels,
    ips: [],
    hostIPs: [],
    hostNetwork: false,
    phase: 'Pending',
    ports: [],
    workload: `pod/${name}`,
  };
}
