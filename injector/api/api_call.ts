/** Calls of the Kubernetes client: none of them may hang, and what went wrong is to be read by people. */
import {
  ApiException,
  type ConfigurationOptions,
  type ObservableMiddleware,
  setHeaderMiddleware,
} from '@kubernetes/client-node';
import { ApiFailure } from './api_failure.ts';
import { readStatus } from './status.ts';

/** What a call takes as its last argument. */
export type CallOptions = ConfigurationOptions<ObservableMiddleware>;

/** The call fails after `timeoutMs`, answer included. */
export function within(timeoutMs: number): CallOptions {
  const base = setHeaderMiddleware('Accept', 'application/json');
  const bounded: ObservableMiddleware = {
    pre(request) {
      request.setSignal(AbortSignal.timeout(timeoutMs));
      return base.pre(request);
    },
    post: (response) => base.post(response),
  };
  return { middleware: [bounded], middlewareMergeStrategy: 'append' };
}

/** HTTP statuses by which callers distinguish answers. */
export const FORBIDDEN = 403;
export const NOT_FOUND = 404;
export const CONFLICT = 409;

/** Whether the API server answered with this status, to the library's calls or to those of `ApiClient`. */
export function hasCode(error: unknown, code: number): boolean {
  return (error instanceof ApiException || error instanceof ApiFailure) && error.code === code;
}

/**
 * The answer to a read, or undefined where there is no such object.
 * @throws what `call` rejects with otherwise
 */
export async function ifThere<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (hasCode(error, NOT_FOUND)) return undefined;
    throw error;
  }
}

/** Whether the API server named this among the causes: `metav1.StatusDetails.causes[].reason`. */
export function hasCause(error: unknown, reason: string): boolean {
  if (!(error instanceof ApiException)) return false;
  return readStatus(error.body).details?.causes?.some((cause) => cause.reason === reason) ?? false;
}

/** What went wrong, in a line: the library's own message has headers and body. */
export function whatFailed(error: unknown): string {
  if (error instanceof ApiException)
    return `it answers ${error.code}: ${readStatus(error.body).message ?? 'no reason given'}`;
  if (error instanceof ApiFailure) return `it answers ${error.message}`;
  // Of a failed connection the error within says it.
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return `it does not answer: ${inner instanceof Error ? inner.message || inner.name : String(inner)}`;
}
