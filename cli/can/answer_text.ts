/** The text form of an answer, for people. Its wording may change; scripts use the exit code or the JSON form. */
import {
  type Direction,
  describeReason,
  objectKey,
  type PolicyRef,
  type Verdict,
} from '../../policy/index.ts';
import type { Answer } from './answer.ts';
import { describeParty, type Party, partyName } from './endpoint_resolver.ts';

/** Marks the verdict word, for instance with colour. */
export type Emphasis = (word: string, verdict: 'allow' | 'deny') => string;

/** One line: the verdict, the flow and, where it is denied, the direction that denies it. Ends with a newline. */
export function answerLine(answer: Answer, emphasis: Emphasis): string {
  const { flow } = answer;
  const word = emphasis(flow.verdict === 'allow' ? 'allowed' : 'denied', flow.verdict);
  const line = `${word}: ${partyName(answer.source)} -> ${partyName(answer.destination)} ${answer.protocol}/${answer.port}`;
  const deniers = [flow.egress, flow.ingress].filter((verdict) => verdict.verdict === 'deny');
  const why = deniers.map((verdict) => `${verdict.direction}: ${describeReason(verdict)}`).join('; ');
  return why === '' ? `${line}\n` : `${line} (${why})\n`;
}

/** Both directions with their isolating policies and the rule that matched or came nearest. */
export function answerExplanation(answer: Answer): string {
  return [
    ...explainDirection(answer.flow.egress, answer.source, answer.isolating.egress),
    ...explainDirection(answer.flow.ingress, answer.destination, answer.isolating.ingress),
  ]
    .map((line) => `${line}\n`)
    .join('');
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
