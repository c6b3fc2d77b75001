/** Options for calls of the Kubernetes client: none of them may hang, whatever becomes of the API server. */
import {
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
