/** Where flows come from, as commands and the dashboard see it. */
import type { FlowQuestion, ObservedAnswer, ObservedFlow } from '../../flows/index.ts';

/** Answers questions about flows. */
export interface FlowSource {
  /**
   * The edges that fit, the most flows first.
   * @throws SluiceError `FLOWS_UNREADABLE`, `RIGHT_MISSING`, `CLUSTER_UNREADABLE`
   */
  ask(question: FlowQuestion): Promise<ObservedAnswer>;
  /**
   * Edges that fit as they are observed, until `signal` is aborted or there can be no more. One edge comes again whenever there are
   * flows of it. The question's span, groups and limit do not count.
   * @throws as `ask`
   */
  follow(question: FlowQuestion, signal: AbortSignal): AsyncIterable<ObservedFlow>;
  /** Ends what asking has left open. */
  close(): void;
}
