/** What all replicas have observed: each has the windows of its own sidecars. */
import { part, text } from '../../../common/shape.ts';
import {
  addLost,
  type FlowQuestion,
  mergeAnswers,
  type ObservedAnswer,
  observedAnswer,
} from '../../../flows/index.ts';
import type { Collector } from '../../collector/index.ts';
import { askReplica } from './ask_replicas.ts';

/** Path of a replica's own answer on its status port. */
const FLOWS_PATH = '/flows';

/** What a replica answers another. */
const replicaAnswer = part({ replica: text(), answer: observedAnswer });

/** What is asked, and of whom. */
export interface AllFlowsParts {
  readonly collector: Pick<Collector, 'ask' | 'askJson'>;
  /** Canonical addresses of the injector's replicas, this one among them. */
  readonly replicas: () => readonly string[];
  /** Name of this one. */
  readonly replica: string;
  /** Where the others answer. */
  readonly statusPort: number;
}

/** Asks all. */
export class AllFlows {
  readonly #parts: AllFlowsParts;

  constructor(parts: AllFlowsParts) {
    this.#parts = parts;
  }

  /** This replica's answer, as it gives it to another. */
  async own(question: FlowQuestion): Promise<{ readonly replica: string; readonly answer: ObservedAnswer }> {
    const { collector, replica } = this.#parts;
    return { replica, answer: await collector.ask(question) };
  }

  /** As `ask`, as JSON. The only replica passes on what its collector has made. */
  async askJson(question: FlowQuestion): Promise<Uint8Array> {
    const { collector, replicas } = this.#parts;
    if (replicas().length <= 1) return collector.askJson(question);
    return Buffer.from(JSON.stringify(await this.ask(question)));
  }

  /**
   * One answer of all replicas. One that does not answer is named in `lost`.
   * @throws Error when this replica itself has no answer
   */
  async ask(question: FlowQuestion): Promise<ObservedAnswer> {
    const { replicas, replica, statusPort } = this.#parts;
    // What replicas have grouped or cut could not be put together any more.
    const { groupBy: _, limit: __, ...whole } = question;
    const page = {
      path: `${FLOWS_PATH}?question=${encodeURIComponent(JSON.stringify(whole))}`,
      shape: replicaAnswer,
    };
    const own = this.own(whole);
    const asked = replicas().map((address) => askReplica(address, statusPort, page).catch(() => undefined));
    // By name: a replica may have an address of each family.
    const answers = new Map([[replica, (await own).answer]]);
    let silent = 0;
    for (const other of await Promise.all(asked)) {
      if (other === undefined) silent += 1;
      else if (other.replica !== replica) answers.set(other.replica, other.answer);
    }
    const merged = mergeAnswers([...answers.values()], question);
    if (silent === 0) return merged;
    const why = `${silent} of ${asked.length} addresses of replicas did not answer`;
    return { ...merged, lost: addLost([...merged.lost, { flows: 0, why }]) };
  }
}
