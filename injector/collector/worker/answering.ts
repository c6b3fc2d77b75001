/** Answers questions from the ring and the store: the finest steps that reach back as far as is asked. */
import { setImmediate } from 'node:timers/promises';
import {
  addLost,
  type FlowQuestion,
  FlowSelection,
  flowTest,
  joinEnds,
  type LostFlows,
  type ObservedAnswer,
  type ObservedFlow,
} from '../../../flows/index.ts';
import { type FlowStore, type Resolution, STORED_STEP_MS } from '../store/index.ts';
import {
  addSums,
  type EdgeKind,
  type EdgeSums,
  edgeOf,
  LOST_WHY,
  type LostByWhere,
  observedEdge,
  type Said,
} from '../sums/index.ts';
import type { LiveRing } from './live_ring.ts';

/** Kinds of flows that are looked at for one answer, some 100 MB. */
const MAX_KINDS = 100_000;

/** After this long no further file is read, ms. */
const MAX_MS = 5_000;

/** What an answer is made from. */
export interface Observations {
  readonly ring: LiveRing;
  readonly store: FlowStore | undefined;
  readonly saidOf: (edge: EdgeKind) => Said | undefined;
}

/** A span of one resolution. */
interface Span {
  readonly of: 'ring' | Resolution;
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** Gives others a turn between two files. A file that cannot be read is left out, which the answer says. */
export async function answerTo(
  question: FlowQuestion,
  from: Observations,
  nowMs: number,
): Promise<ObservedAnswer> {
  const untilMs = Math.min(question.until, nowMs);
  const kinds = new Kinds(question);
  const lost: LostFlows[] = [];
  const endMs = performance.now() + MAX_MS;
  for (const span of spansOf(question.since, untilMs + 1, from)) {
    try {
      for (const part of partsOf(span, from, (why) => lost.push({ flows: 0, why }))) {
        if (performance.now() > endMs) throw new Error(`the answer took more than ${MAX_MS} ms`);
        for (const [key, sums] of part) kinds.add(key, sums);
        await setImmediate();
      }
      lost.push(...sentences(lostOf(span, from)));
    } catch (error) {
      lost.push({
        flows: 0,
        why: `not all ${span.of} could be read: ${error instanceof Error ? error.message : error}`,
      });
    }
  }
  if (kinds.lost > 0) lost.push({ flows: kinds.lost, why: LOST_WHY.kinds });
  const selection = new FlowSelection(question);
  for (const edge of joinEnds(kinds.edges(from.saidOf))) selection.add(edge);
  const { flows, lost: cut } = selection.result();
  return {
    since: new Date(question.since).toISOString(),
    until: new Date(untilMs).toISOString(),
    observed_since: new Date(observedSince(from)).toISOString(),
    lost: addLost([...lost, ...cut]),
    flows,
  };
}

/** Edges that fit, added up, and those that decide on others that do. */
class Kinds {
  readonly #fits: (edge: ObservedFlow) => boolean;
  readonly #kinds = new Map<string, { readonly edge: EdgeKind; sums: EdgeSums }>();
  lost = 0;

  constructor(question: FlowQuestion) {
    this.#fits = flowTest(withDenials(question));
  }

  add(key: string, sums: EdgeSums): void {
    const known = this.#kinds.get(key);
    const edge = known?.edge ?? edgeOf(key);
    if (!this.#fits(observedEdge(edge, sums))) return;
    if (known !== undefined) known.sums = addSums(known.sums, sums);
    else if (this.#kinds.size >= MAX_KINDS) this.lost += sums.flows;
    else this.#kinds.set(key, { edge, sums });
  }

  edges(saidOf: (edge: EdgeKind) => Said | undefined): readonly ObservedFlow[] {
    return [...this.#kinds.values()].map(({ edge, sums }) =>
      observedEdge(edge, sums, saidOf(edge) ?? sums.said),
    );
  }
}

/** Whether a source's allowed flow counts is also up to its destination, which may have denied or cut it: see `joinEnds`. */
function withDenials({ outcomes, ...question }: FlowQuestion): FlowQuestion {
  const isNegated = question.not?.includes('outcomes') ?? false;
  return outcomes === undefined || outcomes.includes('allow') !== isNegated
    ? question
    : { ...question, outcomes };
}

function spansOf(sinceMs: number, untilMs: number, { ring, store }: Observations): readonly Span[] {
  if (store === undefined || sinceMs >= ring.sinceMs) return [{ of: 'ring', sinceMs, untilMs }];
  const oldestMinutes = store.oldestOf('minutes') ?? ring.sinceMs;
  if (sinceMs >= oldestMinutes || (store.oldestOf('hours') ?? oldestMinutes) >= oldestMinutes)
    return [{ of: 'minutes', sinceMs, untilMs }];
  // Whole hours first, so that no minute counts twice.
  const step = STORED_STEP_MS.hours;
  const fromMinutes = Math.ceil(oldestMinutes / step) * step;
  if (fromMinutes >= untilMs) return [{ of: 'hours', sinceMs, untilMs }];
  return [
    { of: 'hours', sinceMs, untilMs: fromMinutes },
    { of: 'minutes', sinceMs: fromMinutes, untilMs },
  ];
}

function partsOf(
  { of, sinceMs, untilMs }: Span,
  { ring, store }: Observations,
  unread: (why: string) => void,
): Iterable<Iterable<[string, EdgeSums]>> {
  return of === 'ring' ? [ring.edges(sinceMs, untilMs)] : (store?.read(of, sinceMs, untilMs, unread) ?? []);
}

function lostOf({ of, sinceMs, untilMs }: Span, { ring, store }: Observations): LostByWhere {
  return of === 'ring' ? ring.lost(sinceMs, untilMs) : (store?.lost(of, sinceMs, untilMs) ?? new Map());
}

function sentences(lost: LostByWhere): readonly LostFlows[] {
  return [...lost].map(([where, flows]) => ({ flows, why: LOST_WHY[where] }));
}

function observedSince({ ring, store }: Observations): number {
  return Math.min(ring.sinceMs, store?.oldestMs ?? ring.sinceMs);
}
