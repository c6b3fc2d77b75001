/** The text form of an answer, for people. Its wording may change; scripts use the exit code or the JSON form. */
import { firstFew } from '../../common/first_few.ts';
import { addressPortText } from '../../common/net.ts';
import { printable } from '../../common/printable.ts';
import {
  type Direction,
  describeReason,
  objectKey,
  type PolicyRef,
  type Verdict,
} from '../../policy/index.ts';
import { tableText } from '../terminal/index.ts';
import type { Answer, Judged, PortsAnswer } from './answer.ts';
import { describeParty, type Party, partyName } from './endpoint_resolver.ts';
import { joinedRuns } from './joined_runs.ts';
import type { NearRule } from './near_rules.ts';
import { refName } from './ref_name.ts';
import type { Front } from './service_fronts.ts';

/** Backends that are explained one by one; more are only counted. */
const MAX_EXPLAINED = 5;

/** Isolating policies that the line names where rules are listed below it; more are only counted, and `--explain` has all. */
const MAX_ISOLATING = 3;

/**
 * One line but for its first word, the verdict: the flow and, where it is denied, by which direction. Ends with a newline.
 * @param near the rules that are listed below the line, nearest first
 */
export function answerLine(answer: Answer, near: readonly NearRule[] = []): string {
  const { flow } = answer;
  const line = `: ${partyName(answer.source)} -> ${describeDestination(answer)}`;
  const deniers = [flow.egress, flow.ingress].filter((verdict) => verdict.verdict === 'deny');
  const why = deniers.map((verdict) => `${verdict.direction}: ${deniedBecause(verdict, near)}`).join('; ');
  return why === '' ? `${line}\n` : `${line} (${why})\n`;
}

/** What is listed below the line is not said in it twice. */
function deniedBecause(verdict: Verdict, near: readonly NearRule[]): string {
  const isListed = near.some(({ miss }) => miss.direction === verdict.direction);
  if (verdict.reason !== 'no-rule' || !isListed) return describeReason(verdict);
  return `isolated by ${firstFew(verdict.isolating.map(refName), MAX_ISOLATING)}`;
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
 * @param near directions whose near rules follow the explanation: there it names none, of the end or backend that decides
 * @param forgotten what the policies of the source seem to forget
 */
export function answerExplanation(
  answer: Answer,
  near: ReadonlySet<Direction>,
  forgotten: string | undefined,
): string {
  const judged: readonly Judged[] = answer.service?.candidates ?? [answer];
  const explained = judged.slice(0, MAX_EXPLAINED).flatMap((one, index) => {
    const follows = (direction: Direction): boolean => one.flow === answer.flow && near.has(direction);
    return [
      ...explainDirection(one.flow.egress, answer.source, one.isolating.egress, follows('egress')),
      ...(forgotten === undefined || index > 0 ? [] : [`    warning: ${forgotten}`]),
      ...explainDirection(one.flow.ingress, one.destination, one.isolating.ingress, follows('ingress')),
    ];
  });
  const more = judged.length > MAX_EXPLAINED ? [`  and ${judged.length - MAX_EXPLAINED} more backends`] : [];
  // Names of owners may be any text: each stays on one line.
  return [...explained, ...more].map((line) => `${printable(line)}\n`).join('');
}

function explainDirection(
  verdict: Verdict,
  at: Party,
  isolating: readonly PolicyRef[],
  nearFollows: boolean,
): string[] {
  const side = verdict.direction === 'egress' ? 'from' : 'to';
  const word = verdict.verdict === 'allow' ? 'allowed' : 'denied';
  const lines = [`  ${verdict.direction} ${side} ${describeParty(at)}: ${word}`];
  if (isolating.length > 0) lines.push(`    isolated by ${policyList(isolating)}`);
  if (nearFollows) return lines;
  return [...lines, ...because(verdict).map((line) => `    ${line}`)];
}

function because(verdict: Verdict): string[] {
  if (verdict.reason === 'rule') return [`admitted by ${describeReason(verdict)}`];
  if (verdict.reason !== 'no-rule') return [describeReason(verdict)];
  const [nearest] = verdict.near ?? [];
  if (nearest === undefined)
    return [
      'nothing is admitted: no rule for this direction, or only blocks, and the other end has no address yet',
    ];
  const [{ failed, wanted, got }] = nearest.tests;
  return [
    `nearest rule: ${ruleName(nearest.policy, verdict.direction, nearest.rule)}, where the ${failed} fails`,
    `  wanted ${wanted}`,
    `  got    ${got}`,
  ];
}

function ruleName(policy: PolicyRef, direction: Direction, index: number): string {
  return `${objectKey(policy.namespace, policy.name)} ${direction}[${index}]`;
}

function policyList(policies: readonly PolicyRef[]): string {
  return policies.map(refName).join(', ');
}

/** Runs of addresses, and of ports, that are listed; more are only counted. */
const MAX_LISTED = 8;

/** The parts of a block that are answered differently, a line each; nothing where all of it is answered alike. */
export function blockLines({ block = [] }: Answer): string {
  if (block.length < 2) return '';
  // Parts that differ only in why the other direction allows are one line.
  const alike = Map.groupBy(block, ({ answer }) => `${answer.verdict} ${reasonsOf(answer)}`);
  const rows = [...alike.values()].flatMap((parts) => {
    const [first] = parts;
    if (first === undefined) return [];
    const { answer } = first;
    const ranges = joinedRuns(parts.flatMap((part) => part.ranges));
    const listed = ranges
      .slice(0, MAX_LISTED)
      .map(({ first, last }) => (first === last ? first : `${first}-${last}`));
    const more = ranges.length > MAX_LISTED ? `, ${ranges.length - MAX_LISTED} more` : '';
    return [[`  ${WORDS[answer.verdict]}`, `${listed.join(', ')}${more}`, reasonsOf(answer)]];
  });
  return tableText(rows);
}

/** What is answered about every port: a line but for its first word, and one for each run of ports. */
export function portLines({ ports }: PortsAnswer): string {
  const [first] = ports;
  if (first === undefined) return ': there is no port\n';
  const { service, source, destination } = first.answer;
  const to =
    service === undefined
      ? partyName(destination)
      : `${service.service.namespace}/svc/${service.service.name}`;
  const rows = ports.map((port) => {
    const numbers = port.first === port.last ? `${port.first}` : `${port.first}-${port.last}`;
    const name = port.name === undefined ? '' : ` ${port.name}`;
    return [`  ${WORDS[port.answer.verdict]}`, `${port.protocol}/${numbers}${name}`, reasonsOf(port.answer)];
  });
  return `: ${partyName(source)} -> ${to}\n${tableText(rows)}`;
}

const WORDS = { allow: 'allowed', deny: 'denied', partly: 'partly' } as const;

/** Who denies, or what admits, in short; the empty text where nothing isolates. */
export function reasonsOf({ flow, isolating }: Answer): string {
  const deniers = [flow.egress, flow.ingress].filter(({ verdict }) => verdict === 'deny');
  if (deniers.length > 0)
    return deniers
      .map(({ direction }) => `${direction}: isolated by ${policyList(isolating[direction])}`)
      .join('; ');
  const always = [flow.egress, flow.ingress].find(({ reason }) => reason === 'self' || reason === 'own-node');
  if (always !== undefined) return describeReason(always);
  return [flow.egress, flow.ingress]
    .flatMap((verdict) =>
      verdict.reason === 'rule' ? [ruleName(verdict.policy, verdict.direction, verdict.rule)] : [],
    )
    .join(', ');
}
