/** The text form of an answer, for people. Its wording may change; scripts use the exit code or the JSON form. */
import { addressPortText } from '../../common/net.ts';
import { printable } from '../../common/printable.ts';
import {
  type Direction,
  describeReason,
  objectKey,
  type PolicyRef,
  type Verdict,
} from '../../policy/index.ts';
import type { Answer, Judged } from './answer.ts';
import { describeParty, type Party, partyName } from './endpoint_resolver.ts';
import type { Front } from './service_fronts.ts';

/** Backends that are explained one by one; more are only counted. */
const MAX_EXPLAINED = 5;

/** One line but for its first word, the verdict: the flow and, where it is denied, by which direction. Ends with a newline. */
export function answerLine(answer: Answer): string {
  const { flow } = answer;
  const line = `: ${partyName(answer.source)} -> ${describeDestination(answer)}`;
  const deniers = [flow.egress, flow.ingress].filter((verdict) => verdict.verdict === 'deny');
  const why = deniers.map((verdict) => `${verdict.direction}: ${describeReason(verdict)}`).join('; ');
  return why === '' ? `${line}\n` : `${line} (${why})\n`;
}

/** `shop/api TCP/8080`; of a Service `shop/svc/api:80 (10.96.0.7) -> 1 of 2 backends TCP/8080`. */
function describeDestination({ destination, protocol, port, service }: Answer): string {
  if (service === undefined) return `${partyName(destination)} ${protocol}/${port}`;
  const { namespace, name } = service.service;
  const address = service.front === undefined ? '' : ` (${describeFront(service.front)})`;
  const front = `${namespace}/svc/${name}:${service.port}${address}`;
  const [only, ...others] = service.candidates;
  if (only !== undefined && others.length === 0)
    return `${front} -> ${partyName(only.destination)} ${protocol}/${only.port}`;
  const allowed = service.candidates.filter(({ flow }) => flow.verdict === 'allow').length;
  const ports = [...new Set(service.candidates.map((one) => `${protocol}/${one.port}`))].join(', ');
  return `${front} -> ${allowed} of ${service.candidates.length} backends ${ports}`;
}

function describeFront(front: Front): string {
  if (front.kind !== 'node') return front.address;
  return `node ${addressPortText({ address: front.address, port: front.nodePort })}`;
}

/**
 * Both directions with their isolating policies and the rule that matched or came nearest; of a Service, for its backends.
 * @param forgotten what the policies of the source seem to forget
 */
export function answerExplanation(answer: Answer, forgotten?: string): string {
  const judged: readonly Judged[] = answer.service?.candidates ?? [answer];
  const explained = judged
    .slice(0, MAX_EXPLAINED)
    .flatMap((one, index) => [
      ...explainDirection(one.flow.egress, answer.source, one.isolating.egress),
      ...(forgotten === undefined || index > 0 ? [] : [`    warning: ${forgotten}`]),
      ...explainDirection(one.flow.ingress, one.destination, one.isolating.ingress),
    ]);
  const more = judged.length > MAX_EXPLAINED ? [`  and ${judged.length - MAX_EXPLAINED} more backends`] : [];
  // Names of owners may be any text: each stays on one line.
  return [...explained, ...more].map((line) => `${printable(line)}\n`).join('');
}

function explainDirection(verdict: Verdict, at: Party, isolating: readonly PolicyRef[]): string[] {
  const side = verdict.direction === 'egress' ? 'from' : 'to';
  const word = verdict.verdict === 'allow' ? 'allowed' : 'denied';
  const lines = [`  ${verdict.direction} ${side} ${describeParty(at)}: ${word}`];
  if (isolating.length > 0) lines.push(`    isolated by ${policyList(isolating)}`);
  return [...lines, ...because(verdict).map((line) => `    ${line}`)];
}

function because(verdict: Verdict): string[] {
  if (verdict.reason === 'rule') return [`admitted by ${describeReason(verdict)}`];
  if (verdict.reason !== 'no-rule') return [describeReason(verdict)];
  const { nearMiss } = verdict;
  if (nearMiss === undefined) return ['these policies have no rule for this direction: nothing is admitted'];
  return [
    `nearest rule: ${ruleName(nearMiss.policy, verdict.direction, nearMiss.rule)}, where the ${nearMiss.failed} fails`,
    `  wanted ${nearMiss.wanted}`,
    `  got    ${nearMiss.got}`,
  ];
}

function ruleName(policy: PolicyRef, direction: Direction, index: number): string {
  return `${objectKey(policy.namespace, policy.name)} ${direction}[${index}]`;
}

function policyList(policies: readonly PolicyRef[]): string {
  return policies.map((policy) => objectKey(policy.namespace, policy.name)).join(', ');
}
