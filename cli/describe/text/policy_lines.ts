/** A policy, in lines. */

import { type Lines, line } from '../../lines.ts';
import { counted, namesText } from '../../listed.ts';
import type { PolicyData } from '../description.ts';
import type { Amount } from './amount.ts';
import { findingLines, inForceLines, namesOf, ruleLines } from './parts.ts';
import { placeText, whoText } from './words.ts';

/** All of it. */
export function policyLines(data: PolicyData, amount: Amount): readonly Lines[] {
  const { name, selects, status } = data;
  const statusText =
    status === undefined
      ? []
      : [
          line(
            `status    ${status.state}, generation ${status.generation}${status.current ? '' : ' (an earlier one)'}: ` +
              `${status.enforcing} of ${counted(status.selected, 'pod')}`,
          ),
        ];
  return [
    line(`${name}  NetworkPolicy${placeText(data)}`),
    line(`selects   ${selectorText(data)}: ${selectedText(selects, amount)}`),
    ...(selects.host_network === undefined
      ? []
      : [
          line(
            `  and without effect, on the network of their node: ${namesText(selects.host_network, namesOf(amount))}`,
          ),
        ]),
    ...inForceLines(data.in_force, amount),
    ...statusText,
    ...directionLines('INGRESS', 'FROM', data.ingress, amount),
    ...directionLines('EGRESS', 'TO', data.egress, amount),
    ...findingLines(data.findings, amount),
  ];
}

function selectorText({ pod_selector: selector, name }: PolicyData): string {
  const namespace = name.slice(0, name.indexOf('/'));
  return selector === '*' ? `${namespace}/*` : `${namespace}/[${selector}]`;
}

function selectedText({ known, pods, workloads }: PolicyData['selects'], amount: Amount): string {
  if (workloads.count === 0)
    return known ? 'nobody' : 'nobody here, and the workloads of its namespace were not read';
  const names = workloads.first.map(({ name, pods: its }) => (its > 1 ? `${name} (${its})` : name));
  return whoText({ pods: pods.count, workloads: { count: workloads.count, first: names } }, namesOf(amount));
}

function directionLines(
  name: 'INGRESS' | 'EGRESS',
  head: 'FROM' | 'TO',
  direction: PolicyData['ingress'],
  amount: Amount,
): readonly Lines[] {
  if (direction === undefined) return [line(`${name}  not isolated by it`)];
  if (direction.rules.count === 0) return [line(`${name}  isolated, and no rule: it admits nothing`)];
  return [line(`${name}  isolated; admitted:`), ...ruleLines(direction.rules, head, amount)];
}
