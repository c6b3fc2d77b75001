/** The rules that came closest to admitting a denied flow. Runs only when somebody asks why. */

import { cidrContains, parseCidr } from '../addresses/index.ts';
import { ownEntry } from '../key.ts';
import type { IPBlock, Labels } from '../model.ts';
import { type FailedTest, MAX_NEAR, type RuleMiss } from '../verdict.ts';
import { meantLabel } from './likeness.ts';
import {
  blockMatches,
  namespaceMatches,
  type Peer,
  type PodsPeer,
  podMatches,
  type ResolvedPeer,
} from './peer.ts';
import type { TablePort } from './ports.ts';
import { portMatches, resolveNamedPort } from './ports.ts';
import type { ResolvedRule } from './rules.ts';
import { formatRequirement, meetsRequirement, type Requirement, requirementsOf } from './selector.ts';
import type { SubjectFlow } from './tier.ts';

type Failed = FailedTest['failed'];

/** How a rule, or a part of it, missed a flow. */
interface Miss {
  /** Those that failed, in the order in which they are made; one at least. */
  readonly tests: readonly [FailedTest, ...FailedTest[]];
  /** Tests of the rule that failed; fewer is nearer. An address where a pod is wanted counts twice. */
  readonly failures: number;
  /** Among equal `failures`: how far the flow got, 0 to below 1; more is nearer. */
  readonly closeness: number;
  /** The peer that it is about. */
  readonly peer?: number;
}

/** The tests of a rule in the order they are made. One that fails late is nearer than one that fails early. */
const ORDER: Readonly<Record<Failed, number>> = { namespace: 0, ipBlock: 1, pod: 2, protocol: 3, port: 4 };

/** A rule's port tests, and a block's exceptions, are listed in full up to this many, so that a line stays readable. */
const MAX_LISTED = 4;

/** How well labels meet requirements, 0 to 1: a key with another value is nearer than no key. */
function labelCloseness(requirements: readonly Requirement[], labels: Labels): number {
  let points = 0;
  for (const requirement of requirements) {
    if (meetsRequirement(requirement, labels)) points += 1;
    else if (ownEntry(labels, requirement.key) !== undefined) points += 0.5;
  }
  return requirements.length === 0 ? 1 : points / requirements.length;
}

function wantedLabel(requirement: Requirement): string {
  if (requirement.operator === 'DoesNotExist') return `no label ${requirement.key}`;
  return `label ${formatRequirement(requirement)}`;
}

function gotLabel(requirement: Requirement, labels: Labels): string {
  const value = ownEntry(labels, requirement.key);
  return value === undefined ? `no label ${requirement.key}` : `${requirement.key}=${value}`;
}

function missPods(test: PodsPeer, peer: Peer): Miss | undefined {
  const podRequirements = test.podSelector === undefined ? [] : requirementsOf(test.podSelector);
  const namespaceRequirements =
    test.namespaceSelector === undefined ? [] : requirementsOf(test.namespaceSelector);
  const { pod } = peer;
  if (pod === undefined) {
    const first = podRequirements[0];
    const wanted = first === undefined ? 'a pod' : `a pod with ${wantedLabel(first)}`;
    const got = peer.unidentified
      ? `labels that are not known here (${peer.address ?? 'it'})`
      : `no labels (${peer.address ?? 'it'} is not a pod)`;
    return { tests: [{ failed: 'pod', wanted, got }], failures: 2, closeness: 0 };
  }
  const podTest = podMatches(test, pod) ? undefined : missLabels('pod', podRequirements, pod.labels, '', '');
  const podCloseness = labelCloseness(podRequirements, pod.labels);
  if (!namespaceMatches(test, pod)) {
    const others = podTest === undefined ? [] : [podTest];
    const failures = 1 + others.length;
    const labels = missLabels(
      'namespace',
      namespaceRequirements,
      pod.namespaceLabels,
      'namespace ',
      `namespace ${pod.namespace} with `,
    );
    if (labels !== undefined)
      return {
        tests: [labels, ...others],
        failures,
        closeness: (podCloseness + labelCloseness(namespaceRequirements, pod.namespaceLabels)) / 4,
      };
    const wanted = `namespace ${test.namespace ?? ''}`;
    const name = { failed: 'namespace', wanted, got: `namespace ${pod.namespace}` } as const;
    return { tests: [name, ...others], failures, closeness: podCloseness / 2 };
  }
  return podTest && { tests: [podTest], failures: 1, closeness: podCloseness / 2 };
}

/** The first of a selector's requirements that labels do not meet. */
function missLabels(
  failed: 'namespace' | 'pod',
  requirements: readonly Requirement[],
  labels: Labels,
  wantedLead: string,
  gotLead: string,
): FailedTest | undefined {
  const requirement = requirements.find((one) => !meetsRequirement(one, labels));
  if (requirement === undefined) return undefined;
  const meant = meantLabel(requirement, labels);
  return {
    failed,
    wanted: `${wantedLead}${wantedLabel(requirement)}`,
    got: `${gotLead}${gotLabel(requirement, labels)}`,
    key: requirement.key,
    ...(meant === undefined ? {} : { meant }),
  };
}

function missPeer(test: ResolvedPeer, peer: Peer): Miss | undefined {
  if (test.kind === 'pods') return missPods(test, peer);
  if (blockMatches(test, peer.words)) return undefined;
  const { words } = peer;
  const exception =
    words === undefined
      ? undefined
      : test.except.find((text) => {
          const written = parseCidr(text);
          return written !== undefined && cidrContains(written.cidr, words);
        });
  const inBlock = blockMatches({ cidr: test.cidr, except: [] }, words);
  const address = peer.address ?? 'no address yet';
  const got = inBlock && exception !== undefined ? `${address}, in the exception ${exception}` : address;
  return {
    tests: [{ failed: 'ipBlock', wanted: formatBlock(test), got }],
    failures: 1,
    closeness: inBlock ? 0.5 : 0,
  };
}

function formatBlock({ cidr, except }: IPBlock): string {
  if (except.length === 0) return cidr;
  const listed = except.slice(0, MAX_LISTED);
  const more = except.length - listed.length;
  return `${cidr} except ${[...listed, ...(more > 0 ? [`${more} more`] : [])].join(', ')}`;
}

function formatPort(test: TablePort, flow: SubjectFlow): string {
  const { protocol, name, from } = test;
  if (from === undefined && name === undefined) return `${protocol} on any port`;
  const range = from === test.to ? `${from}` : `${from}-${test.to}`;
  if (name === undefined) return `${protocol}/${range}`;
  if (from !== undefined) return `${protocol}/${name} (${range})`;
  const numbers =
    flow.direction === 'egress' ? resolveNamedPort(name, protocol, flow.peer.pod?.ports ?? []) : [];
  return `${protocol}/${name} (${numbers.length === 0 ? 'no such port there' : numbers.join(', ')})`;
}

function missPorts(tests: readonly TablePort[], flow: SubjectFlow): FailedTest | undefined {
  const { direction, protocol, port, peer, servicePort } = flow;
  const peerPorts = peer.pod?.ports ?? [];
  if (tests.length === 0 || tests.some((test) => portMatches(test, direction, protocol, port, peerPorts))) {
    return undefined;
  }
  const sameProtocol = tests.filter((test) => test.protocol === protocol);
  const nearest = sameProtocol.length === 0 ? tests : sameProtocol;
  const listed = nearest.slice(0, MAX_LISTED).map((test) => formatPort(test, flow));
  if (nearest.length > listed.length) listed.push(`${nearest.length - listed.length} more`);
  const isServicePort =
    servicePort !== undefined &&
    servicePort !== port &&
    sameProtocol.some((test) => portMatches(test, direction, protocol, servicePort, peerPorts));
  return {
    failed: sameProtocol.length === 0 ? 'protocol' : 'port',
    wanted: listed.join(', '),
    got: `${protocol}/${port}`,
    ...(isServicePort ? { meant: { kind: 'target-port' } } : {}),
  };
}

/** Whether all tests that failed look like slips: such a rule was most likely meant for this flow. */
function isLikely({ tests, failures }: Miss): boolean {
  return failures === tests.length && tests.every(({ meant }) => meant !== undefined);
}

/** Negative when `a` is nearer. */
type Compare = (a: Miss, b: Miss) => number;

/** Fewer failed tests, then the later test, then more of it met. */
const byTests: Compare = (a, b) =>
  a.failures - b.failures || ORDER[b.tests[0].failed] - ORDER[a.tests[0].failed] || b.closeness - a.closeness;

/** What failed by slips alone goes first: a rule that was most likely meant. */
const byIntention: Compare = (a, b) => Number(isLikely(b)) - Number(isLikely(a)) || byTests(a, b);

/** How a rule missed the flow: by its nearest peer, and by its ports. */
function missRule(rule: ResolvedRule, flow: SubjectFlow): Miss | undefined {
  const portTest = missPorts(rule.ports, flow);
  const portMiss: Miss | undefined = portTest && { tests: [portTest], failures: 1, closeness: 0 };
  let peerMiss: Miss | undefined;
  for (const [peer, test] of rule.peers.entries()) {
    // Of a pod without an address nobody can say whether a block is near it.
    if (test.kind === 'ipBlock' && flow.peer.pod !== undefined && flow.peer.address === undefined) continue;
    const miss = missPeer(test, flow.peer);
    if (miss === undefined) return portMiss && { ...portMiss, peer };
    if (peerMiss === undefined || byIntention(miss, peerMiss) < 0) peerMiss = { ...miss, peer };
  }
  if (peerMiss === undefined) return rule.peers.length === 0 ? portMiss : undefined;
  if (portTest === undefined) return peerMiss;
  const [first, ...others] = peerMiss.tests;
  return { ...peerMiss, tests: [first, ...others, portTest], failures: peerMiss.failures + 1 };
}

/**
 * The rules that came closest, the closest first, `MAX_NEAR` at most, with all of their tests that failed (namespace, then pod or
 * ipBlock, then protocol, then port). First are those that failed by slips alone, such as a label whose value is nearly the one that
 * was wanted: they were most likely meant. Then those with the fewest failed tests; then those whose first failed test comes later; then
 * those with more of their labels met. Of equal rules the first in the list comes first. Empty when there is no rule.
 */
export function nearestMisses(rules: readonly ResolvedRule[], flow: SubjectFlow): readonly RuleMiss[] {
  const nearest: { rule: ResolvedRule; miss: Miss }[] = [];
  for (const rule of rules) {
    const miss = missRule(rule, flow);
    if (miss === undefined) continue;
    const place = nearest.findIndex((other) => byIntention(miss, other.miss) < 0);
    if (place === -1 && nearest.length >= MAX_NEAR) continue;
    nearest.splice(place === -1 ? nearest.length : place, 0, { rule, miss });
    if (nearest.length > MAX_NEAR) nearest.pop();
  }
  return nearest.map(({ rule, miss }) => ({
    policy: rule.policy,
    direction: flow.direction,
    rule: rule.index,
    ...(miss.peer === undefined ? {} : { peer: miss.peer }),
    tests: miss.tests,
  }));
}
