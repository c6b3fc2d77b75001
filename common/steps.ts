/** Long work cut into steps, so that who has it done decides when to go on. Pure: there is no clock here. */

/** Work that pauses after each step. A step takes some milliseconds at most. */
export type Steps<T> = Generator<void, T, void>;

/** Does the work in one go. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/**
 * Does some of the work, at least one step.
 * @param goOn asked after each step: whether there is time for the next one
 * @returns what the work has made; undefined: it is not done
 */
export function doSome<T>(steps: Steps<T>, goOn: () => boolean): { readonly made: T } | undefined {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return { made: value };
    if (!goOn()) return undefined;
  }
}

/** Work of one step. */
export function* oneStep<T>(work: () => T): Steps<T> {
  yield;
  return work();
}

/**
 * What is made of one object once, for as long as the object is in use. Who needs it goes on where another one has paused. It must
 * never be `undefined`.
 */
export class Made<K extends object, V> {
  readonly #made = new WeakMap<K, V>();
  readonly #making = new WeakMap<K, Steps<V>>();
  readonly #make: (from: K) => Steps<V>;

  constructor(make: (from: K) => Steps<V>) {
    this.#make = make;
  }

  /** Pauses only where something has to be made. */
  *of(from: K): Steps<V> {
    for (;;) {
      const known = this.#made.get(from);
      if (known !== undefined) return known;
      this.#advance(from);
      yield;
    }
  }

  #advance(from: K): void {
    const steps = this.#making.get(from) ?? this.#make(from);
    // Work that throws begins again when it is asked for again.
    this.#making.delete(from);
    const { done, value } = steps.next();
    if (done === true) this.#made.set(from, value);
    else this.#making.set(from, steps);
  }
}
