/** What a dashboard shows in tests: flows that a test gives, and tells to come. */
import type { DashboardFacts } from '../../cli/dashboard/form.ts';
import type { ShownFlows } from '../../cli/dashboard/server/index.ts';
import type { FlowQuestion, ObservedFlow } from '../../flows/index.ts';
import { selectFlows } from '../../flows/index.ts';

/** A source of flows in the hands of a test. */
export class FlowDouble implements ShownFlows {
  /** What the source is asked. */
  readonly questions: FlowQuestion[] = [];
  readonly #flows: ObservedFlow[];
  readonly #followers = new Set<(flow: ObservedFlow | Error) => void>();

  constructor(flows: readonly ObservedFlow[] = []) {
    this.#flows = [...flows];
  }

  /** Pages that are live. */
  get followers(): number {
    return this.#followers.size;
  }

  /** A flow comes. */
  observe(flow: ObservedFlow): void {
    this.#flows.push(flow);
    for (const follow of this.#followers) follow(flow);
  }

  /** What follows breaks; it may be followed again. */
  break(problem: string): void {
    for (const follow of this.#followers) follow(new Error(problem));
  }

  async ask(question: FlowQuestion) {
    this.questions.push(question);
    const everything = { ...question, since: 0, until: Number.MAX_SAFE_INTEGER };
    const [since, until] = [new Date(0).toISOString(), new Date().toISOString()];
    return { since, until, observed_since: since, ...selectFlows(this.#flows, everything) };
  }

  async *follow(_question: FlowQuestion, signal: AbortSignal): AsyncGenerator<ObservedFlow> {
    const waiting: (ObservedFlow | Error)[] = [];
    let wake = Promise.withResolvers<void>();
    const take = (flow: ObservedFlow | Error) => {
      waiting.push(flow);
      wake.resolve();
    };
    this.#followers.add(take);
    signal.addEventListener('abort', () => wake.resolve());
    try {
      while (!signal.aborted) {
        for (const next of waiting.splice(0)) {
          if (next instanceof Error) throw next;
          yield next;
        }
        await wake.promise;
        wake = Promise.withResolvers();
      }
    } finally {
      this.#followers.delete(take);
    }
  }
}

/** Facts of nothing, with what a test is about. */
export function dashboardFacts(parts: Partial<DashboardFacts> = {}): DashboardFacts {
  return {
    source: { name: 'lab shop', live: true, flags: ['--lab', 'shop'] },
    workloads: [],
    policies: [],
    pods: [],
    allowed: [],
    notes: [],
    ...parts,
  };
}
