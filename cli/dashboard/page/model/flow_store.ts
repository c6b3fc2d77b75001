/** The flows that the page has: an answer, and what came since. */
import type { ObservedAnswer, ObservedFlow } from '../../../../flows/index.ts';
import { endOf } from './ends.ts';

/** Kinds of flows that the page keeps; an answer has no more. What comes beyond is counted. */
const MAX_KEPT = 10_000;

/** Flows of an answer and of a live stream, by what makes them alike. */
export class FlowStore {
  readonly #flows = new Map<string, ObservedFlow>();
  #left = 0;

  constructor(answer?: Pick<ObservedAnswer, 'flows'>) {
    for (const flow of answer?.flows ?? []) this.add(flow);
  }

  /** Adds what is new of a kind of flows. */
  add(flow: ObservedFlow): void {
    const key = keyOf(flow);
    const known = this.#flows.get(key);
    if (known === undefined && this.#flows.size >= MAX_KEPT) this.#left += flow.flows;
    else this.#flows.set(key, known === undefined ? flow : sum(known, flow));
  }

  /** All kinds of flows. */
  get flows(): readonly ObservedFlow[] {
    return [...this.#flows.values()];
  }

  /** Flows that found no place. */
  get left(): number {
    return this.#left;
  }
}

/** Equal for flows that are alike. */
export function keyOf({ src, dst, service, ...flow }: ObservedFlow): string {
  return JSON.stringify([
    endOf(src).id,
    endOf(dst).id,
    service ?? '',
    flow.protocol,
    flow.port,
    flow.outcome,
    flow.direction,
    flow.reason,
    flow.policy ?? '',
    flow.rule ?? -1,
  ]);
}

/** The later one has the words. */
function sum(a: ObservedFlow, b: ObservedFlow): ObservedFlow {
  const [early, late] = a.last <= b.last ? [a, b] : [b, a];
  return {
    ...early,
    ...late,
    first: a.first < b.first ? a.first : b.first,
    flows: a.flows + b.flows,
    packets: a.packets + b.packets,
    bytes_sent: a.bytes_sent + b.bytes_sent,
    bytes_received: a.bytes_received + b.bytes_received,
    reported_by: a.reported_by === b.reported_by ? a.reported_by : 'both',
  };
}
