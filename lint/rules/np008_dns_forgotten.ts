/** NP008. */
import { counted, type LintedPolicy, listed, type Model, type Subject } from '../model/index.ts';
import type { Rule } from '../rule.ts';
import { dnsOf, mayAskNames } from './dns.ts';
import { dnsFix } from './dns_fix.ts';

/** Egress without DNS. */
export const np008: Rule = {
  code: 'NP008',
  severity: 'error',
  title: 'pods whose egress is isolated may not ask DNS',
  explanation: `A pod that policies isolate for egress resolves no name unless a rule admits its name server. What counts is the name server as the
cluster has it: the pods behind the Service kube-dns (or the one that serves UDP/53), and their port, not whether some rule has UDP/53.

Where the name server is in none of the objects, CoreDNS with the usual labels in kube-system stands for it, and a rule that names UDP/53
(or 5353, as in OpenShift) counts in any case. A rule to an address block counts: it may be that of a name server of the node or outside. Pods of which no egress at
all is admitted are left out: they open no connections (NP011).`,
  remedy: `Admit UDP/53 and TCP/53 to the pods of the name server, for these workloads alone: add the rule to the policies that isolate
them, or write a policy that selects no other. A policy with podSelector: {} and policyTypes: [Egress] is no fix: it isolates every pod of the namespace that no
egress policy selects yet, and lets those ask for names that shall not. A policy of its own for one workload:
podSelector: {matchLabels: {app: search}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels:
{kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{port: 53, protocol: UDP},
{port: 53, protocol: TCP}]}].`,
  *check(model) {
    const dns = dnsOf(model);
    for (const namespace of model.namespaces) {
      const without = model
        .subjectsIn(namespace)
        .all.filter(
          (subject) => model.rulesOf(subject, 'egress').length > 0 && !mayAskNames(model, subject, dns),
        );
      const policy = mostOf(model, without);
      if (policy === undefined) continue;
      const names = listed(without.map(({ name }) => name));
      yield {
        object: policy.object,
        path: ['spec', egressField(policy)],
        message: `${counted(without.length, 'workload')} of ${namespace} may not reach DNS (${dns.text}): ${names}`,
        fix: dnsFix(model, namespace, without, dns),
      };
    }
  },
};

/** The policy that isolates most of them, the first by name. */
function mostOf(model: Model, subjects: readonly Subject[]): LintedPolicy | undefined {
  const counts = new Map<LintedPolicy, number>();
  for (const subject of subjects)
    for (const policy of model.isolating(subject, 'egress'))
      counts.set(policy, (counts.get(policy) ?? 0) + 1);
  return [...counts].sort(
    ([a, most], [b, count]) => count - most || (a.object.key < b.object.key ? -1 : 1),
  )[0]?.[0];
}

function egressField({ raw }: LintedPolicy): string {
  return 'egress' in Object(raw.spec) ? 'egress' : 'policyTypes';
}
