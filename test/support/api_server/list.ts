/**
 * Lists: pages of one snapshot, found by `continue` tokens that live until the history is compacted; or whole, from the cache,
 * which a test can hold up.
 */
import { randomBytes } from 'node:crypto';
import { ApiError, badRequest, expired, invalid } from './api_error.ts';
import type { ApiObject, Json } from './api_object.ts';
import { apiVersionOf, RESOURCES, type Resource } from './resources.ts';
import { readSelectors } from './selectors.ts';
import { isIn, type Store } from './store.ts';

interface Rest {
  readonly revision: number;
  readonly items: readonly ApiObject[];
}

/** What the cache shows while it is held up. */
interface Cache {
  readonly revision: number;
  readonly items: ReadonlyMap<Resource, readonly ApiObject[]>;
}

/** Answers list requests. */
export class Lists {
  readonly #store: Store;
  readonly #rests = new Map<string, Rest>();
  #held: Cache | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * A page: at most `limit` items, and the token of the next page where there are more. From the cache comes all at once.
   * @throws ApiError 400, 422 for parameters that do not go together; 410 for a token whose snapshot is forgotten; 504 for a
   *   revision that is not there yet
   */
  page(resource: Resource, namespace: string | undefined, query: URLSearchParams): Json {
    checkListQuery(query);
    const cached = isFromCache(query);
    const limit = cached ? Number.POSITIVE_INFINITY : limitOf(query);
    const { revision, items } = cached
      ? this.#cached(resource, namespace, query)
      : this.#rest(resource, namespace, query);
    const page = items.slice(0, limit);
    const rest = items.slice(limit);
    const metadata: Record<string, unknown> = { resourceVersion: String(revision) };
    if (rest.length > 0) {
      metadata.continue = this.#keep({ revision, items: rest });
      metadata.remainingItemCount = rest.length;
    }
    return {
      kind: `${resource.kind}List`,
      apiVersion: apiVersionOf(resource),
      metadata,
      items: page.map(withoutType),
    };
  }

  /** Forgets all snapshots: the next page of a list that is under way is answered with 410. */
  forget(): void {
    this.#rests.clear();
  }

  /** The cache falls behind: it goes on showing what there is now. */
  holdCache(): void {
    const items = new Map(RESOURCES.map((resource) => [resource, this.#store.list(resource)]));
    this.#held = { revision: this.#store.revision, items };
  }

  /** The cache has caught up. */
  releaseCache(): void {
    this.#held = undefined;
  }

  #cached(resource: Resource, namespace: string | undefined, query: URLSearchParams): Rest {
    const revision = this.#held?.revision ?? this.#store.revision;
    requireReached(revision, query.get('resourceVersion'));
    const wanted = readSelectors(query);
    const items = this.#held?.items.get(resource) ?? this.#store.list(resource);
    return { revision, items: items.filter((object) => isIn(object, namespace) && wanted(object)) };
  }

  #rest(resource: Resource, namespace: string | undefined, query: URLSearchParams): Rest {
    const token = query.get('continue');
    if (token !== null && token !== '') {
      const rest = this.#rests.get(token);
      if (rest === undefined)
        throw expired('The provided continue parameter is too old to display a consistent list result.');
      return rest;
    }
    requireReached(this.#store.revision, query.get('resourceVersion'));
    const wanted = readSelectors(query);
    return { revision: this.#store.revision, items: this.#store.list(resource, namespace).filter(wanted) };
  }

  #keep(rest: Rest): string {
    const token = randomBytes(12).toString('base64url');
    this.#rests.set(token, rest);
    return token;
  }
}

function limitOf(query: URLSearchParams): number {
  return Number(query.get('limit') ?? 0) || Number.POSITIVE_INFINITY;
}

/** As an API server does: any revision, or a list that is not older than one and has no limit. */
function isFromCache(query: URLSearchParams): boolean {
  const version = query.get('resourceVersion') ?? '';
  return version === '0' || (version !== '' && limitOf(query) === Number.POSITIVE_INFINITY);
}

/** What `validateListOptions` of apimachinery refuses. */
function checkListQuery(query: URLSearchParams): void {
  const [version, next] = [query.get('resourceVersion') ?? '', query.get('continue') ?? ''];
  if (query.has('sendInitialEvents')) throw invalid('sendInitialEvents is forbidden for list');
  if (query.has('resourceVersionMatch') && (version === '' || next !== ''))
    throw invalid('resourceVersionMatch is forbidden unless resourceVersion is provided, and with continue');
  if (next !== '' && version !== '' && version !== '0')
    throw badRequest('specifying resource version is not allowed when using continue');
}

/** @throws ApiError 504 when `resourceVersion` is later than the last change */
export function requireReached(revision: number, resourceVersion: string | null): void {
  const wanted = Number(resourceVersion ?? 0);
  if (wanted <= revision) return;
  const message = `Too large resource version: ${wanted}, current: ${revision}`;
  const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }];
  throw new ApiError(504, 'Timeout', message, { details: { causes, retryAfterSeconds: 1 } });
}

/** Items of a typed list do not say what they are: the list does. */
function withoutType({ apiVersion, kind, ...rest }: ApiObject): Json {
  return rest;
}
