/** A pod, or a workload: what isolates it, and who is admitted. */
import { type Dns, type LintedPolicy, type Model, mayAskNames, type Subject } from '../../lint/index.ts';
import { type Direction, isLive, objectKey, type Pod } from '../../policy/index.ts';
import { assumedLabels } from '../../sources/index.ts';
import { type IsolatedPod, inForceOf } from '../in_force/index.ts';
import { listed } from '../listed.ts';
import type { DescribeContext } from './describe_context.ts';
import type { DirectionData, DnsData, GroupData, PodsData } from './description.ts';
import type { Found } from './find_target.ts';
import { findingsAbout } from './findings.ts';
import { createRuleReader, firstRules, type LazyRule, type RuleReader } from './rule_data.ts';

/** Groups of pods that the data has. */
const MAX_GROUPS = 20;

/** Pods that policies treat alike. */
interface Group {
  readonly subject: Subject;
  readonly pods: Pod[];
}

/** @param found one pod at least */
export function describePods(
  found: Extract<Found, { kind: 'pod' | 'workload' }>,
  context: DescribeContext,
): PodsData {
  const { model, subjects } = context;
  const pods = found.kind === 'pod' ? [found.pod] : found.pods;
  const fromTemplate = found.kind === 'workload' && found.fromTemplate;
  const exempt = exemption(pods);
  const groups = new Map<string, Group>();
  for (const pod of pods) {
    // In the midst of a rollout some may be, and the others are governed all the same.
    if (pod.hostNetwork) continue;
    const subject = subjects.get(objectKey(pod.namespace, pod.name));
    if (subject === undefined) continue;
    const key = JSON.stringify([
      ...DIRECTIONS.map((direction) => model.isolating(subject, direction).map(({ object }) => object.key)),
      pod.ports,
    ]);
    const known = groups.get(key);
    if (known === undefined) groups.set(key, { subject, pods: [pod] });
    else known.pods.push(pod);
  }
  const all = [...groups.values()].sort((a, b) => b.pods.length - a.pods.length);
  const policies = [...new Set(all.flatMap(({ subject }) => isolatingOf(model, subject)))];
  const reader = createRuleReader(model, pods[0]?.namespace ?? '');
  const first = all.slice(0, MAX_GROUPS).map((group) => groupData(group, reader, context));
  return {
    kind: found.kind,
    name: found.name,
    pods: fromTemplate ? 0 : pods.length,
    ...(fromTemplate ? { from_template: true } : {}),
    ...(exempt === undefined ? {} : { exempt }),
    in_force: inForceOf(
      context.inForce,
      fromTemplate ? [] : all.flatMap((group) => isolatedPods(model, group.subject, group.pods)),
      fromTemplate ? 'it has no pods' : 'no policy isolates it',
    ),
    groups: { count: exempt === undefined ? all.length : 0, first: exempt === undefined ? first : [] },
    findings: findingsAbout(model, policies, ({ path }) => {
      const [, field] = path;
      return field === 'ingress' || field === 'egress';
    }),
  };
}

const DIRECTIONS: readonly Direction[] = ['ingress', 'egress'];

/** The policies that isolate a subject in either direction. */
function isolatingOf(model: Model, subject: Subject): readonly LintedPolicy[] {
  return [...new Set(DIRECTIONS.flatMap((direction) => model.isolating(subject, direction)))];
}

/** Those of some pods of a subject that policies isolate: all of them, or none. */
export function isolatedPods(
  model: Model,
  subject: Subject,
  pods: readonly Pod[] = subject.pods,
): readonly IsolatedPod[] {
  const policies = isolatingOf(model, subject);
  return policies.length === 0 ? [] : pods.map((pod) => ({ pod, policies }));
}

/** Why no policy counts for any of some pods. */
function exemption(pods: readonly Pod[]): string | undefined {
  const [pod] = pods;
  if (pod === undefined) return undefined;
  if (!isLive(pod)) return `it has finished (${pod.phase}): it has no connections, and no policy counts`;
  return pods.every(({ hostNetwork }) => hostNetwork)
    ? 'it is on the network of its node: no policy can select it'
    : undefined;
}

function groupData({ subject, pods }: Group, reader: RuleReader, { model, dns }: DescribeContext): GroupData {
  const { pod } = subject;
  const isTemplate = subject.pods.length === 0;
  const direction = (name: Direction): DirectionData => {
    const policies = model.isolating(subject, name);
    const rules = policies.flatMap((policy): readonly LazyRule[] => reader.rules(policy, name, pod.ports));
    return {
      isolated: policies.length > 0,
      by: listed(policies.map(({ object }) => object.key)),
      rules: firstRules(rules),
    };
  };
  const egress = direction('egress');
  return {
    pods: listed(isTemplate ? [] : pods.map(({ name }) => name)),
    labels: isTemplate ? knownLabels(pod) : (pods[0]?.labels ?? {}),
    addresses: isTemplate ? [] : listed(pods.flatMap(({ ips }) => ips)).first,
    ingress: direction('ingress'),
    egress,
    ...(egress.isolated ? { dns: dnsData(model, subject, dns) } : {}),
  };
}

/** Of a pod from a template: without what stands for labels that differ from pod to pod. */
function knownLabels(pod: Pod): Pod['labels'] {
  const assumed = assumedLabels(pod);
  return Object.fromEntries(Object.entries(pod.labels).filter(([key]) => !assumed.includes(key)));
}

/** Whether a subject may ask the name server. */
function dnsData(model: Model, subject: Subject, dns: Dns): DnsData {
  return { admitted: mayAskNames(model, subject, dns), server: dns.text, known: dns.isKnown };
}
