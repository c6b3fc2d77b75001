/**
 * The cluster as the API server has it: one reflector for each kind of object that tables are made of. Fail static:
 * while the server is away the last state stays.
 */
import { isDeepStrictEqual } from 'node:util';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Logger } from 'pino';
import type { ClusterChange } from '../../policy/cluster_change.ts';
import { LiveCluster } from '../../policy/live_cluster.ts';
import type { Cluster } from '../../policy/model.ts';
import { describeProblem, type ManifestProblem } from '../manifest_problem.ts';
import type { ClusterSource, SourceListener } from '../source.ts';
import { ApiClient } from './api_client.ts';
import type { ObjectChange } from './known_objects.ts';
import { Reflector, type ReflectorEvents, type ReflectorTimes } from './reflector.ts';
import {
  removal,
  type TrimmedObject,
  WATCHED_RESOURCES,
  type WatchedKind,
  type WatchedResource,
} from './watched_kinds.ts';

/** One kind's copy. */
export interface ReflectorState {
  readonly kind: WatchedKind;
  readonly synced: boolean;
  /** Since the server last confirmed it, ms. */
  readonly ageMs: number;
  readonly objects: number;
}

/** How a source is set up. */
export interface KubernetesSourceOptions {
  /** For metrics: what happens to the copy of each kind. */
  readonly events?: (kind: WatchedKind) => ReflectorEvents;
  readonly times?: Partial<ReflectorTimes>;
}

const NO_EVENTS: ReflectorEvents = {
  listed: () => undefined,
  event: () => undefined,
  failed: () => undefined,
};

export class KubernetesSource implements ClusterSource {
  readonly cluster = new LiveCluster();
  readonly #log: Logger;
  readonly #client: ApiClient;
  readonly #reflectors = new Map<WatchedKind, Reflector<TrimmedObject>>();
  readonly #listeners = new Set<SourceListener>();
  /** By kind and key. */
  readonly #problems = new Map<string, readonly ManifestProblem[]>();
  #onSynced: () => void = () => undefined;

  /** Resolves once every kind has been listed; never while the server is away. */
  readonly synced = new Promise<void>((resolve) => {
    this.#onSynced = resolve;
  });

  /** Begins to watch. */
  constructor(config: KubeConfig, log: Logger, options: KubernetesSourceOptions = {}) {
    this.#log = log;
    this.#client = new ApiClient(config);
    for (const resource of WATCHED_RESOURCES)
      this.#reflectors.set(resource.kind, this.#reflect(resource, options));
  }

  get problems(): readonly ManifestProblem[] {
    return [...this.#problems.values()].flat();
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

  async refresh(): Promise<void> {
    await Promise.all([...this.#reflectors.values()].map((reflector) => reflector.relist()));
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    await Promise.all([...this.#reflectors.values()].map((reflector) => reflector.close()));
    this.#client.close();
  }

  #reflect(resource: WatchedResource, options: KubernetesSourceOptions): Reflector<TrimmedObject> {
    const events = options.events?.(resource.kind) ?? NO_EVENTS;
    return new Reflector<TrimmedObject>({
      client: this.#client,
      path: resource.path,
      trim: (object) => resource.trim(object),
      sink: (changes) => this.#takeIn(resource.kind, changes),
      log: this.#log,
      events: {
        ...events,
        listed: () => {
          events.listed();
          if (this.reflectors.every(({ synced }) => synced)) this.#onSynced();
        },
      },
      ...(options.times === undefined ? {} : { times: options.times }),
    });
  }

  #takeIn(kind: WatchedKind, objectChanges: readonly ObjectChange<TrimmedObject>[]): void {
    const changes: ClusterChange[] = [];
    let noted = false;
    for (const change of objectChanges) {
      const id = `${kind} ${change.key}`;
      const trimmed =
        change.type === 'put' ? change.object : { change: removal(kind, change.key), problems: [] };
      noted = this.#note(id, trimmed.problems) || noted;
      if (trimmed.change === undefined || isNothingNew(this.cluster, trimmed.change)) continue;
      this.cluster.apply(trimmed.change);
      changes.push(trimmed.change);
    }
    if (changes.length > 0 || noted) for (const listener of [...this.#listeners]) listener(changes);
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

/** Most changes are of what policy does not look at: a node's conditions, a pod's readiness. */
function isNothingNew(cluster: Cluster, { kind, key, object }: ClusterChange): boolean {
  const objects: Readonly<Record<WatchedKind, ReadonlyMap<string, unknown>>> = {
    Namespace: cluster.namespaces,
    Node: cluster.nodes,
    NetworkPolicy: cluster.policies,
    Pod: cluster.pods,
    Service: cluster.services,
    EndpointSlice: cluster.endpointSlices,
  };
  return isDeepStrictEqual(objects[kind].get(key), object);
}
