/** Lists of the API, page by page. */
import type { ApiClient } from './api_client.ts';
import { AnswerMalformed, isGone } from './api_failure.ts';
import { field, type RawObject, readRawObject } from './raw_object.ts';

/** Objects of a page: what client-go takes, a few MB of pods. */
const PAGE_LIMIT = 500;

/** How often pages are begun anew when the server forgets them, before all is asked for at once. */
const PAGED_ATTEMPTS = 2;

/** A list, and the revision it shows. */
export interface Listed {
  readonly resourceVersion: string;
}

/**
 * Lists all objects as they are now. No `resourceVersion` is given: the answer is as new as storage, and never older
 * than what an earlier connection has shown.
 * @param onItem told each object as its page arrives; what it was told counts only if this returns
 * @param restart told that pages are begun anew
 * @throws ApiFailure, AnswerMalformed, Error of the connection
 */
export async function listAll(
  client: ApiClient,
  path: string,
  signal: AbortSignal,
  onItem: (object: RawObject) => void,
  restart: () => void,
): Promise<Listed> {
  for (let attempt = 1; attempt <= PAGED_ATTEMPTS; attempt += 1) {
    try {
      return await listPages(client, path, PAGE_LIMIT, signal, onItem);
    } catch (error) {
      // 410: the server no longer knows the moment that the first pages showed.
      if (!isGone(error)) throw error;
      restart();
    }
  }
  return listPages(client, path, undefined, signal, onItem);
}

async function listPages(
  client: ApiClient,
  path: string,
  limit: number | undefined,
  signal: AbortSignal,
  onItem: (object: RawObject) => void,
): Promise<Listed> {
  let token: string | undefined;
  for (;;) {
    const page = await client.getJson(path, { limit, continue: token }, signal);
    const items = field(page, 'items');
    const metadata = field(page, 'metadata');
    const resourceVersion = field(metadata, 'resourceVersion');
    if (typeof resourceVersion !== 'string')
      throw new AnswerMalformed(`${path}: a list without resourceVersion`);
    // A Go server may write an empty list as null.
    if (!Array.isArray(items ?? [])) throw new AnswerMalformed(`${path}: a list without items`);
    for (const item of (items ?? []) as readonly unknown[]) onItem(readRawObject(item));
    const next = field(metadata, 'continue');
    if (typeof next !== 'string' || next === '') return { resourceVersion };
    token = next;
  }
}
