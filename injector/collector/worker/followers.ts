/** Those who want edges as they come. */
import {
  endKey,
  type FlowQuestion,
  type FlowTest,
  flowTest,
  joinEnds,
  type ObservedFlow,
} from '../../../flows/index.ts';
import { type EdgeKind, EdgeMap, type EdgeSums, edgeOf, observedEdge, type Said } from '../sums/index.ts';

/** Edges that are sent to one at a time; those beyond them are left out. */
const MAX_SENT = 1_000;

/** Kinds that are gathered between two turns. */
const MAX_KINDS = 20_000;

/** A destination that has reported within this time has the word for what comes to it, ms. */
const REPORTS_MS = 5 * 60_000;

/**
 * Sends edges.
 * @param missed how many of this turn are left out, of those that fit or had no place
 */
export type SendEdges = (edges: readonly ObservedFlow[], missed: number) => void;

/** All who follow. Nothing is gathered while nobody does. */
export class Followers {
  readonly #saidOf: (edge: EdgeKind) => Said | undefined;
  readonly #followers = new Map<number, { readonly fits: FlowTest; readonly send: SendEdges }>();
  #edges = new EdgeMap(MAX_KINDS);
  /** Edges of this turn that had no place. */
  #unplaced = 0;
  /** When destinations last reported, by `endKey`. */
  readonly #reporting = new Map<string, number>();

  constructor(saidOf: (edge: EdgeKind) => Said | undefined) {
    this.#saidOf = saidOf;
  }

  add(id: number, question: FlowQuestion, send: SendEdges): void {
    const always = { since: 0, until: Number.MAX_SAFE_INTEGER };
    this.#followers.set(id, { fits: flowTest({ ...question, ...always }), send });
  }

  delete(id: number): void {
    this.#followers.delete(id);
  }

  /** An edge has come. */
  heard(key: string, edge: EdgeKind, sums: EdgeSums, atMs: number): void {
    if (this.#followers.size === 0) return;
    if (edge.direction === 'ingress') this.#reporting.set(endKey(edge.dst), atMs);
    if (!this.#edges.add(key, sums)) this.#unplaced += 1;
  }

  turn(nowMs: number): void {
    for (const [end, atMs] of this.#reporting) if (nowMs - atMs > REPORTS_MS) this.#reporting.delete(end);
    if (this.#edges.size === 0) return;
    const halves = [...this.#edges].map(([key, sums]) => {
      const edge = edgeOf(key);
      return observedEdge(edge, sums, this.#saidOf(edge));
    });
    this.#edges = new EdgeMap(MAX_KINDS);
    const unplaced = this.#unplaced;
    this.#unplaced = 0;
    // The word of the destination comes in a window of its own, perhaps in another turn.
    const edges = joinEnds(halves).filter(
      (edge) =>
        edge.outcome !== 'allow' || edge.reported_by !== 'source' || !this.#reporting.has(endKey(edge.dst)),
    );
    for (const { fits, send } of this.#followers.values()) {
      const fitting = edges.filter(fits);
      const missed = unplaced + Math.max(0, fitting.length - MAX_SENT);
      if (fitting.length > 0 || missed > 0) send(fitting.slice(0, MAX_SENT), missed);
    }
  }
}
