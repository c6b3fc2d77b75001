/** How isolated pods get DNS, and nobody else is isolated or gets it. */
import { NAMESPACE_NAME_LABEL, ownEntry } from '../../policy/index.ts';
import { isControllerLabel } from '../../sources/index.ts';
import type { Fix } from '../finding.ts';
import { type LintedPolicy, listed, type Model, nameOf, type Subject } from '../model/index.ts';
import type { Dns } from './dns.ts';
import { flowYaml } from './flow_yaml.ts';

/** Policies that are named, and values of a label: a longer text is not read. */
const MOST_NAMED = 8;

/** Labels of a workload that are tried for its selector. */
const MOST_KEYS = 64;

/** Labels by which workloads are usually told apart, the best first. */
const USUAL_KEYS: readonly string[] = ['app.kubernetes.io/name', 'app', 'k8s-app', 'name'];

/**
 * One more rule in policies that select these workloads only, else a policy that does. A policy for the whole namespace would
 * isolate pods that nothing isolates yet, and let those ask for names that shall not.
 * @param without the workloads of one namespace that lack DNS
 */
export function dnsFix(model: Model, namespace: string, without: readonly Subject[], dns: Dns): Fix {
  const rule = dnsRule(dns);
  const ruleText = rule === undefined ? 'a rule that admits the name server' : `the rule ${flowYaml(rule)}`;
  const own = ownPolicies(model, without);
  if (own !== undefined)
    return { text: `in spec.egress of ${listed(own.map(nameOf), MOST_NAMED)} ${ruleText}` };
  const podSelector = selectorOf(without, model.subjectsIn(namespace).all);
  if (podSelector === undefined || rule === undefined)
    return { text: `a NetworkPolicy that selects these workloads alone, with ${ruleText} in its egress` };
  return {
    text:
      `a NetworkPolicy in ${namespace} with podSelector: ${flowYaml(podSelector)}, policyTypes: [Egress] ` +
      `and egress: ${flowYaml([rule])}`,
  };
}

/** Undefined where name servers are on the host network: no selector means them. */
function dnsRule({ servers, peers }: Dns): unknown {
  if (servers.some(({ pod }) => pod.hostNetwork)) return undefined;
  const ports = [...new Set(servers.map(({ port }) => port))];
  return {
    to: peers.map(({ namespace, labels }) => ({
      namespaceSelector: { matchLabels: { [NAMESPACE_NAME_LABEL]: namespace } },
      podSelector: { matchLabels: labels },
    })),
    ports: ports.flatMap((port) => ['UDP', 'TCP'].map((protocol) => ({ port, protocol }))),
  };
}

/** Policies that isolate each of the workloads, and select nobody else. */
function ownPolicies(model: Model, without: readonly Subject[]): readonly LintedPolicy[] | undefined {
  const wanted = new Set(without);
  const isOwn = new Map<LintedPolicy, boolean>();
  const found = new Set<LintedPolicy>();
  for (const subject of without) {
    const own = model.isolating(subject, 'egress').find((linted) => {
      const known = isOwn.get(linted) ?? model.selected(linted.policy).every((one) => wanted.has(one));
      isOwn.set(linted, known);
      return known;
    });
    if (own === undefined) return undefined;
    found.add(own);
  }
  return found.size > MOST_NAMED ? undefined : [...found];
}

/** A selector by one label that these workloads have, and no other of the namespace. */
function selectorOf(subjects: readonly Subject[], all: readonly Subject[]): unknown {
  const [first] = subjects;
  if (first === undefined) return undefined;
  const keys = Object.keys(first.pod.labels)
    .filter((key) => !isControllerLabel(key))
    .sort((a, b) => rank(a) - rank(b))
    .slice(0, MOST_KEYS);
  const wanted = new Set(subjects);
  for (const key of keys) {
    const values = new Set(subjects.map(({ pod }) => ownEntry(pod.labels, key)));
    if (values.size > MOST_NAMED || values.has(undefined)) continue;
    if (all.some((one) => !wanted.has(one) && values.has(ownEntry(one.pod.labels, key)))) continue;
    return values.size === 1
      ? { matchLabels: { [key]: first.pod.labels[key] } }
      : { matchExpressions: [{ key, operator: 'In', values: [...values].sort() }] };
  }
  return undefined;
}

function rank(key: string): number {
  const at = USUAL_KEYS.indexOf(key);
  return at === -1 ? USUAL_KEYS.length : at;
}
