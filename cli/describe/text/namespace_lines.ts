/** A namespace, in lines. */

import { type Lines, line } from '../../lines.ts';
import { counted, type Listed, namesText } from '../../listed.ts';
import { tableText } from '../../terminal/index.ts';
import type { NamespaceData, PolicyLineData, WorkloadData } from '../description.ts';
import type { Amount } from './amount.ts';
import { dnsLine, findingLines, inForceLines, moreLine, namesOf, rowsOf } from './parts.ts';
import { labelsText } from './words.ts';

/** All of it. */
export function namespaceLines(data: NamespaceData, amount: Amount): readonly Lines[] {
  const { name, labels, pods, workloads, policies, isolated, dns } = data;
  return [
    line(
      `${name}  namespace, ${counted(workloads.count, 'workload')}, ${counted(pods, 'pod')}, ` +
        `${counted(policies.count, 'policy', 'policies')}  ${labelsText(labels, namesOf(amount))}`,
    ),
    ...inForceLines(data.in_force, amount),
    line(`INGRESS  isolated: ${isolated.ingress} of ${counted(workloads.count, 'workload')}`),
    line(`EGRESS   isolated: ${isolated.egress} of ${counted(workloads.count, 'workload')}`),
    ...(dns === undefined ? [] : dnsLines(dns, amount)),
    ...workloadLines(workloads, amount),
    ...policyTable(policies, amount),
    ...findingLines(data.findings, amount),
  ];
}

function dnsLines({ without, ...dns }: NonNullable<NamespaceData['dns']>, amount: Amount): readonly Lines[] {
  const of = dnsLine({ ...dns, admitted: without.count === 0 });
  if (without.count === 0) return [of];
  return [of, line(`    for ${counted(without.count, 'workload')}: ${namesText(without, namesOf(amount))}`)];
}

function workloadLines(workloads: Listed<WorkloadData>, amount: Amount): readonly Lines[] {
  if (workloads.count === 0) return [];
  const shown = workloads.first.slice(0, rowsOf(amount));
  const rows = shown.map(({ name, pods, ingress, egress, dns }) => [
    `  ${name}`,
    String(pods),
    by(ingress, amount),
    by(egress, amount),
    dns === undefined ? '-' : dns ? 'admitted' : 'not admitted',
  ]);
  return [
    { text: tableText([['  WORKLOAD', 'PODS', 'INGRESS BY', 'EGRESS BY', 'DNS'], ...rows]) },
    ...moreLine(workloads.count, shown.length, 'workload'),
  ];
}

function by(policies: Listed<string>, amount: Amount): string {
  return policies.count === 0 ? 'not isolated' : namesText(policies, namesOf(amount));
}

function policyTable(policies: Listed<PolicyLineData>, amount: Amount): readonly Lines[] {
  if (policies.count === 0) return [];
  const shown = policies.first.slice(0, rowsOf(amount));
  const rows = shown.map(({ name, directions, pod_selector: selector, pods, workloads, rules }) => [
    `  ${name}`,
    directions.join(', '),
    selector,
    `${counted(workloads, 'workload')}${pods === 0 ? '' : `, ${counted(pods, 'pod')}`}`,
    String(rules),
  ]);
  return [
    { text: tableText([['  POLICY', 'ISOLATES', 'SELECTOR', 'SELECTS', 'RULES'], ...rows]) },
    ...moreLine(policies.count, shown.length, 'policy', 'policies'),
  ];
}
