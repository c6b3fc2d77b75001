/** The rule that came closest to admitting a denied flow. Runs only when somebody asks why. */

import { cidrContains, parseCidr } from '../addresses/index.ts';
import { ownEntry } from '../key.ts';
import type { IPBlock, Labels } from '../model.ts';
import type { NearMiss } from '../verdict.ts';
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

type Failed = NearMiss['failed'];

/** How one test of a rule failed. */
interface Miss {
  readonly failed: Failed;
  readonly wanted: string;
  readonly got: string;
  /** Tests of the rule that failed; fewer is nearer. */
  readonly failures: number;
  /** Among equal `failures`: how far the flow got, 0 to below 1; more is nearer. */
  readonly closeness: number;
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
    return {
      failed: 'pod',
      wanted,
      got: peer.unidentified
        ? `labels that are not known here (${peer.address ?? 'it'})`
        : `no labels (${peer.address ?? 'it'} is not a pod)`,
      failures: 2,
      closeness: 0,
    };
  }
  const podOk = podMatches(test, pod);
  const podCloseness = labelCloseness(podRequirements, pod.labels);
  if (!namespaceMatches(test, pod)) {
    const failures = podOk ? 1 : 2;
    const requirement = namespaceRequirements.find((one) => !meetsRequirement(one, pod.namespaceLabels));
    const base = { failed: 'namespace', failures } as const;
    if (requirement === undefined) {
      const wanted = `namespace ${test.namespace ?? ''}`;
      return { ...base, wanted, got: `namespace ${pod.namespace}`, closeness: podCloseness / 2 };
    }
    return {
      ...base,
      wanted: `namespace ${wantedLabel(requirement)}`,
      got: `namespace ${pod.namespace} with ${gotLabel(requirement, pod.namespaceLabels)}`,
      closeness: (podCloseness + labelCloseness(namespaceRequirements, pod.namespaceLabels)) / 4,
    };
  }
  if (podOk) return undefined;
  const requirement = podRequirements.find((one) => !meetsRequirement(one, pod.labels));
  if (requirement === undefined) return undefined;
  return {
    failed: 'pod',
    wanted: wantedLabel(requirement),
    got: gotLabel(requirement, pod.labels),
    failures: 1,
    closeness: podCloseness / 2,
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
  return {
    failed: 'ipBlock',
    wanted: formatBlock(test),
    got: inBlock && exception !== undefined ? `${address}, in the exception ${exception}` : address,
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

function missPorts(tests: readonly TablePort[], flow: SubjectFlow): Miss | undefined {
  const { direction, protocol, port, peer } = flow;
  const peerPorts = peer.pod?.ports ?? [];
  if (tests.length === 0 || tests.some((test) => portMatches(test, direction, protocol, port, peerPorts))) {
    return undefined;
  }
  const sameProtocol = tests.filter((test) => test.protocol === protocol);
  const nearest = sameProtocol.length === 0 ? tests : sameProtocol;
  const listed = nearest.slice(0, MAX_LISTED).map((test) => formatPort(test, flow));
  if (nearest.length > listed.length) listed.push(`${nearest.length - listed.length} more`);
  return {
    failed: sameProtocol.length === 0 ? 'protocol' : 'port',
    wanted: listed.join(', '),
    got: `${protocol}/${port}`,
    failures: 1,
    closeness: 0,
  };
}

/** Negative when `a` is nearer: fewer failed tests, then the later test, then more of it met. */
function compareMisses(a: Miss, b: Miss): number {
  return a.failures - b.failures || ORDER[b.failed] - ORDER[a.failed] || b.closeness - a.closeness;
}

/** How a rule missed the flow: by its nearest peer, and by its ports. */
function missRule(rule: ResolvedRule, flow: SubjectFlow): Miss | undefined {
  const portMiss = missPorts(rule.ports, flow);
  let peerMiss: Miss | undefined;
  for (const test of rule.peers) {
    const miss = missPeer(test, flow.peer);
    if (miss === undefined) return portMiss;
    if (peerMiss === undefined || compareMisses(miss, peerMiss) < 0) peerMiss = miss;
  }
  if (peerMiss === undefined || portMiss === undefined) return peerMiss ?? portMiss;
  return { ...peerMiss, failures: peerMiss.failures + portMiss.failures };
}

/**
 * The rule that came closest, and the first of its tests that failed (namespace, then pod or ipBlock, then
 * protocol, then port). Closest is the rule with the fewest failed tests; then the one whose failed test comes
 * later; then the one with more of its labels met; then the first. Undefined when there is no rule.
 */
export function nearestMiss(rules: readonly ResolvedRule[], flow: SubjectFlow): NearMiss | undefined {
  let nearest: { rule: ResolvedRule; miss: Miss } | undefined;
  for (const rule of rules) {
    const miss = missRule(rule, flow);
    if (miss !== undefined && (nearest === undefined || compareMisses(miss, nearest.miss) < 0)) {
      nearest = { rule, miss };
    }
  }
  if (nearest === undefined) return undefined;
  const { rule, miss } = nearest;
  return { policy: rule.policy, rule: rule.index, failed: miss.failed, wanted: miss.wanted, got: miss.got };
}
