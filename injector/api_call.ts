/** Calls of the Kubernetes client: none of them may hang, and what went wrong is to be read by people. */
import {
  ApiException,
  type ConfigurationOptions,
  type ObservableMiddleware,
  setHeaderMiddleware,
} from '@kubernetes/client-node';

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

/** Whether the API server answered with this status. */
export function hasCode(error: unknown, code: number): boolean {
  return error instanceof ApiException && error.code === code;
}

/** What went wrong, in a line: the library's own message has headers and body. */
export function whatFailed(error: unknown): string {
  if (error instanceof ApiException) return `it answers ${error.code}: ${statusMessage(error.body)}`;
  // Of a failed connection the error within says it.
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return `it does not answer: ${inner instanceof Error ? inner.message || inner.name : String(inner)}`;
}

/** `metav1.Status.message`; the library gives the body of some answers as text. */
function statusMessage(body: unknown): string {
  try {
    const status: unknown = typeof body === 'string' ? JSON.parse(body) : body;
    return String((status as { message?: unknown }).message ?? 'no reason given');
  } catch {
    return 'no reason given';
  }
}
