/** What rules look at: policies, subjects, Services and namespaces, indexed once, with what of them is known. */
import {
  type Cluster,
  createEvaluator,
  type Direction,
  type Evaluator,
  formatSelector,
  isEmptySelector,
  type LabelSelector,
  matchesSelector,
  NAMESPACE_NAME_LABEL as NAME_LABEL,
  type NetworkPolicy,
  type NetworkPolicyPeer,
  type NetworkPolicyRule,
  namespaceLabels,
  policyRef,
  type ResolvedRule,
  resolveRules,
} from '../../policy/index.ts';
import type { FieldPath, Manifests, Places, RawManifest } from '../../sources/index.ts';
import type { LintedObject } from '../finding.ts';
import { CustomResources } from './custom_resources.ts';
import { lintedObject } from './linted_object.ts';
import { type LintedService, servicesOf } from './services.ts';
import { type Subject, subjectsOf } from './subject.ts';
import { SubjectIndex } from './subject_index.ts';

/** What lint is given. */
export interface LintInput {
  readonly manifests: Manifests;
  readonly places: Places;
  /**
   * How much of a cluster it is: `files` hold what somebody chose to put there, `namespaces` all of the namespaces that it
   * has Namespace objects of, `cluster` all there is.
   */
  readonly extent: 'files' | 'namespaces' | 'cluster';
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Whether `-n` says where objects without a namespace are. */
  readonly namespaceGiven: boolean;
  /** Called at each question about pods and Services: what it throws ends the look. A look at a large cluster takes long. */
  readonly beforeAnswer?: () => void;
}

/** A policy, with where it stands. */
export interface LintedPolicy {
  readonly policy: NetworkPolicy;
  readonly object: LintedObject;
  readonly raw: RawManifest;
}

/** One rule of a policy. */
export interface LintedRule {
  readonly direction: Direction;
  readonly rule: NetworkPolicyRule;
  /** Such as `spec.ingress[0]`. */
  readonly path: FieldPath;
  /** `from` or `to`. */
  readonly peersField: string;
}

/** All that rules ask about. */
export interface Model extends LintInput {
  readonly cluster: Cluster;
  readonly policies: readonly LintedPolicy[];
  readonly subjects: readonly Subject[];
  readonly services: readonly LintedService[];
  /** Names of all namespaces that anything is known of. */
  readonly namespaces: readonly string[];
  readonly evaluator: Evaluator;
  policiesIn(namespace: string): readonly LintedPolicy[];
  subjectsIn(namespace: string): SubjectIndex;
  /** Those of all namespaces. */
  readonly everywhere: SubjectIndex;
  servicesIn(namespace: string): readonly LintedService[];
  /** Whether the workloads of a namespace are known, so that "nobody" means something. */
  knows(namespace: string): boolean;
  /** Whether pods that a selector fits may come from custom resources of the files: such pods are in no file. */
  mayBeMade(namespaces: readonly string[], selector: LabelSelector): boolean;
  /** Whom a policy selects, host-network pods included: it selects them without effect. */
  selected(policy: NetworkPolicy): readonly Subject[];
  /** Policies that isolate a subject in a direction; none for a host-network pod. */
  isolating(subject: Subject, direction: Direction): readonly LintedPolicy[];
  /** The rules of those policies, as they apply to it. */
  rulesOf(subject: Subject, direction: Direction): readonly ResolvedRule[];
  /** Namespaces that a peer means; undefined: it is an address block. */
  peerNamespaces(peer: NetworkPolicyPeer, policyNamespace: string): readonly string[] | undefined;
  /** Whom a peer means now: no host-network pod, and nobody where it is an address block. */
  peerSubjects(peer: NetworkPolicyPeer, policyNamespace: string): readonly Subject[];
  /** Whether all that a peer could mean is known. */
  knowsPeer(peer: NetworkPolicyPeer, policyNamespace: string): boolean;
}

/** Indexes the input. */
export function createModel(input: LintInput): Model {
  const { manifests, extent } = input;
  const { cluster } = manifests;
  const subjects = subjectsOf(manifests);
  const policies = manifests.objects
    .flatMap((loaded) =>
      loaded.kind === 'NetworkPolicy'
        ? [{ policy: loaded.object, object: lintedObject(loaded), raw: loaded.raw }]
        : [],
    )
    .sort((a, b) => (a.object.key < b.object.key ? -1 : 1));
  const services = servicesOf(manifests);
  const indexes = new Map(
    [...Map.groupBy(subjects, ({ pod }) => pod.namespace)].map(([name, list]) => [
      name,
      new SubjectIndex(list),
    ]),
  );
  const nobody = new SubjectIndex([]);
  const everywhere = new SubjectIndex(subjects);
  const policiesByNamespace = Map.groupBy(policies, ({ policy }) => policy.namespace);
  const servicesByNamespace = Map.groupBy(services, ({ service }) => service.namespace);
  const namespaces = [
    ...new Set([...cluster.namespaces.keys(), ...indexes.keys(), ...policiesByNamespace.keys()]),
  ].sort();
  const pods = new Map([
    ...cluster.pods,
    ...subjects.map(({ pod }) => [`${pod.namespace}/${pod.name}`, pod] as const),
  ]);

  const customResources = new CustomResources(manifests.others);
  const beforeAnswer = input.beforeAnswer ?? (() => {});
  const subjectsIn = (namespace: string) => {
    beforeAnswer();
    return indexes.get(namespace) ?? nobody;
  };
  const selected = (policy: NetworkPolicy) => subjectsIn(policy.namespace).select(policy.podSelector);
  const partly = new Map<string, boolean>();
  const isPartly = (namespace: string) => {
    const known = partly.get(namespace) ?? isKnownInPart(policiesByNamespace.get(namespace) ?? [], selected);
    partly.set(namespace, known);
    return known;
  };
  const knows = (namespace: string) =>
    extent === 'cluster' ||
    (extent === 'namespaces' && cluster.namespaces.has(namespace)) ||
    (indexes.has(namespace) && !isPartly(namespace));
  const isolation = isolationOf(policies, selected);
  const resolved = new Map<string, readonly ResolvedRule[]>();

  const namespacesBySelector = new Map<string, readonly string[]>();
  const peerNamespaces = (peer: NetworkPolicyPeer, own: string): readonly string[] | undefined => {
    if (peer.kind === 'ipBlock') return undefined;
    const { namespaceSelector } = peer;
    if (namespaceSelector === undefined) return [own];
    const text = formatSelector(namespaceSelector);
    const known =
      namespacesBySelector.get(text) ??
      namespaces.filter((name) => matchesSelector(namespaceSelector, namespaceLabels(cluster, name)));
    namespacesBySelector.set(text, known);
    return known;
  };
  const peerMembers = new Map<string, readonly Subject[]>();

  return {
    ...input,
    cluster,
    policies,
    subjects,
    services,
    namespaces,
    evaluator: createEvaluator({ ...cluster, pods }),
    policiesIn: (namespace) => policiesByNamespace.get(namespace) ?? [],
    subjectsIn,
    get everywhere() {
      beforeAnswer();
      return everywhere;
    },
    servicesIn(namespace) {
      beforeAnswer();
      return servicesByNamespace.get(namespace) ?? [];
    },
    knows,
    mayBeMade(where, selector) {
      beforeAnswer();
      return customResources.mayFit(where, selector);
    },
    selected,
    isolating(subject, direction) {
      beforeAnswer();
      return isolation[direction].get(subject) ?? [];
    },
    rulesOf(subject, direction) {
      beforeAnswer();
      const isolating = isolation[direction].get(subject) ?? [];
      const key = `${direction} ${isolating.map(({ object }) => object.key).join()} ${JSON.stringify(subject.pod.ports)}`;
      const known =
        resolved.get(key) ??
        isolating.flatMap(({ policy }) => resolveRules(policy, direction, subject.pod.ports));
      resolved.set(key, known);
      return known;
    },
    peerNamespaces,
    peerSubjects(peer, own) {
      if (peer.kind === 'ipBlock') return [];
      const { namespaceSelector, podSelector } = peer;
      const where = namespaceSelector === undefined ? `=${own}` : formatSelector(namespaceSelector);
      const key = `${where} ${podSelector === undefined ? '*' : formatSelector(podSelector)}`;
      const known =
        peerMembers.get(key) ??
        (peerNamespaces(peer, own) ?? []).flatMap((name) =>
          subjectsIn(name)
            .select(podSelector)
            .filter(({ pod }) => !pod.hostNetwork),
        );
      peerMembers.set(key, known);
      return known;
    },
    knowsPeer(peer, own) {
      const found = peerNamespaces(peer, own);
      if (found === undefined || found.length === 0 || !found.every(knows)) return false;
      // By other labels than its name a namespace may be meant that is not here.
      return (
        extent === 'cluster' ||
        peer.kind === 'ipBlock' ||
        peer.namespaceSelector === undefined ||
        namesNamespaces(peer.namespaceSelector)
      );
    },
  };
}

/** A namespace may have up to three policies that select nobody by mistake. More are a sign that its workloads are elsewhere. */
const MISTAKES_MAX = 3;

/** Whether most policies of a namespace select nobody: its workloads are somewhere else than in these files, at least most of them. */
function isKnownInPart(
  policies: readonly LintedPolicy[],
  selected: (policy: NetworkPolicy) => readonly Subject[],
): boolean {
  const selective = policies.filter(({ policy }) => !isEmptySelector(policy.podSelector));
  const idle = selective.filter(({ policy }) => selected(policy).length === 0).length;
  return idle > MISTAKES_MAX && 2 * idle > selective.length;
}

/** Whether a selector can only mean namespaces of given names. */
function namesNamespaces({
  matchLabels,
  matchExpressions,
}: NonNullable<NetworkPolicy['podSelector']>): boolean {
  return (
    Object.hasOwn(matchLabels, NAME_LABEL) ||
    matchExpressions.some(({ key, operator }) => key === NAME_LABEL && operator === 'In')
  );
}

function isolationOf(
  policies: readonly LintedPolicy[],
  selected: (policy: NetworkPolicy) => readonly Subject[],
): Readonly<Record<Direction, ReadonlyMap<Subject, readonly LintedPolicy[]>>> {
  const found = { ingress: new Map<Subject, LintedPolicy[]>(), egress: new Map<Subject, LintedPolicy[]>() };
  for (const linted of policies)
    for (const subject of selected(linted.policy)) {
      if (subject.pod.hostNetwork) continue;
      for (const direction of linted.policy.policyTypes) {
        const list = found[direction].get(subject);
        if (list === undefined) found[direction].set(subject, [linted]);
        else list.push(linted);
      }
    }
  return found;
}

/** Asked for again and again. */
const rulesOfPolicy = new WeakMap<LintedPolicy, readonly LintedRule[]>();

/** The rules of a policy in the directions that it speaks for, in the order of the text. */
export function rulesIn(linted: LintedPolicy): readonly LintedRule[] {
  const known = rulesOfPolicy.get(linted) ?? makeRules(linted);
  rulesOfPolicy.set(linted, known);
  return known;
}

function makeRules({ policy }: LintedPolicy): readonly LintedRule[] {
  return (['ingress', 'egress'] as const).flatMap((direction) =>
    policy.policyTypes.includes(direction)
      ? policy[direction].map((rule, place) => ({
          direction,
          rule,
          path: ['spec', direction, rule.index ?? place],
          peersField: direction === 'ingress' ? 'from' : 'to',
        }))
      : [],
  );
}

/** What a policy is called in messages. */
export function nameOf({ policy }: LintedPolicy): string {
  const { namespace, name } = policyRef(policy);
  return `${namespace}/${name}`;
}
