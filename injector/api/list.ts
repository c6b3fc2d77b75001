/** Lists of the API: from the server's cache where that will do. Their objects are taken in one at a time, as they arrive. */
import { anything, list, nullable, part, text } from '../../common/shape.ts';
import type { ApiClient, Query } from './api_client.ts';
import { answerMalformed, isGone } from './api_failure.ts';
import { ListCutter } from './list_cutter.ts';
import { type RawObject, readRawObjectJson } from './raw_object.ts';

/** Objects of a page: what client-go takes. Where the answer comes from its cache, a server takes no notice of it. */
export const PAGE_LIMIT = 500;

/** Pages of one list: a million objects. A server whose pages lead to each other would fill the memory. */
export const MAX_PAGES = 2_000;

/** How often a list begins again at its first page when the server forgets them, before all is asked for at once. */
const PAGED_ATTEMPTS = 2;

const listMetadata = part({ resourceVersion: text() }, { continue: text() });

/** One member of a list. A Go server may write an empty list as null. */
const member = part({}, { metadata: listMetadata, items: nullable(list(anything)) });

/**
 * How new an answer has to be. Source: Kubernetes API concepts, "Semantics for get and list".
 * - `any`: what the server's cache has. It may be behind; the watch that follows goes on from there.
 * - `now`: as new as storage.
 * - `notOlderThan`: from the cache, once that has come to this version.
 */
export type Freshness = 'any' | 'now' | { readonly notOlderThan: string };

/** What to list. */
export interface ListRequest {
  readonly client: ApiClient;
  readonly path: string;
  readonly freshness: Freshness;
  /** Default: all. Source: Kubernetes, "Labels and selectors". */
  readonly labelSelector?: string;
  readonly signal: AbortSignal;
}

/** Takes in a list. What it is given counts only once the list has come to its end. */
export interface ListSink {
  add(object: RawObject): void;
  /** The list begins again: what has come of it does not count. */
  restart(): void;
}

/**
 * Lists all objects.
 * @returns the revision that the list shows
 * @throws ApiFailure, AnswerMalformed, Error of the connection, or of the signal
 */
export async function listAll(request: ListRequest, sink: ListSink): Promise<string> {
  const { freshness } = request;
  // A limit would have it read from storage.
  if (typeof freshness === 'object')
    return listPages(
      request,
      { resourceVersion: freshness.notOlderThan, resourceVersionMatch: 'NotOlderThan' },
      sink,
    );
  const resourceVersion = freshness === 'any' ? 0 : undefined;
  for (let attempt = 1; attempt <= PAGED_ATTEMPTS; attempt += 1) {
    try {
      return await listPages(request, { resourceVersion, limit: PAGE_LIMIT }, sink);
    } catch (error) {
      // 410: the server no longer knows the moment that the first pages showed.
      if (!isGone(error)) throw error;
      sink.restart();
    }
  }
  return listPages(request, {}, sink);
}

async function listPages(request: ListRequest, start: Query, sink: ListSink): Promise<string> {
  const { labelSelector } = request;
  let query: Query = { ...start, labelSelector };
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const { resourceVersion, continue: next = '' } = await readPage(request, query, sink);
    if (next === '') return resourceVersion;
    if (next === query.continue) throw answerMalformed(`${request.path}: a page that leads to itself`);
    query = { limit: PAGE_LIMIT, continue: next, labelSelector };
  }
  throw answerMalformed(`${request.path}: a list of more than ${MAX_PAGES} pages`);
}

async function readPage(
  { client, path, signal }: ListRequest,
  query: Query,
  sink: ListSink,
): Promise<NonNullable<ReturnType<typeof readMember>>> {
  const cutter = new ListCutter(path);
  let metadata: ReturnType<typeof readMember>;
  for await (const chunk of client.chunks(path, query, signal)) {
    for (const piece of cutter.push(chunk)) {
      if (piece.kind === 'item') sink.add(readRawObjectJson(piece.text));
      else metadata = readMember(piece.text, path) ?? metadata;
      if (!client.slice.isUsed()) continue;
      await client.slice.next();
      signal.throwIfAborted();
    }
  }
  cutter.end();
  if (metadata === undefined) throw answerMalformed(`${path}: a list without metadata`);
  return metadata;
}

/** The metadata of a list, if this member is them. */
function readMember(text: string, path: string) {
  return member.readJson(`{${text}}`, path, answerMalformed).metadata;
}
