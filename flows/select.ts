/**
 * The answer to a question, from edges: which fit it, what of them is one row, in which order, and what there is no place for. Pure.
 * The injector, commands and the dashboard answer by this.
 */
import type { ObservedAnswer, ObservedFlow } from './answer.ts';
import { flowTest } from './match.ts';
import { type FlowQuestion, MAX_EDGES } from './question.ts';
import { groupKeyOf, identityOf, joinEnds, together } from './together.ts';

/** Flows that an answer does not have, and why. */
export type LostFlows = ObservedAnswer['lost'][number];

/** Edges of an answer, and what of them was left out. */
export type SelectedFlows = Pick<ObservedAnswer, 'flows' | 'lost'>;

/**
 * Rows that are kept while edges come, beyond which those that are new are counted as lost: some 100 MB. An answer has no more than
 * `MAX_EDGES` of them; which have the most flows is known only at the end.
 */
const MAX_ROWS = 100_000;

/** Takes edges one by one, so that who has many can take turns. */
export class FlowSelection {
  readonly #question: FlowQuestion;
  readonly #fits: (edge: ObservedFlow) => boolean;
  readonly #rows = new Map<string, ObservedFlow>();
  readonly #maxRows: number;
  #lost = 0;

  /** @param maxRows default `MAX_ROWS`; tests have fewer */
  constructor(question: FlowQuestion, maxRows: number = MAX_ROWS) {
    this.#question = question;
    this.#maxRows = maxRows;
    this.#fits = flowTest(question);
  }

  /** Takes an edge, if it fits. */
  add(edge: ObservedFlow): void {
    if (!this.#fits(edge)) return;
    const { groupBy } = this.#question;
    const key = groupBy === undefined ? identityOf(edge) : groupKeyOf(edge, groupBy);
    const row = this.#rows.get(key);
    if (row === undefined && this.#rows.size >= this.#maxRows) this.#lost += edge.flows;
    else this.#rows.set(key, row === undefined ? edge : together(row, edge));
  }

  /** The rows so far, the most flows first. */
  result(): SelectedFlows {
    const rows = [...this.#rows].sort(([aKey, a], [bKey, b]) => inOrder(a, b) || (aKey < bKey ? -1 : 1));
    const limit = this.#question.limit ?? MAX_EDGES;
    const cut = rows.slice(limit).reduce((sum, [, { flows }]) => sum + flows, this.#lost);
    return {
      flows: rows.slice(0, limit).map(([, row]) => row),
      lost:
        rows.length > limit || this.#lost > 0
          ? [{ flows: cut, why: `only the ${limit} kinds with the most flows are in the answer` }]
          : [],
    };
  }
}

/** The most flows first, then the latest. */
function inOrder(a: ObservedFlow, b: ObservedFlow): number {
  return b.flows - a.flows || Date.parse(b.last) - Date.parse(a.last);
}

/** All at once; see `FlowSelection`. */
export function selectFlows(edges: Iterable<ObservedFlow>, question: FlowQuestion): SelectedFlows {
  const selection = new FlowSelection(question);
  for (const edge of edges) selection.add(edge);
  return selection.result();
}

/**
 * One answer of those that replicas, sidecars or files gave to one question. What the two ends of a flow have told to different
 * replicas is put together again; see `joinEnds`. It is complete since the latest of the times since which they observe.
 * @param answers one at least; edges are not grouped yet
 */
export function mergeAnswers(answers: readonly ObservedAnswer[], question: FlowQuestion): ObservedAnswer {
  const byReporter = Map.groupBy(
    answers.flatMap(({ flows }) => flows),
    ({ reported_by: by }) => by,
  );
  const alike = { since: 0, until: Number.MAX_SAFE_INTEGER };
  const sums = [...byReporter.values()].flatMap((edges) => {
    const rows = new Map<string, ObservedFlow>();
    for (const edge of edges) {
      const key = identityOf(edge);
      const row = rows.get(key);
      rows.set(key, row === undefined ? edge : together(row, edge));
    }
    return [...rows.values()];
  });
  // Each replica has answered the question: what is left to do is putting together, and the limit.
  const { groupBy, limit } = question;
  const { flows, lost } = selectFlows(joinEnds(sums), {
    ...alike,
    ...(groupBy === undefined ? {} : { groupBy }),
    ...(limit === undefined ? {} : { limit }),
  });
  const all = (field: 'since' | 'until' | 'observed_since') => answers.map((answer) => answer[field]);
  return {
    since: earliest(all('since')),
    until: latest(all('until')),
    observed_since: latest(all('observed_since')),
    lost: addLost([...answers.flatMap((answer) => answer.lost), ...lost]),
    flows,
  };
}

/** What was lost for the same reason is one entry. */
export function addLost(lost: readonly LostFlows[]): readonly LostFlows[] {
  return [...Map.groupBy(lost, ({ why }) => why)].map(([why, entries]) => ({
    flows: entries.reduce((sum, { flows }) => Math.min(sum + flows, Number.MAX_SAFE_INTEGER), 0),
    why,
  }));
}

function earliest(times: readonly string[]): string {
  return times.reduce((best, time) => (Date.parse(time) < Date.parse(best) ? time : best));
}

function latest(times: readonly string[]): string {
  return times.reduce((best, time) => (Date.parse(time) > Date.parse(best) ? time : best));
}
