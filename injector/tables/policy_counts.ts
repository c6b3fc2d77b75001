/**
 * How many pods each policy selects, and how many of these enforce it: kept current pod by pod and policy by policy. Pods with the
 * same labels are counted together, so that a pod whose sidecar comes to enforce its table costs one addition.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Cluster, ClusterChange, Labels, NetworkPolicy, Pod } from '../../policy/index.ts';
import { matchesSelector } from '../../policy/index.ts';
import { whyNoSubject } from './subject.ts';

/** How far a pod's sidecar is: not connected; connected, with a table still to come or to enforce; up to date. */
export type SidecarState = 'absent' | 'behind' | 'enforcing';

/** Numbers of pods. */
export interface PolicyCount {
  /** Running pods that the policy selects and policy can select at all. */
  readonly selected: number;
  /** Those whose sidecar enforces its present table. */
  readonly enforcing: number;
}

/** Pods of one namespace with the same labels. */
interface Kind {
  readonly labels: Labels;
  readonly policies: Set<CountedPolicy>;
  readonly pods: Set<string>;
  enforcing: number;
}

interface CountedPolicy {
  readonly key: string;
  policy: NetworkPolicy;
  readonly kinds: Set<Kind>;
  /** Absent after a change. */
  count: PolicyCount | undefined;
  /** As last taken; absent where it has to be taken once more. */
  taken: PolicyCount | undefined;
}

interface CountedPod {
  readonly kind: Kind;
  state: SidecarState;
}

interface CountedNamespace {
  readonly pods: Map<string, CountedPod>;
  readonly policies: Map<string, CountedPolicy>;
  /** By their labels as text. */
  readonly kinds: Map<string, Kind>;
  enforcing: number;
}

const NOBODY: PolicyCount = { selected: 0, enforcing: 0 };

/** Of one cluster. The caller says what changes in it, and how far each sidecar is. */
export class PolicyCounts {
  readonly #namespaces = new Map<string, CountedNamespace>();
  readonly #totals: Record<SidecarState, number> = { absent: 0, behind: 0, enforcing: 0 };
  /** Kinds whose counts have changed since the last `take`. */
  readonly #touched = new Set<Kind>();
  /** Policies whose counts may have changed since the last `take`. */
  readonly #changed = new Set<CountedPolicy>();
  /** Namespaces with policies that are not in force yet. */
  #held: ReadonlySet<string> = new Set();

  constructor(cluster: Cluster) {
    for (const [key, object] of cluster.policies) this.apply({ kind: 'NetworkPolicy', key, object });
    for (const [key, object] of cluster.pods) this.apply({ kind: 'Pod', key, object });
  }

  /** Pods that policy can select, by the state of their sidecar. */
  get sidecars(): Readonly<Record<SidecarState, number>> {
    let held = 0;
    for (const name of this.#held) held += this.#namespaces.get(name)?.enforcing ?? 0;
    const { absent, behind, enforcing } = this.#totals;
    return { absent, behind: behind + held, enforcing: enforcing - held };
  }

  /** The counts of one policy. */
  of(key: string): PolicyCount {
    this.#spread();
    const name = namespaceOf(key);
    const policy = this.#namespaces.get(name)?.policies.get(key);
    return policy === undefined ? NOBODY : this.#count(policy, name);
  }

  /** Keys of policies whose counts are not what they were at the last `take`, or that were edited since. For one caller only. */
  take(): string[] {
    this.#spread();
    const taken: string[] = [];
    for (const policy of this.#changed) {
      const count = this.#count(policy, namespaceOf(policy.key));
      const { taken: before } = policy;
      policy.taken = count;
      if (before?.selected !== count.selected || before.enforcing !== count.enforcing) taken.push(policy.key);
    }
    this.#changed.clear();
    return taken;
  }

  /** Keys of the policies of a namespace. */
  policiesOf(namespace: string): Iterable<string> {
    return this.#namespaces.get(namespace)?.policies.keys() ?? [];
  }

  /** Pods that a policy selects: first one of each set of labels, then others. @param most at most so many */
  examples(policyKey: string, most: number): string[] {
    const policy = this.#namespaces.get(namespaceOf(policyKey))?.policies.get(policyKey);
    const [first, others]: [string[], string[]] = [[], []];
    for (const { pods } of policy?.kinds ?? []) {
      if (first.length === most) break;
      let isFirst = true;
      for (const pod of pods) {
        if (isFirst) first.push(pod);
        else if (first.length + others.length < most) others.push(pod);
        else break;
        isFirst = false;
      }
    }
    return [...first, ...others].slice(0, most);
  }

  /** Makes one change of the cluster. */
  apply(change: ClusterChange): void {
    if (change.kind === 'Pod') this.#setPod(change.key, change.object);
    if (change.kind === 'NetworkPolicy') this.#setPolicy(change.key, change.object);
  }

  /** Says how far a pod's sidecar is. A pod that policy cannot select is not counted. */
  setSidecar(podKey: string, state: SidecarState): void {
    const namespace = this.#namespaces.get(namespaceOf(podKey));
    const pod = namespace?.pods.get(podKey);
    if (namespace === undefined || pod === undefined || pod.state === state) return;
    this.#remove(namespace, pod);
    pod.state = state;
    this.#add(namespace, pod);
  }

  /** Something else is to be said of a policy: the next `take` names it. */
  touch(policyKey: string): void {
    const policy = this.#namespaces.get(namespaceOf(policyKey))?.policies.get(policyKey);
    if (policy === undefined) return;
    policy.taken = undefined;
    this.#changed.add(policy);
  }

  /** @param namespaces those with policies that are not in force yet: none of their policies counts as enforced by anybody */
  hold(namespaces: ReadonlySet<string>): void {
    if (namespaces.size === 0 && this.#held.size === 0) return;
    const before = this.#held;
    this.#held = new Set(namespaces);
    for (const name of before) if (!namespaces.has(name)) this.#forgetCounts(name);
    for (const name of namespaces) if (!before.has(name)) this.#forgetCounts(name);
  }

  #forgetCounts(name: string): void {
    for (const policy of this.#namespaces.get(name)?.policies.values() ?? []) this.#forgetCount(policy);
  }

  #forgetCount(policy: CountedPolicy): void {
    policy.count = undefined;
    this.#changed.add(policy);
  }

  /** What has changed in kinds has changed in the policies that select them. */
  #spread(): void {
    for (const { policies } of this.#touched) for (const policy of policies) this.#forgetCount(policy);
    this.#touched.clear();
  }

  #count(policy: CountedPolicy, namespace: string): PolicyCount {
    if (policy.count !== undefined) return policy.count;
    let [selected, enforcing] = [0, 0];
    for (const kind of policy.kinds) {
      selected += kind.pods.size;
      enforcing += kind.enforcing;
    }
    policy.count = { selected, enforcing: this.#held.has(namespace) ? 0 : enforcing };
    return policy.count;
  }

  #setPod(key: string, object: Pod | undefined): void {
    const name = namespaceOf(key);
    const namespace = this.#namespace(name);
    const before = namespace.pods.get(key);
    const labels = object === undefined || whyNoSubject(object) !== undefined ? undefined : object.labels;
    if (before !== undefined) {
      if (labels !== undefined && isDeepStrictEqual(before.kind.labels, labels)) return;
      this.#remove(namespace, before);
      namespace.pods.delete(key);
      before.kind.pods.delete(key);
      if (before.kind.pods.size === 0) this.#dropKind(namespace, before.kind);
    }
    if (labels !== undefined) {
      const kind = this.#kind(namespace, labels);
      const pod: CountedPod = { kind, state: before?.state ?? 'absent' };
      kind.pods.add(key);
      namespace.pods.set(key, pod);
      this.#add(namespace, pod);
    }
    this.#dropIfEmpty(name, namespace);
  }

  #add(namespace: CountedNamespace, pod: CountedPod): void {
    this.#move(namespace, pod, 1);
  }

  #remove(namespace: CountedNamespace, pod: CountedPod): void {
    this.#move(namespace, pod, -1);
  }

  #move(namespace: CountedNamespace, { kind, state }: CountedPod, by: 1 | -1): void {
    this.#totals[state] += by;
    this.#touched.add(kind);
    if (state !== 'enforcing') return;
    kind.enforcing += by;
    namespace.enforcing += by;
  }

  #kind(namespace: CountedNamespace, labels: Labels): Kind {
    const text = JSON.stringify(labels);
    const known = namespace.kinds.get(text);
    if (known !== undefined) return known;
    const kind: Kind = { labels, policies: new Set(), pods: new Set(), enforcing: 0 };
    namespace.kinds.set(text, kind);
    for (const policy of namespace.policies.values()) link(policy, kind);
    return kind;
  }

  #dropKind(namespace: CountedNamespace, kind: Kind): void {
    namespace.kinds.delete(JSON.stringify(kind.labels));
    this.#touched.delete(kind);
    for (const policy of kind.policies) {
      policy.kinds.delete(kind);
      this.#forgetCount(policy);
    }
  }

  #setPolicy(key: string, object: NetworkPolicy | undefined): void {
    const name = namespaceOf(key);
    const namespace = this.#namespace(name);
    const known = namespace.policies.get(key);
    if (object === undefined) {
      if (known !== undefined) {
        for (const { policies } of known.kinds) policies.delete(known);
        namespace.policies.delete(key);
        this.#changed.delete(known);
      }
      return this.#dropIfEmpty(name, namespace);
    }
    const policy: CountedPolicy = known ?? {
      key,
      policy: object,
      kinds: new Set(),
      count: undefined,
      taken: undefined,
    };
    const isLinked = known !== undefined && selectsAlike(known.policy, object);
    policy.policy = object;
    namespace.policies.set(key, policy);
    if (!isLinked) {
      for (const { policies } of policy.kinds) policies.delete(policy);
      policy.kinds.clear();
      for (const kind of namespace.kinds.values()) link(policy, kind);
      this.#forgetCount(policy);
    }
    this.touch(key);
  }

  #namespace(name: string): CountedNamespace {
    const known = this.#namespaces.get(name);
    if (known !== undefined) return known;
    const namespace: CountedNamespace = {
      pods: new Map(),
      policies: new Map(),
      kinds: new Map(),
      enforcing: 0,
    };
    this.#namespaces.set(name, namespace);
    return namespace;
  }

  #dropIfEmpty(name: string, { pods, policies }: CountedNamespace): void {
    if (pods.size === 0 && policies.size === 0) this.#namespaces.delete(name);
  }
}

/** Of a key `namespace/name`. */
function namespaceOf(key: string): string {
  return key.slice(0, key.indexOf('/'));
}

function link(policy: CountedPolicy, kind: Kind): void {
  const { policyTypes, podSelector } = policy.policy;
  // policyTypes: a policy speaks for the listed directions only; without any it selects nobody.
  if (policyTypes.length === 0 || !matchesSelector(podSelector, kind.labels)) return;
  policy.kinds.add(kind);
  kind.policies.add(policy);
}

function selectsAlike(a: NetworkPolicy, b: NetworkPolicy): boolean {
  return (
    (a.policyTypes.length === 0) === (b.policyTypes.length === 0) &&
    isDeepStrictEqual(a.podSelector, b.podSelector)
  );
}
