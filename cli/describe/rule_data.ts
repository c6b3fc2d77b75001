/** Rules as data: whom they admit, who that is now, and to which ports. */
import { type LintedPolicy, type LintedRule, type Model, rulesIn, type Subject } from '../../lint/index.ts';
import {
  type ContainerPort,
  type Direction,
  formatSelector,
  isEmptySelector,
  type NetworkPolicyPeer,
  type NetworkPolicyPort,
  resolveRules,
  type TablePort,
} from '../../policy/index.ts';
import { type Listed, listed } from '../listed.ts';
import type { PeerData, PortData, RuleData, WhoNow } from './description.ts';

/** Peers and ports of a rule, and exceptions of a block, that the data has: a rule with more is made by a program. */
const MAX_OF_RULE = 100;

/** Rules of a direction that the data has: more than that nobody reads. */
const MAX_RULES = 1_000;

/** Makes rules of one model; whom a peer means is worked out once. */
export interface RuleReader {
  /** @param ports of the pods that the policy isolates; absent: ports as they are written */
  rules(policy: LintedPolicy, direction: Direction, ports?: readonly ContainerPort[]): readonly LazyRule[];
}

/** What costs more than counting is worked out for those that are shown. */
export type LazyRule = () => RuleData;

/** How many there are, and the first of them worked out. */
export function firstRules(rules: readonly LazyRule[]): Listed<RuleData> {
  return { count: rules.length, first: rules.slice(0, MAX_RULES).map((rule) => rule()) };
}

/** @param own peers of this namespace are named without it */
export function createRuleReader(model: Model, own: string): RuleReader {
  const known = new WeakMap<readonly Subject[], Omit<WhoNow, 'known'>>();
  const summary = (subjects: readonly Subject[]): Omit<WhoNow, 'known'> => {
    const found = known.get(subjects) ?? summaryOf(subjects, own);
    known.set(subjects, found);
    return found;
  };

  const peerData = (peer: NetworkPolicyPeer, namespace: string): PeerData => {
    if (peer.kind === 'ipBlock') {
      const { cidr, except } = peer.ipBlock;
      return { kind: 'block', cidr, except: listed(except, MAX_OF_RULE) };
    }
    const { namespaceSelector, podSelector } = peer;
    return {
      kind: 'pods',
      ...(namespaceSelector === undefined
        ? { namespace }
        : { namespace_selector: formatSelector(namespaceSelector) }),
      ...(podSelector === undefined || isEmptySelector(podSelector)
        ? {}
        : { pod_selector: formatSelector(podSelector) }),
      now: { known: model.knowsPeer(peer, namespace), ...summary(model.peerSubjects(peer, namespace)) },
    };
  };

  const ruleData = (linted: LintedPolicy, one: LintedRule, ports: readonly PortData[]): RuleData => {
    const { policy, object } = linted;
    const { rule, direction, path } = one;
    const peers = rule.peers.slice(0, MAX_OF_RULE).map((peer) => peerData(peer, policy.namespace));
    return {
      policy: object.key,
      direction,
      rule: Number(path.at(-1)),
      ...model.places.find(object, path),
      peers:
        rule.peers.length === 0
          ? { count: 1, first: [{ kind: 'anybody' }] }
          : { count: rule.peers.length, first: peers },
      ports: listed(ports, MAX_OF_RULE),
    };
  };

  return {
    rules(linted, direction, subjectPorts) {
      const own = rulesIn(linted).filter((one) => one.direction === direction);
      const resolved =
        subjectPorts === undefined ? undefined : resolveRules(linted.policy, direction, subjectPorts);
      return own.map(
        (one, at) => () =>
          ruleData(
            linted,
            one,
            resolved?.[at]?.ports.map((port) => resolvedPort(port, direction)) ??
              one.rule.ports.map(writtenPort),
          ),
      );
    },
  };
}

function summaryOf(subjects: readonly Subject[], own: string): Omit<WhoNow, 'known'> {
  const names = new Set<string>();
  let pods = 0;
  for (const subject of subjects) {
    names.add(workloadName(subject, own));
    pods += subject.pods.length;
  }
  return { pods, workloads: listed([...names]) };
}

/** `deploy/web`, of another namespace `shop/deploy/web`. */
function workloadName({ pod, name }: Subject, own: string): string {
  return pod.namespace === own ? name : `${pod.namespace}/${name}`;
}

/** A named port is one of the destination: at ingress of the pods themselves, at egress of each peer. */
function resolvedPort({ protocol, name, from, to }: TablePort, direction: Direction): PortData {
  return {
    protocol,
    ...(name === undefined ? {} : { name }),
    ...(from === undefined ? {} : { first: from, last: to ?? from }),
    ...(name !== undefined && from === undefined && direction === 'ingress' ? { missing: true } : {}),
  };
}

function writtenPort({ protocol, port, endPort }: NetworkPolicyPort): PortData {
  if (port === undefined) return { protocol };
  return typeof port === 'string'
    ? { protocol, name: port }
    : { protocol, first: port, last: endPort ?? port };
}
