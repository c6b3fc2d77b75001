/** Lists of the API, page by page. */

import { anything, list, nullable, part, text } from '../../common/shape.ts';
import type { ApiClient } from './api_client.ts';
import { isGone } from './api_failure.ts';
import { type RawObject, readRawObject } from './raw_object.ts';

/** Objects of a page: what client-go takes, a few MB of pods. */
const PAGE_LIMIT = 500;

/** How often a list begins again at its first page when the server forgets them, before all is asked for at once. */
const PAGED_ATTEMPTS = 2;

const page = part(
  { metadata: part({ resourceVersion: text() }, { continue: text() }) },
  // A Go server may write an empty list as null.
  { items: nullable(list(anything)) },
);

/** A list, and the revision it shows. */
export interface Listed {
  readonly resourceVersion: string;
}

/**
 * Lists all objects as they are now. No `resourceVersion` is given: the answer is as new as storage, and never older
 * than what an earlier connection has shown.
 * @param onItem called with each object as its page arrives; the objects count only if this returns
 * @param restart called when the list begins again at its first page
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
    const { items, metadata } = await client.getJson(page, path, { limit, continue: token }, signal);
    for (const item of items ?? []) onItem(readRawObject(item));
    const { resourceVersion, continue: next = '' } = metadata;
    if (next === '') return { resourceVersion };
    token = next;
  }
}
