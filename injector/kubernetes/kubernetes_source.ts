/**
 * The cluster as the API server has it: one reflector for each kind of object that tables are made of. Fail static:
 * while the server is away the last state stays.
 */
import { isDeepStrictEqual } from 'node:util';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Logger } from 'pino';
import type { Cluster, ClusterChange, ClusterKind, Pod } from '../../policy/index.ts';
import {
  compareClaimants,
  DEFAULT_POLICY_LIMITS,
  KINDS,
  LiveCluster,
  type PolicyLimits,
} from '../../policy/index.ts';
import { describeProblem, type ManifestProblem } from '../../sources/index.ts';
import {
  ApiClient,
  type ObjectChange,
  type RawObject,
  Reflector,
  type ReflectorEvents,
  type ReflectorSpec,
  type ReflectorTimes,
} from '../api/index.ts';
import type { ChangeOrigin } from '../changes/index.ts';
import type { ClusterSource, SourceListener } from '../source.ts';
import type { PolicyFacts } from './policy_facts.ts';
import type { UnenforcedPod } from './unenforced_pod.ts';
import { removal, type TrimmedObject, type WatchedResource, watchedResources } from './watched_kinds.ts';

/** One kind's copy. */
export interface ReflectorState {
  readonly kind: ClusterKind;
  readonly synced: boolean;
  /** Since the server last confirmed it, ms. */
  readonly ageMs: number;
  readonly objects: number;
}

/** Who follows what is known of policies. */
export interface PolicyFactsListener {
  /** The facts or the problems of the policy with this key may be others, or it is gone. Comes before `clusterChanged`. */
  policyFactsChanged(key: string): void;
}

/** How a source is set up. */
export interface KubernetesSourceOptions {
  /** For metrics: what happens to the copy of each kind. */
  readonly events?: (kind: ClusterKind) => ReflectorEvents;
  readonly times?: Partial<ReflectorTimes>;
  /** Policies that are larger are not read. */
  readonly policyLimits?: Pick<PolicyLimits, 'maxPolicyEntries'>;
}

const NO_EVENTS: ReflectorEvents = {
  listed: () => undefined,
  event: () => undefined,
  failed: () => undefined,
};

export class KubernetesSource implements ClusterSource {
  readonly cluster = new LiveCluster();
  readonly changeOrder = 'seen';
  readonly #log: Logger;
  readonly #client: ApiClient;
  readonly #reflectors = new Map<ClusterKind, Reflector<TrimmedObject>>();
  readonly #listeners = new Set<SourceListener>();
  readonly #factsListeners = new Set<PolicyFactsListener>();
  /** By kind and key. */
  readonly #problems = new Map<string, readonly ManifestProblem[]>();
  /** By key. */
  readonly #policyFacts = new Map<string, PolicyFacts>();
  /** By namespace and key. */
  readonly #unenforced = new Map<string, Map<string, UnenforcedPod>>();
  #onSynced: () => void = () => undefined;

  /** Resolves once every kind has been listed; never while the server is away. */
  readonly synced = new Promise<void>((resolve) => {
    this.#onSynced = resolve;
  });

  /** Begins to watch. */
  constructor(config: KubeConfig, log: Logger, options: KubernetesSourceOptions = {}) {
    this.#log = log;
    this.#client = new ApiClient(config);
    for (const resource of watchedResources(options.policyLimits ?? DEFAULT_POLICY_LIMITS))
      this.#reflectors.set(resource.kind, this.#reflect(resource, options));
  }

  get problems(): readonly ManifestProblem[] {
    return [...this.#problems.values()].flat();
  }

  /** What is wrong with one object. */
  problemsOf(kind: ClusterKind, key: string): readonly ManifestProblem[] {
    return this.#problems.get(`${kind} ${key}`) ?? [];
  }

  /** Every policy there is, by key. */
  get policyFacts(): ReadonlyMap<string, PolicyFacts> {
    return this.#policyFacts;
  }

  /** Pods that no sidecar enforces, by namespace and key; whether they should be is for others to say. */
  get unenforced(): ReadonlyMap<string, ReadonlyMap<string, UnenforcedPod>> {
    return this.#unenforced;
  }

  /** How each kind's copy is. */
  get reflectors(): readonly ReflectorState[] {
    return [...this.#reflectors].map(([kind, { synced, ageMs, size }]) => ({
      kind,
      synced,
      ageMs,
      objects: size,
    }));
  }

  onChange(listener: SourceListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Returns how to stop that. */
  onPolicyFacts(listener: PolicyFactsListener): () => void {
    this.#factsListeners.add(listener);
    return () => this.#factsListeners.delete(listener);
  }

  async refresh(): Promise<void> {
    await Promise.all([...this.#reflectors.values()].map((reflector) => reflector.relist()));
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    this.#factsListeners.clear();
    await Promise.all([...this.#reflectors.values()].map((reflector) => reflector.close()));
    this.#client.close();
  }

  #reflect(resource: WatchedResource, options: KubernetesSourceOptions): Reflector<TrimmedObject> {
    return new Reflector(new KindReflection(resource, this, this.#client, this.#log, options));
  }

  /** A kind's list has been taken in. */
  listed(): void {
    if (this.reflectors.every(({ synced }) => synced)) this.#onSynced();
  }

  /** Takes in changes of one kind, in order. */
  takeIn(kind: ClusterKind, objectChanges: readonly ObjectChange<TrimmedObject>[]): void {
    const changes: ClusterChange[] = [];
    const origins = new Map<ClusterChange, ChangeOrigin>();
    let noted = false;
    for (const objectChange of objectChanges) {
      const { key } = objectChange;
      const trimmed = objectChange.type === 'put' ? objectChange.object : undefined;
      const change = trimmed === undefined ? removal(kind, key) : trimmed.change;
      noted = this.#note(`${kind} ${key}`, trimmed?.problems ?? []) || noted;
      if (kind === 'NetworkPolicy') this.#noteFacts(key, trimmed?.facts);
      if (kind === 'Pod') this.#noteUnenforced(key, trimmed?.unenforced);
      if (change === undefined || isNothingNew(this.cluster, change)) continue;
      this.cluster.apply(change);
      changes.push(change);
      if (trimmed !== undefined) origins.set(change, trimmed.origin);
    }
    if (changes.length > 0 || noted)
      for (const listener of [...this.#listeners]) listener.clusterChanged(changes, origins);
  }

  #noteFacts(key: string, facts: PolicyFacts | undefined): void {
    if (facts === undefined) this.#policyFacts.delete(key);
    else this.#policyFacts.set(key, facts);
    for (const listener of this.#factsListeners) listener.policyFactsChanged(key);
  }

  #noteUnenforced(key: string, pod: UnenforcedPod | undefined): void {
    const [namespace = ''] = key.split('/');
    const known = this.#unenforced.get(namespace) ?? new Map<string, UnenforcedPod>();
    if (pod === undefined) known.delete(key);
    else known.set(key, pod);
    if (known.size === 0) this.#unenforced.delete(namespace);
    else this.#unenforced.set(namespace, known);
  }

  /** Keeps and logs an object's problems; false when they are what they were. */
  #note(id: string, problems: readonly ManifestProblem[]): boolean {
    const before = new Set(this.#problems.get(id)?.map(describeProblem));
    const fresh = problems.filter((problem) => !before.delete(describeProblem(problem)));
    for (const problem of fresh)
      this.#log[problem.severity === 'error' ? 'error' : 'warn'](
        { problem },
        `object: ${describeProblem(problem)}`,
      );
    for (const text of before) this.#log.info(`problem is gone: ${text}`);
    if (problems.length === 0) this.#problems.delete(id);
    else this.#problems.set(id, problems);
    return fresh.length > 0 || before.size > 0;
  }
}

/** How one kind is reflected: what is kept of its objects, and where their changes go. */
class KindReflection implements ReflectorSpec<TrimmedObject> {
  readonly path: string;
  readonly client: ApiClient;
  readonly log: Logger;
  readonly times: Partial<ReflectorTimes>;
  readonly events: ReflectorEvents;
  readonly #resource: WatchedResource;
  readonly #source: KubernetesSource;

  constructor(
    resource: WatchedResource,
    source: KubernetesSource,
    client: ApiClient,
    log: Logger,
    { times = {}, events }: KubernetesSourceOptions,
  ) {
    this.path = resource.path;
    this.client = client;
    this.log = log;
    this.times = times;
    this.#resource = resource;
    this.#source = source;
    const counts = events?.(resource.kind) ?? NO_EVENTS;
    this.events = {
      ...counts,
      listed() {
        counts.listed();
        source.listed();
      },
    };
  }

  trim(object: RawObject): TrimmedObject {
    return this.#resource.trim(object);
  }

  order(changes: readonly ObjectChange<TrimmedObject>[]): readonly ObjectChange<TrimmedObject>[] {
    return inClaimOrder(changes);
  }

  sink(changes: readonly ObjectChange<TrimmedObject>[]): void {
    this.#source.takeIn(this.#resource.kind, changes);
  }
}

/**
 * What a list brings after a gap has no order of its own. Removals come first; of pods those that got their addresses last
 * come last, as they would have been seen.
 */
function inClaimOrder(
  changes: readonly ObjectChange<TrimmedObject>[],
): readonly ObjectChange<TrimmedObject>[] {
  const others = changes.filter((change) => podOf(change) === undefined);
  const pods = changes.flatMap((change) => {
    const pod = podOf(change);
    return pod === undefined ? [] : [{ change, pod }];
  });
  pods.sort((a, b) => compareClaimants(a.pod, b.pod));
  return [...others, ...pods.map(({ change }) => change)];
}

function podOf(change: ObjectChange<TrimmedObject>): Pod | undefined {
  if (change.type !== 'put' || change.object.change?.kind !== 'Pod') return undefined;
  return change.object.change.object;
}

/** Most changes are of what policy does not look at: a node's conditions, a pod's readiness. */
function isNothingNew(cluster: Cluster, { kind, key, object }: ClusterChange): boolean {
  return isDeepStrictEqual(cluster[KINDS[kind].part].get(key), object);
}
