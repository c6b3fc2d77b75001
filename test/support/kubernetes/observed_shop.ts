/** Observed flows of two namespaces, and a collector that gives all of them whatever it is asked: what is hidden has to be cut by others. */
import type { FlowQuestion, ObservedAnswer, ObservedFlow } from '../../../flows/index.ts';
import type { FlowCollector } from '../../../injector/operator/index.ts';

const AT = '2026-11-30T12:00:00.000Z';

/** An end that is a workload, with one pod. */
export function end(namespace: string, name: string): ObservedFlow['src'] {
  return { kind: 'workload', namespace, workload: `deploy/${name}`, pod: `${name}-1` };
}

/** An edge to port 5432. */
export function edge(
  src: ObservedFlow['src'],
  dst: ObservedFlow['dst'],
  more: Partial<ObservedFlow> = {},
): ObservedFlow {
  return {
    ...{ src, dst, protocol: 'TCP', port: 5432, outcome: 'allow', direction: 'ingress', reason: 'rule' },
    ...{ first: AT, last: AT, flows: 1, packets: 0, bytes_sent: 0, bytes_received: 0, reported_by: 'both' },
    ...more,
  };
}

/** What is said of a denial by the policies of a namespace. */
export function denial(namespace: string): Partial<ObservedFlow> {
  return {
    outcome: 'deny',
    reason: 'no-rule-matched',
    policy: `${namespace}/db`,
    rule: 0,
    isolating: [`${namespace}/db`],
    near: [{ policy: `${namespace}/db`, rule: 0, lacks: ['label app=x wanted'] }],
    explanation: `denied by ${namespace}/db`,
  };
}

/** Within each of the two, and denied from each to the other. */
export function edgesOf(shop: string, other: string): readonly ObservedFlow[] {
  return [
    edge(end(shop, 'web'), end(shop, 'db'), { policy: `${shop}/db`, rule: 0 }),
    edge(end(other, 'spy'), end(other, 'vault'), { policy: `${other}/vault`, rule: 0 }),
    edge(end(other, 'spy'), end(shop, 'db'), denial(shop)),
    edge(end(shop, 'web'), end(other, 'vault'), denial(other)),
  ];
}

/** Gives all edges to every question; a stream goes on until it is aborted. */
export class TestCollector implements FlowCollector {
  readonly questions: FlowQuestion[] = [];
  /** Streams that have ended. */
  ended = 0;
  #edges: readonly ObservedFlow[];

  constructor(edges: readonly ObservedFlow[]) {
    this.#edges = edges;
  }

  async ask(question: FlowQuestion): Promise<ObservedAnswer> {
    this.questions.push(question);
    return { since: AT, until: AT, observed_since: AT, lost: [], flows: this.#edges };
  }

  async *follow(question: FlowQuestion, signal: AbortSignal): AsyncGenerator<ObservedFlow, void> {
    this.questions.push(question);
    try {
      yield* this.#edges;
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    } finally {
      this.ended += 1;
    }
  }
}
