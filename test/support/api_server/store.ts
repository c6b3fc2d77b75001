/**
 * What etcd and the watch cache are to the API server: objects with versions, and the changes since some revision.
 * Stored objects are frozen: a reader can keep them.
 */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { alreadyExists, conflict, expired, notFound } from './api_error.ts';
import type { ApiObject } from './api_object.ts';
import type { Resource } from './resources.ts';

/** One change. `previous` is the object before it; a deleted object is as it last was, with the revision of its end. */
export interface StoreEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly revision: number;
  readonly resource: Resource;
  readonly object: ApiObject;
  readonly previous?: ApiObject;
}

/** What a delete may insist on. */
export interface Preconditions {
  readonly uid?: string;
  readonly resourceVersion?: string;
}

export class Store {
  readonly #objects = new Map<Resource, Map<string, ApiObject>>();
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  #history: StoreEvent[] = [];
  #revision = 1_000;
  #compacted = 1_000;

  /** The revision of the last change. */
  get revision(): number {
    return this.#revision;
  }

  /** All objects of a resource in the order of their keys, of one namespace if given. */
  list(resource: Resource, namespace?: string): readonly ApiObject[] {
    const all = [...(this.#objects.get(resource) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    return all.map(([, object]) => object).filter((object) => isIn(object, namespace));
  }

  find(resource: Resource, namespace: string | undefined, name: string): ApiObject | undefined {
    return this.#objects.get(resource)?.get(keyOf(resource, namespace, name));
  }

  /** @throws ApiError 404 */
  get(resource: Resource, namespace: string | undefined, name: string): ApiObject {
    const object = this.find(resource, namespace, name);
    if (object === undefined) throw notFound(resource.plural, name);
    return object;
  }

  /** @throws ApiError 409 */
  create(resource: Resource, object: ApiObject): ApiObject {
    const { namespace, name } = object.metadata;
    if (this.find(resource, namespace, name)) throw alreadyExists(resource.plural, name);
    const metadata = {
      ...object.metadata,
      uid: randomUUID(),
      creationTimestamp: `${new Date().toISOString().slice(0, 19)}Z`,
      generation: 1,
    };
    return this.#put('ADDED', resource, { ...object, metadata });
  }

  /**
   * Puts an object in the place of the one that is there. An object that is the same changes nothing.
   * @throws ApiError 404; 409 where it names another version or another object
   */
  update(resource: Resource, object: ApiObject): ApiObject {
    const { namespace, name, resourceVersion, uid } = object.metadata;
    const current = this.get(resource, namespace, name);
    if (resourceVersion !== undefined && resourceVersion !== current.metadata.resourceVersion) {
      const why =
        'the object has been modified; please apply your changes to the latest version and try again';
      throw conflict(resource.plural, name, why);
    }
    if (uid !== undefined && uid !== current.metadata.uid)
      throw conflict(resource.plural, name, 'Precondition failed: UID in precondition does not match');
    const { creationTimestamp, generation = 1 } = current.metadata;
    const kept = {
      uid: current.metadata.uid,
      creationTimestamp,
      resourceVersion: current.metadata.resourceVersion,
    };
    const grown = isDeepStrictEqual(object.spec, current.spec) ? generation : generation + 1;
    const next = { ...object, metadata: { ...object.metadata, ...kept, generation: grown } } as ApiObject;
    if (isDeepStrictEqual(next, current)) return current;
    return this.#put('MODIFIED', resource, next, current);
  }

  /** @throws ApiError 404; 409 where a precondition does not hold */
  delete(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    wanted: Preconditions = {},
  ): ApiObject {
    const current = this.get(resource, namespace, name);
    const { uid, resourceVersion } = current.metadata;
    if ((wanted.uid ?? uid) !== uid || (wanted.resourceVersion ?? resourceVersion) !== resourceVersion)
      throw conflict(resource.plural, name, 'Precondition failed');
    const last = resource.kind === 'Pod' ? this.#markDeleted(resource, current) : current;
    this.#objects.get(resource)?.delete(keyOf(resource, namespace, name));
    return this.#publish('DELETED', resource, this.#stamp(last), last);
  }

  /** A pod is told to end before it is gone, even where it has no grace. */
  #markDeleted(resource: Resource, pod: ApiObject): ApiObject {
    const deletionTimestamp = `${new Date().toISOString().slice(0, 19)}Z`;
    const metadata = { ...pod.metadata, deletionTimestamp, deletionGracePeriodSeconds: 0 };
    return this.#put('MODIFIED', resource, { ...pod, metadata }, pod);
  }

  /**
   * Follows changes after `revision`; what has happened since comes first. Returns how to stop.
   * @throws ApiError 410 where changes after `revision` are forgotten
   */
  follow(revision: number, listener: (event: StoreEvent) => void): () => void {
    if (revision < this.#compacted)
      throw expired(`too old resource version: ${revision} (${this.#compacted})`);
    for (const event of this.#history) if (event.revision > revision) listener(event);
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Forgets all changes so far, as etcd does with old ones: who wants to go on from before has to list. */
  compact(): void {
    // A change that nobody sees, so that even a watcher that is up to date is behind.
    this.#revision += 1;
    this.#compacted = this.#revision;
    this.#history = [];
  }

  #put(type: StoreEvent['type'], resource: Resource, object: ApiObject, previous?: ApiObject): ApiObject {
    const stored = this.#stamp(object);
    const objects = this.#objects.get(resource) ?? new Map<string, ApiObject>();
    this.#objects.set(resource, objects);
    objects.set(keyOf(resource, stored.metadata.namespace, stored.metadata.name), stored);
    return this.#publish(type, resource, stored, previous);
  }

  /** The object with the next revision as its version. */
  #stamp(object: ApiObject): ApiObject {
    this.#revision += 1;
    const metadata = { ...object.metadata, resourceVersion: String(this.#revision) };
    return deepFreeze({ ...object, metadata });
  }

  #publish(type: StoreEvent['type'], resource: Resource, object: ApiObject, previous?: ApiObject): ApiObject {
    const revision = this.#revision;
    const event = { type, revision, resource, object, ...(previous === undefined ? {} : { previous }) };
    this.#history.push(event);
    for (const listener of [...this.#listeners]) listener(event);
    return object;
  }
}

/** Whether an object is in a namespace; no namespace: everywhere. */
export function isIn(object: ApiObject, namespace: string | undefined): boolean {
  return namespace === undefined || object.metadata.namespace === namespace;
}

function keyOf(resource: Resource, namespace: string | undefined, name: string): string {
  return resource.namespaced ? `${namespace ?? ''}/${name}` : name;
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const part of Object.values(value)) deepFreeze(part);
  return value;
}
