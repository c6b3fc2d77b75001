/** A pod, or a workload, in lines. */

import { type Lines, line } from '../../lines.ts';
import { counted, namesText } from '../../listed.ts';
import type { DirectionData, GroupData, PodsData } from '../description.ts';
import type { Amount } from './amount.ts';
import { dnsLine, findingLines, inForceLines, moreLine, namesOf, ruleLines } from './parts.ts';
import { labelsText } from './words.ts';

/** Labels of a pod that a line has. */
const LABELS = { text: 6, wide: 100 } as const;

/** Groups of pods that text has. */
const GROUPS = 3;

/** All of it. */
export function podsLines(data: PodsData, amount: Amount): readonly Lines[] {
  const { name, exempt, groups, findings } = data;
  const [only, another] = groups.first;
  if (exempt !== undefined) return [line(name), line(`  ${exempt}`)];
  const shown = groups.first.slice(0, amount.wide ? groups.first.length : GROUPS);
  return [
    line(
      `${name}  ${podsText(data, amount)}${only && another === undefined ? `  ${ofGroup(only, amount)}` : ''}`,
    ),
    ...(data.from_template ? [] : inForceLines(data.in_force, amount)),
    ...shown.flatMap((group) => [
      ...(another === undefined
        ? []
        : [
            line(
              `${counted(group.pods.count, 'pod')}: ${namesText(group.pods, namesOf(amount))}  ${ofGroup(group, amount)}`,
            ),
          ]),
      ...groupLines(group, amount),
    ]),
    ...moreLine(groups.count, shown.length, 'group of pods', 'groups of pods'),
    ...findingLines(findings, amount),
  ];
}

function podsText({ kind, pods, from_template: isTemplate, groups }: PodsData, amount: Amount): string {
  const [first] = groups.first;
  if (isTemplate) return 'no pods: one made from its template stands for them';
  if (kind === 'pod') return `addresses ${first?.addresses.join(', ') || 'none'}`;
  const names =
    groups.count === 1 && first
      ? `: ${namesText(first.pods, namesOf(amount))}`
      : ', which policies tell apart';
  return `${counted(pods, 'pod')}${names}`;
}

function ofGroup({ labels }: GroupData, { wide }: Amount): string {
  return labelsText(labels, LABELS[wide ? 'wide' : 'text']);
}

function groupLines({ ingress, egress, dns }: GroupData, amount: Amount): readonly Lines[] {
  return [
    ...directionLines('INGRESS', 'FROM', ingress, amount),
    ...directionLines('EGRESS', 'TO', egress, amount),
    ...(dns === undefined ? [] : [dnsLine(dns)]),
  ];
}

function directionLines(
  name: 'INGRESS' | 'EGRESS',
  head: 'FROM' | 'TO',
  { isolated, by, rules }: DirectionData,
  amount: Amount,
): readonly Lines[] {
  if (!isolated) return [line(`${name}  not isolated: everything is admitted`)];
  const names = by.first.map((policy) => policy.slice(policy.indexOf('/') + 1));
  const isolation = `${name}  isolated by ${namesText({ count: by.count, first: names }, names.length)}`;
  if (rules.count === 0) return [line(`${isolation}: no rule, nothing is admitted`)];
  return [line(isolation), ...ruleLines(rules, head, amount)];
}
