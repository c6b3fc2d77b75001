/** The last minutes in steps of ten seconds, in memory. */

import type { EdgeSums } from '../sums/index.ts';
import { addLostAt, EdgeMap, type LostByWhere, type LostWhere } from '../sums/index.ts';

/** One step, ms: that of the sidecars' windows. */
export const STEP_MS = 10_000;

/** How long it lasts, ms. */
export const RING_MS = 15 * 60_000;

/** Kinds of flows in one step: those of some 5,000 workloads. */
const MAX_KINDS = 50_000;

/** Kinds in all steps together, some 100 MB: with more the ring becomes shorter. */
const MAX_ALL = 300_000;

interface Step {
  readonly edges: EdgeMap;
  readonly lost: Map<LostWhere, number>;
}

/** Bounds; tests lower them. */
export interface RingLimits {
  readonly maxKinds?: number;
  readonly maxAll?: number;
}

/** By the time at which windows ended. */
export class LiveRing {
  readonly #steps = new Map<number, Step>();
  readonly #limits: Required<RingLimits>;
  #size = 0;
  /** Nothing is known of before. */
  #sinceMs: number;

  constructor(startMs: number, limits: RingLimits = {}) {
    this.#sinceMs = startMs;
    this.#limits = { maxKinds: MAX_KINDS, maxAll: MAX_ALL, ...limits };
  }

  /** Since when all is there that has come, ms since 1970. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** @returns false: there was no place. What came late, for a time that is over here, is none of the ring's */
  add(atMs: number, key: string, sums: EdgeSums): boolean {
    const step = this.#step(atMs);
    if (step === undefined) return true;
    const size = step.edges.size;
    const added = step.edges.add(key, sums);
    this.#size += step.edges.size - size;
    return added;
  }

  lose(atMs: number, where: LostWhere, flows: number): void {
    const step = this.#step(atMs);
    if (step !== undefined) addLostAt(step.lost, where, flows);
  }

  /** Forgets what is over. */
  turn(nowMs: number): void {
    for (const [startMs, step] of this.#inOrder()) {
      if (startMs + STEP_MS > nowMs - RING_MS && this.#size <= this.#limits.maxAll) break;
      this.#steps.delete(startMs);
      this.#size -= step.edges.size;
      this.#sinceMs = Math.max(this.#sinceMs, startMs + STEP_MS);
    }
  }

  /** All of a span; steps that reach into it count whole. */
  *edges(sinceMs: number, untilMs: number): Generator<[string, EdgeSums]> {
    for (const { edges } of this.#within(sinceMs, untilMs)) yield* edges;
  }

  lost(sinceMs: number, untilMs: number): LostByWhere {
    const sum = new Map<LostWhere, number>();
    for (const { lost } of this.#within(sinceMs, untilMs))
      for (const [where, flows] of lost) addLostAt(sum, where, flows);
    return sum;
  }

  *#within(sinceMs: number, untilMs: number): Generator<Step> {
    for (const [startMs, step] of this.#steps)
      if (startMs + STEP_MS > sinceMs && startMs <= untilMs) yield step;
  }

  #step(atMs: number): Step | undefined {
    const startMs = atMs - (atMs % STEP_MS);
    const known = this.#steps.get(startMs);
    if (known !== undefined || startMs + STEP_MS <= this.#sinceMs) return known;
    const step = { edges: new EdgeMap(this.#limits.maxKinds), lost: new Map() };
    this.#steps.set(startMs, step);
    return step;
  }

  #inOrder(): readonly [number, Step][] {
    return [...this.#steps].sort(([a], [b]) => a - b);
  }
}
