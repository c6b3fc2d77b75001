/** Lists: pages of one snapshot, found by `continue` tokens that live until the history is compacted. */
import { randomBytes } from 'node:crypto';
import { ApiError, expired } from './api_error.ts';
import type { ApiObject, Json } from './api_object.ts';
import { apiVersionOf, type Resource } from './resources.ts';
import { readSelectors } from './selectors.ts';
import type { Store } from './store.ts';

interface Rest {
  readonly revision: number;
  readonly items: readonly ApiObject[];
}

/** Answers list requests. */
export class Lists {
  readonly #store: Store;
  readonly #rests = new Map<string, Rest>();

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * A page: at most `limit` items, and the token of the next page where there are more.
   * @throws ApiError 410 for a token whose snapshot is forgotten; 504 for a revision that is not there yet
   */
  page(resource: Resource, namespace: string | undefined, query: URLSearchParams): Json {
    const limit = Number(query.get('limit') ?? 0) || Number.POSITIVE_INFINITY;
    const { revision, items } = this.#rest(resource, namespace, query);
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

  #rest(resource: Resource, namespace: string | undefined, query: URLSearchParams): Rest {
    const token = query.get('continue');
    if (token !== null && token !== '') {
      const rest = this.#rests.get(token);
      if (rest === undefined)
        throw expired('The provided continue parameter is too old to display a consistent list result.');
      return rest;
    }
    requireReached(this.#store, query.get('resourceVersion'));
    const wanted = readSelectors(query);
    return { revision: this.#store.revision, items: this.#store.list(resource, namespace).filter(wanted) };
  }

  #keep(rest: Rest): string {
    const token = randomBytes(12).toString('base64url');
    this.#rests.set(token, rest);
    return token;
  }
}

/** @throws ApiError 504 when `resourceVersion` is later than the last change */
function requireReached(store: Store, resourceVersion: string | null): void {
  const wanted = Number(resourceVersion ?? 0);
  if (wanted <= store.revision) return;
  const message = `Too large resource version: ${wanted}, current: ${store.revision}`;
  const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }];
  throw new ApiError(504, 'Timeout', message, { details: { causes, retryAfterSeconds: 1 } });
}

/** Items of a typed list do not say what they are: the list does. */
function withoutType({ apiVersion, kind, ...rest }: ApiObject): Json {
  return rest;
}
