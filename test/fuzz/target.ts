/** What a fuzzer is: cases made from a seed, and what must hold for each. */
import type { Random } from './random.ts';

/** A fuzzer. It costs nothing until it is opened. */
export interface FuzzTarget {
  /** As on the command line. */
  readonly name: string;
  /** What is fed and what must hold, in one line. */
  readonly about: string;
  /** Makes ready for cases; may start servers. */
  open(): OpenTarget | Promise<OpenTarget>;
}

/** A fuzzer at work. */
export interface OpenTarget {
  /**
   * One case. All that is random in it comes from `random`, and nothing is kept from the case before: the seed of `random`
   * alone brings a finding back.
   * @throws Finding when something does not hold; any other error is a finding too
   */
  tryCase(random: Random, counts: Counts): void | Promise<void>;
  close?(): void | Promise<void>;
}

/** What does not hold. `input` is what showed it, as text or as data. */
export class Finding extends Error {
  readonly input: unknown;

  constructor(message: string, input: unknown) {
    super(message);
    this.name = 'Finding';
    this.input = input;
  }
}

/** What a run has seen, by name. `inputs` are the frames, reviews, requests or questions fed. */
export class Counts {
  readonly #counts = new Map<string, number>();
  inputs = 0;

  /** Counts something seen; names are few. */
  add(name: string, count = 1): void {
    this.#counts.set(name, this.of(name) + count);
  }

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** `accepted 12, refused 30`; names in order. */
  toString(): string {
    const sorted = [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1));
    return sorted.map(([name, count]) => `${name} ${count}`).join(', ');
  }
}
