/** A policy: whom it selects, and who its peers are now. */
import type { LintedPolicy } from '../../lint/index.ts';
import { type Direction, formatSelector } from '../../policy/index.ts';
import { inForceOf } from '../in_force/index.ts';
import { listed } from '../listed.ts';
import type { DescribeContext } from './describe_context.ts';
import type { PolicyData } from './description.ts';
import { findingsAbout } from './findings.ts';
import { createRuleReader, firstRules } from './rule_data.ts';

/** What a policy says, and to whom. */
export function describePolicy(linted: LintedPolicy, { model, inForce }: DescribeContext): PolicyData {
  const { policy, object } = linted;
  const all = model.selected(policy);
  const selected = all.filter(({ pod }) => !pod.hostNetwork);
  const hosts = all.filter(({ pod }) => pod.hostNetwork);
  const workloads = new Map<string, number>();
  for (const { name, pods } of selected) workloads.set(name, (workloads.get(name) ?? 0) + pods.length);
  const reader = createRuleReader(model, policy.namespace);
  const status = inForce.known ? inForce.statusOf?.(linted) : undefined;
  const direction = (name: Direction) => {
    if (!policy.policyTypes.includes(name)) return {};
    return { [name]: { rules: firstRules(reader.rules(linted, name)) } };
  };
  return {
    kind: 'netpol',
    name: object.key,
    ...model.places.find(object, []),
    pod_selector: formatSelector(policy.podSelector),
    selects: {
      known: model.knows(policy.namespace),
      pods: listed(selected.flatMap(({ pods }) => pods.map(({ name }) => name))),
      workloads: listed([...workloads].map(([name, pods]) => ({ name, pods }))),
      ...(hosts.length === 0 ? {} : { host_network: listed([...new Set(hosts.map(({ name }) => name))]) }),
    },
    ...direction('ingress'),
    ...direction('egress'),
    in_force: inForceOf(
      inForce,
      selected.flatMap((subject) => subject.pods.map((pod) => ({ pod, policies: [linted] }))),
      'it selects no pods',
    ),
    ...(status === undefined ? {} : { status }),
    findings: findingsAbout(model, [linted]),
  };
}
