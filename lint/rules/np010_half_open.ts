/** NP010. */
import { isEmptySelector, type Pod, type Protocol } from '../../policy/index.ts';
import type { Found, LintedObject } from '../finding.ts';
import {
  type LintedPolicy,
  type LintedRule,
  type Model,
  nameOf,
  rulesIn,
  type Subject,
} from '../model/index.ts';
import type { Rule } from '../rule.ts';
import { np002 } from './np002_peer_is_nobody.ts';
import { np003 } from './np003_peers_are_or.ts';
import { np004 } from './np004_port_without_listener.ts';
import { np005 } from './np005_port_name_unknown.ts';

/**
 * Pairs of workloads that are tried for one rule: a rule that names more names nobody in particular. All together are
 * bounded too, since each is a verdict by all policies of two workloads.
 */
const MAX_PAIRS_OF_RULE = 32;
const MAX_PAIRS = 20_000;

/** One side names the other, which denies it. */
export const np010: Rule = {
  code: 'NP010',
  severity: 'warning',
  title: 'half-open: one side names the pair, the other side denies it',
  explanation: `A connection needs both sides: the egress policies of the source and the ingress policies of the destination. Here a rule names
the other side by its labels, and all connections that it admits are denied at that other side, because it is isolated and no rule of
it admits this one.

It looks at rules whose peers have a podSelector, at the ports that the destination declares, and at no rule where one of several pairs
works; nor at one where the other side's policies have findings that explain it.`,
  remedy: 'Write the missing half, or take this half away.',
  *check(model, foundBy) {
    let left = MAX_PAIRS;
    const explained = new Set([np002, np003, np004, np005].flatMap(foundBy).map(({ object }) => object));
    for (const linted of model.policies)
      for (const rule of rulesIn(linted)) {
        const pairs = left <= 0 ? [] : pairsOf(model, linted, rule);
        left -= pairs.length;
        const found = judge(model, linted, rule, pairs, explained);
        if (found !== undefined) yield found;
      }
  },
};

type Pair = readonly [subject: Subject, peer: Subject];

function pairsOf(model: Model, linted: LintedPolicy, { rule }: LintedRule): readonly Pair[] {
  const { namespace } = linted.policy;
  const named = rule.peers.filter(
    (peer) => peer.kind === 'pods' && peer.podSelector !== undefined && !isEmptySelector(peer.podSelector),
  );
  const peers = new Set(named.flatMap((peer) => model.peerSubjects(peer, namespace)));
  const subjects = model.selected(linted.policy).filter(({ pod }) => !pod.hostNetwork);
  if (subjects.length * peers.size > MAX_PAIRS_OF_RULE) return [];
  return subjects.flatMap((subject) =>
    [...peers].filter((peer) => peer !== subject).map((peer): Pair => [subject, peer]),
  );
}

function judge(
  model: Model,
  linted: LintedPolicy,
  { direction, rule, path }: LintedRule,
  pairs: readonly Pair[],
  explained: ReadonlySet<LintedObject>,
): Found | undefined {
  const other = direction === 'ingress' ? 'egress' : 'ingress';
  let first: { readonly pair: Pair; readonly isolating: readonly LintedPolicy[] } | undefined;
  for (const pair of pairs) {
    const [subject, peer] = pair;
    const [source, destination] = direction === 'ingress' ? [peer, subject] : [subject, peer];
    const isolating = model.isolating(peer, other);
    // Address blocks may mean pods whose addresses are not known.
    if (isolating.length === 0 || mayMeanByAddress(model, peer, other)) return undefined;
    // The half may be there, with another mistake in it.
    if (isolating.some(({ object }) => explained.has(object))) return undefined;
    const ports = portsAdmitted(rule.ports, destination.pod);
    if (ports.length === 0) continue;
    for (const { protocol, port } of ports) {
      const verdict = model.evaluator.evaluate({
        source: { kind: 'pod', pod: source.pod },
        destination: { kind: 'pod', pod: destination.pod },
        protocol,
        port,
      });
      if (verdict[other].verdict === 'allow') return undefined;
    }
    first ??= { pair, isolating };
  }
  if (first === undefined) return undefined;
  const [subject, peer] = first.pair;
  const [source, destination] = direction === 'ingress' ? [peer, subject] : [subject, peer];
  return {
    object: linted.object,
    path,
    message:
      `${nameOf(linted)}: ${textOf(source)} -> ${textOf(destination)} is admitted here, and denied by the ${other} of ` +
      `${textOf(peer)} (${first.isolating.map(nameOf).slice(0, 2).join(', ')})`,
    fix: { text: `an ${other} rule for ${textOf(peer)}` },
  };
}

function mayMeanByAddress(model: Model, subject: Subject, direction: 'ingress' | 'egress'): boolean {
  return model.rulesOf(subject, direction).some(({ peers }) => peers.some(({ kind }) => kind === 'ipBlock'));
}

/** The ports that the destination declares and the rule admits. */
function portsAdmitted(
  wanted: LintedRule['rule']['ports'],
  { ports }: Pod,
): readonly { readonly protocol: Protocol; readonly port: number }[] {
  return ports.filter(
    ({ name, port, protocol }) =>
      wanted.length === 0 ||
      wanted.some(
        (one) =>
          one.protocol === protocol &&
          (one.port === undefined ||
            one.port === name ||
            (typeof one.port === 'number' && port >= one.port && port <= (one.endPort ?? one.port))),
      ),
  );
}

function textOf({ pod, name }: Subject): string {
  return `${pod.namespace}/${name}`;
}
