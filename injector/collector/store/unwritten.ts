/** What waits to be written, of one resolution: bounded, since a disk may be full for long. */

import type { EdgeSums } from '../sums/index.ts';
import { addLostAt, EdgeMap, type LostWhere } from '../sums/index.ts';
import type { StoredEvent } from './day_file.ts';

/** Bounds of what waits. */
export interface UnwrittenLimits {
  /** Sums, some 500 bytes each. */
  readonly maxSums: number;
  /** Events, some 1 kB each. */
  readonly maxEvents: number;
}

/** By steps of one length. */
export class Unwritten {
  readonly #stepMs: number;
  readonly #limits: UnwrittenLimits;
  readonly #steps = new Map<number, EdgeMap>();
  readonly #lost = new Map<number, Map<LostWhere, number>>();
  readonly events: StoredEvent[] = [];
  #size = 0;

  constructor(stepMs: number, limits: UnwrittenLimits) {
    this.#stepMs = stepMs;
    this.#limits = limits;
  }

  get isEmpty(): boolean {
    return this.#size === 0 && this.#lost.size === 0 && this.events.length === 0;
  }

  /** @returns false: there is no place */
  add(atMs: number, key: string, sums: EdgeSums): boolean {
    const t = this.#stepOf(atMs);
    let edges = this.#steps.get(t);
    if (this.#size >= this.#limits.maxSums && edges?.has(key) !== true) return false;
    if (edges === undefined) {
      edges = new EdgeMap(this.#limits.maxSums);
      this.#steps.set(t, edges);
    }
    const { size } = edges;
    edges.add(key, sums);
    this.#size += edges.size - size;
    return true;
  }

  lose(atMs: number, where: LostWhere, flows: number): void {
    const t = this.#stepOf(atMs);
    const lost = this.#lost.get(t) ?? new Map<LostWhere, number>();
    this.#lost.set(t, lost);
    addLostAt(lost, where, flows);
  }

  /** @returns false: there is no place */
  addEvent(event: StoredEvent): boolean {
    if (this.events.length >= this.#limits.maxEvents) return false;
    this.events.push(event);
    return true;
  }

  /** Begins of steps, keys and sums, of a span; `untilMs` is not in it. */
  *sums(sinceMs: number, untilMs: number): Generator<readonly [number, string, EdgeSums]> {
    for (const [t, edges] of this.#steps)
      if (t >= sinceMs && t < untilMs) for (const [key, sums] of edges) yield [t, key, sums];
  }

  *lost(sinceMs: number, untilMs: number): Generator<readonly [number, LostWhere, number]> {
    for (const [t, lost] of this.#lost)
      if (t >= sinceMs && t < untilMs) for (const [where, flows] of lost) yield [t, where, flows];
  }

  /** Begins of the days that something waits for. */
  days(dayOf: (ms: number) => number): ReadonlySet<number> {
    const times = [...this.#steps.keys(), ...this.#lost.keys(), ...this.events.map(({ atMs }) => atMs)];
    return new Set(times.map(dayOf));
  }

  /** A day's share has been written. */
  written(sinceMs: number, untilMs: number): void {
    for (const [t, edges] of this.#steps) {
      if (t < sinceMs || t >= untilMs) continue;
      this.#steps.delete(t);
      this.#size -= edges.size;
    }
    for (const t of this.#lost.keys()) if (t >= sinceMs && t < untilMs) this.#lost.delete(t);
    const rest = this.events.filter(({ atMs }) => atMs < sinceMs || atMs >= untilMs);
    this.events.splice(0, this.events.length, ...rest);
  }

  #stepOf(ms: number): number {
    return ms - (ms % this.#stepMs);
  }
}
