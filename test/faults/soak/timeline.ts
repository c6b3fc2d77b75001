/**
 * What each object of a lab may be, as a sidecar sees it, at a given time. A change is not in force at once: from when
 * it is written until every sidecar has acknowledged it, the object may be what it was or what it has become, and
 * changes of different objects may arrive in any order.
 */
import type { Manifest } from '../../builders/manifests.ts';

/** A time span on the wall clock, in milliseconds. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

interface Value {
  /** Undefined: the object is not there. */
  readonly manifest: Manifest | undefined;
  readonly writtenMs: number;
  /** When every sidecar was known to have what came after it. */
  goneMs: number;
}

/** The objects of a lab over time, by a name of the caller's. */
export class Timeline {
  readonly #values = new Map<string, Value[]>();

  /** An object is written, or taken out; call it just before. */
  written(name: string, manifest: Manifest | undefined, atMs: number): void {
    const values = this.#values.get(name) ?? [];
    this.#values.set(name, values);
    values.push({ manifest, writtenMs: atMs, goneMs: Number.POSITIVE_INFINITY });
  }

  /** At `knownMs` every sidecar is known to have all that was written until `writtenMs`. */
  inForce(writtenMs: number, knownMs: number): void {
    for (const values of this.#values.values()) {
      const last = values.findLastIndex((value) => value.writtenMs <= writtenMs);
      for (const value of values.slice(0, Math.max(0, last))) value.goneMs = Math.min(value.goneMs, knownMs);
    }
  }

  /** What each object may be at some moment of a span; undefined stands for absent. */
  possible({ fromMs, toMs }: Span): readonly (readonly (Manifest | undefined)[])[] {
    return [...this.#values.values()].map((values) =>
      values
        .filter((value) => value.writtenMs <= toMs && value.goneMs >= fromMs)
        .map(({ manifest }) => manifest),
    );
  }

  /** Forgets what was gone before. */
  forget(beforeMs: number): void {
    for (const [name, values] of this.#values)
      this.#values.set(
        name,
        values.filter((value) => value.goneMs >= beforeMs),
      );
  }
}
