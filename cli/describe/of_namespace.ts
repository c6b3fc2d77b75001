/** A namespace: its workloads, what isolates each, and its policies. */
import { mayAskNames, type Subject } from '../../lint/index.ts';
import { formatSelector, namespaceLabels } from '../../policy/index.ts';
import { inForceOf } from '../in_force/index.ts';
import { listed } from '../listed.ts';
import type { DescribeContext } from './describe_context.ts';
import type { NamespaceData, PolicyLineData, WorkloadData } from './description.ts';
import { findingsAbout } from './findings.ts';
import { isolatedPods } from './of_pods.ts';

/** Workloads, and policies, that the data has. */
const MAX_LINES = 500;

/** Everything in it. Each workload and each policy is looked at once. */
export function describeNamespace(name: string, context: DescribeContext): NamespaceData {
  const { model, dns, inForce } = context;
  const subjects = model.subjectsIn(name).all;
  const own = subjects.filter(({ pod }) => !pod.hostNetwork);
  const askNames = createAskNames(context);
  const workloads = [...Map.groupBy(own, (subject) => subject.name)].map(([workload, all]) =>
    workloadData(workload, all, context, askNames),
  );
  const isolated = (direction: 'ingress' | 'egress') =>
    workloads.filter((one) => one[direction].count > 0).length;
  const policies = model.policiesIn(name);
  const asking = workloads.filter(({ dns: may }) => may !== undefined);
  return {
    kind: 'namespace',
    name,
    labels: namespaceLabels(model.cluster, name),
    pods: subjects.reduce((sum, { pods }) => sum + pods.length, 0),
    workloads: listed(workloads, MAX_LINES),
    isolated: { ingress: isolated('ingress'), egress: isolated('egress') },
    ...(asking.length === 0
      ? {}
      : {
          dns: {
            server: dns.text,
            known: dns.isKnown,
            without: listed(asking.filter(({ dns: may }) => may === false).map((one) => one.name)),
          },
        }),
    policies: listed(
      policies.map(({ policy, object }): PolicyLineData => {
        const selected = model.selected(policy).filter(({ pod }) => !pod.hostNetwork);
        return {
          name: object.key.slice(name.length + 1),
          directions: policy.policyTypes,
          pod_selector: formatSelector(policy.podSelector),
          pods: selected.reduce((sum, { pods }) => sum + pods.length, 0),
          workloads: new Set(selected.map((one) => one.name)).size,
          rules: policy.policyTypes.reduce((sum, direction) => sum + policy[direction].length, 0),
        };
      }),
      MAX_LINES,
    ),
    in_force: inForceOf(
      inForce,
      own.flatMap((subject) => isolatedPods(model, subject)),
      'it has no pod that a policy isolates',
    ),
    findings: findingsAbout(model, policies),
  };
}

type AskNames = (subject: Subject) => boolean;

/** Subjects with the same egress policies get the same answer, but for name servers, which may ask themselves. */
function createAskNames({ model, dns }: DescribeContext): AskNames {
  const servers = new Set(dns.servers.map(({ subject }) => subject));
  const known = new Map<string, boolean>();
  return (subject) => {
    if (servers.has(subject)) return mayAskNames(model, subject, dns);
    const key = model
      .isolating(subject, 'egress')
      .map(({ object }) => object.key)
      .join();
    const found = known.get(key) ?? mayAskNames(model, subject, dns);
    known.set(key, found);
    return found;
  };
}

function workloadData(
  name: string,
  subjects: readonly Subject[],
  { model }: DescribeContext,
  askNames: AskNames,
): WorkloadData {
  const by = (direction: 'ingress' | 'egress') =>
    listed([
      ...new Set(
        subjects.flatMap((subject) => model.isolating(subject, direction).map(({ policy }) => policy.name)),
      ),
    ]);
  const asking = subjects.filter((subject) => model.isolating(subject, 'egress').length > 0);
  return {
    name,
    pods: subjects.reduce((sum, { pods }) => sum + pods.length, 0),
    ingress: by('ingress'),
    egress: by('egress'),
    ...(asking.length === 0 ? {} : { dns: asking.every(askNames) }),
  };
}
