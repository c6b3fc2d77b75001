/** What the API does with requests, over any transport: reads, writes with admission, tokens. */
import { randomBytes } from 'node:crypto';
import { Admission } from './admission.ts';
import type { AdmissionRequest } from './admission_request.ts';
import { ApiError, badRequest } from './api_error.ts';
import { type ApiObject, isRecord, type Json } from './api_object.ts';
import { withDefaults } from './defaults.ts';
import { Lists } from './list.ts';
import { typeFaults } from './openapi_types.ts';
import { applyPatch } from './patch.ts';
import type { Place } from './request_path.ts';
import {
  ACCESS_REVIEW,
  apiVersionOf,
  RESOURCES,
  type Resource,
  resourceOfKind,
  SELF_REVIEW,
} from './resources.ts';
import { reviewAccess, reviewSelf } from './reviews.ts';
import { type Preconditions, Store } from './store.ts';
import { Tokens, type UserInfo } from './tokens.ts';
import type { ServiceResolver } from './webhook_call.ts';

/** The user of calls that a test makes in process. */
export const ADMIN: UserInfo = {
  username: 'kubernetes-admin',
  groups: ['system:masters', 'system:authenticated'],
};

/** Who asks, and whether it is only a rehearsal. */
export interface WriteOptions {
  readonly user?: UserInfo;
  readonly dryRun?: boolean;
}

/** A container of one list with what another has for its resources. */
const resized = (current: unknown, next: unknown): readonly Json[] | undefined => {
  const wanted = (next ?? []) as readonly Json[];
  return (current as readonly Json[] | undefined)?.map((container) => ({
    ...container,
    resources: wanted.find(({ name }) => name === container.name)?.resources,
  }));
};

/** Subresources that are connected to, and the kind of their options. */
const CONNECTED: Readonly<Record<string, string>> = { exec: 'PodExecOptions', attach: 'PodAttachOptions' };

/** Subresources of which only a part of the object is taken. */
const PARTS: Readonly<Record<string, (current: ApiObject, next: ApiObject) => ApiObject>> = {
  status: (current, next) => ({ ...current, metadata: next.metadata, status: next.status }),
  ephemeralcontainers: (current, next) => ({
    ...current,
    metadata: next.metadata,
    spec: {
      ...(current.spec as Json),
      ephemeralContainers: (next.spec as Json).ephemeralContainers,
    },
  }),
  resize: (current, next) => {
    const [now, then] = [current.spec as Json, next.spec as Json];
    const containers = resized(now.containers, then.containers);
    const initContainers = resized(now.initContainers, then.initContainers);
    return { ...current, spec: { ...now, containers, ...(initContainers && { initContainers }) } };
  },
};

/** Whether a place is connected to. */
export function isConnected({ subresource = '' }: Place): boolean {
  return Object.hasOwn(CONNECTED, subresource);
}

export class Api {
  readonly store = new Store();
  readonly tokens = new Tokens(this.store);
  readonly lists = new Lists(this.store);
  readonly #admission: Admission;

  /** What admission policies wrote into the audit log, oldest first. */
  get audited(): Admission['audited'] {
    return this.#admission.audited;
  }

  constructor(resolve: ServiceResolver) {
    this.#admission = new Admission(this.store, resolve);
  }

  /** @throws ApiError 404, or 405 for a subresource that cannot be read */
  read({ resource, namespace, name = '' }: Place): ApiObject {
    return this.store.get(resource, namespace, name);
  }

  /**
   * Creates an object the way a POST does: type, defaults, admission, storage.
   * @throws ApiError 400 with every field that is not of the published type; what admission says; 409
   */
  async create(place: Place, body: unknown, options: WriteOptions = {}): Promise<ApiObject> {
    const { resource } = place;
    const object = withDefaults(located(readObject(resource, body), place));
    const { namespace, name } = object.metadata;
    if (namespace !== undefined) this.#requireNamespace(namespace);
    // Admission sees no name where one is still to be generated.
    const admitted = withName(
      await this.#admit(
        { resource, operation: 'CREATE', object, oldObject: null, namespace, name: name ?? '' },
        options,
      ),
    );
    if (options.dryRun) return admitted;
    const created = this.store.create(resource, admitted);
    if (resource.kind === 'Namespace') await this.#createAccount(created.metadata.name);
    return created;
  }

  /** Replaces an object, or its part that a subresource is, the way a PUT does. @throws ApiError as `create`, 404 */
  async replace(place: Place, body: unknown, options: WriteOptions = {}): Promise<ApiObject> {
    const { resource, subresource, namespace, name = '' } = place;
    const current = this.store.get(resource, namespace, name);
    const next = asMade(withName(located(readObject(resource, body), place)), current);
    const object = partOf(resource, subresource, current, next);
    const admitted = await this.#admit(
      {
        resource,
        ...(subresource === undefined ? {} : { subresource }),
        operation: 'UPDATE',
        namespace,
        name,
        object,
        oldObject: current,
      },
      options,
    );
    return options.dryRun ? admitted : this.store.update(resource, admitted);
  }

  /** Patches an object, or its part that a subresource is. @throws ApiError as `replace`, and 415, 422 */
  async patch(
    place: Place,
    contentType: string,
    patch: unknown,
    options: WriteOptions = {},
  ): Promise<ApiObject> {
    const current = this.store.get(place.resource, place.namespace, place.name ?? '');
    return this.replace(place, applyPatch(current, contentType, patch), options);
  }

  /** Deletes at once, without grace. With a namespace goes what is in it. @throws ApiError 404, 409 */
  async delete(place: Place, wanted: Preconditions = {}, options: WriteOptions = {}): Promise<ApiObject> {
    const { resource, namespace, name = '' } = place;
    const oldObject = this.store.get(resource, namespace, name);
    await this.#admit({ resource, operation: 'DELETE', namespace, name, object: null, oldObject }, options);
    if (resource.kind === 'Namespace')
      for (const inside of RESOURCES.filter(({ namespaced }) => namespaced))
        for (const object of this.store.list(inside, name))
          this.store.delete(inside, name, object.metadata.name);
    return this.store.delete(resource, namespace, name, wanted);
  }

  /** Asks admission about a connection to a pod, and refuses it all the same: no pod of the double runs. @throws ApiError */
  async connect(place: Place, options: Json, write: WriteOptions = {}): Promise<never> {
    const { resource, subresource = '', namespace, name = '' } = place;
    this.store.get(resource, namespace, name);
    const object = { apiVersion: 'v1', kind: CONNECTED[subresource], ...options } as unknown as ApiObject;
    await this.#admit(
      { resource, subresource, operation: 'CONNECT', namespace, name, object, oldObject: null },
      write,
    );
    throw badRequest(`pod ${name} does not have a host assigned`);
  }

  /** The answer to a POST on `serviceaccounts/NAME/token`. */
  async requestToken(place: Place, body: unknown, options: WriteOptions = {}): Promise<Json> {
    const { resource, namespace = '', name = '', subresource = '' } = place;
    const object = checked(body, 'AuthenticationV1TokenRequest') as unknown as ApiObject;
    await this.#admit(
      { resource, subresource, operation: 'CREATE', namespace, name, object, oldObject: null },
      options,
    );
    return this.tokens.request(namespace, name, object);
  }

  /** The answer to a POST of a SelfSubjectReview. */
  reviewSelf(body: unknown, user: UserInfo): Json {
    return reviewSelf(checked(body, SELF_REVIEW.model), user);
  }

  /** The answer to a POST of a SubjectAccessReview. */
  reviewAccess(body: unknown): Json {
    return reviewAccess(this.store, checked(body, ACCESS_REVIEW.model));
  }

  /** The answer to a POST of a TokenReview. */
  reviewToken(body: unknown): Json {
    return this.tokens.review(checked(body, 'V1TokenReview'));
  }

  async #admit(
    request: Omit<AdmissionRequest, 'user' | 'dryRun'>,
    { user = ADMIN, dryRun = false }: WriteOptions,
  ): Promise<ApiObject> {
    const admitted = await this.#admission.admit({ ...request, user, dryRun });
    return admitted ?? (request.oldObject as ApiObject);
  }

  #requireNamespace(name: string): void {
    const namespaces = resourceOfKind('v1', 'Namespace');
    if (namespaces === undefined) return;
    if (this.store.get(namespaces, undefined, name).metadata.deletionTimestamp !== undefined)
      throw new ApiError(403, 'Forbidden', `namespace ${name} is being terminated`, {
        details: { causes: [{ reason: 'NamespaceTerminating' }] },
      });
  }

  /** What a controller does in each new namespace. */
  async #createAccount(namespace: string): Promise<void> {
    const resource = resourceOfKind('v1', 'ServiceAccount');
    const metadata = { name: 'default', namespace };
    if (resource) this.store.create(resource, { apiVersion: 'v1', kind: 'ServiceAccount', metadata });
  }
}

function readObject(resource: Resource, body: unknown): ApiObject {
  const object = checked(body, resource.model);
  const apiVersion = apiVersionOf(resource);
  if ((object.apiVersion ?? apiVersion) !== apiVersion || (object.kind ?? resource.kind) !== resource.kind)
    throw badRequest(
      `the API version in the data (${object.apiVersion}, Kind=${object.kind}) does not match the expected one`,
    );
  return {
    ...object,
    apiVersion,
    kind: resource.kind,
    metadata: (object.metadata ?? {}) as ApiObject['metadata'],
  };
}

function checked(body: unknown, model: string): Json {
  const faults = isRecord(body) ? typeFaults(body, model) : ['the body is no object'];
  if (faults.length > 0 || !isRecord(body)) throw badRequest(`strict decoding error: ${faults.join('; ')}`);
  return body;
}

/** The object with the name and namespace that the path gives it. */
function located(object: ApiObject, { resource, namespace, name }: Place): ApiObject {
  const { metadata } = object;
  const given = name ?? metadata.name;
  if (!given && !metadata.generateName) throw badRequest('name or generateName is required');
  if (metadata.name && metadata.name !== given)
    throw badRequest(
      `the name of the object (${metadata.name}) does not match the name on the URL (${given})`,
    );
  if (resource.namespaced && metadata.namespace !== undefined && metadata.namespace !== namespace)
    throw badRequest(`the namespace of the provided object does not match the namespace sent on the request`);
  const { name: _none, ...unnamed } = metadata;
  const called = given ? { name: given } : {};
  const place = resource.namespaced ? { namespace: namespace ?? 'default' } : {};
  return { ...object, metadata: { ...unnamed, ...called, ...place } } as ApiObject;
}

/** The object with the time at which it was made: clients write it with milliseconds, which the API does not know. */
function asMade(next: ApiObject, { metadata }: ApiObject): ApiObject {
  const { creationTimestamp } = metadata;
  return creationTimestamp === undefined
    ? next
    : { ...next, metadata: { ...next.metadata, creationTimestamp } };
}

/** The object with a name that is generated where it has none. */
function withName(object: ApiObject): ApiObject {
  const { metadata } = object;
  if (metadata.name) return object;
  return {
    ...object,
    metadata: { ...metadata, name: `${metadata.generateName}${randomBytes(3).toString('hex')}` },
  };
}

function partOf(
  resource: Resource,
  subresource: string | undefined,
  current: ApiObject,
  next: ApiObject,
): ApiObject {
  if (subresource === undefined) {
    if (!resource.statusSubresource) return next;
    const { status: _ignored, ...rest } = next;
    return (current.status === undefined ? rest : { ...rest, status: current.status }) as ApiObject;
  }
  const part = PARTS[subresource];
  if (part === undefined)
    throw new ApiError(404, 'NotFound', `the double does not serve the subresource ${subresource}`);
  return part(current, next);
}
