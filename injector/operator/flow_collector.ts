/** Who keeps what was observed, as the users' port asks for it. */
import type { FlowQuestion, ObservedAnswer, ObservedFlow } from '../../flows/index.ts';

/** Keeps observed flows. Rights are no matter of its own: it is asked for what the user may see. */
export interface FlowCollector {
  /** Answers about a span of time. */
  ask(question: FlowQuestion): Promise<ObservedAnswer>;
  /**
   * Flows as they are observed, until `signal` is aborted. What is not fetched in time is dropped by the collector: a slow reader
   * holds nothing here.
   */
  follow(question: FlowQuestion, signal: AbortSignal): AsyncIterable<ObservedFlow>;
}
