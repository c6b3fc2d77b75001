/** In which order the counts of policies have changed, so that each replica is told what it does not know yet. */
import type { CountsKnown } from './replica_counts.ts';

/** What has changed since a replica asked last. */
export interface ChangedCounts {
  readonly run: string;
  readonly from: number;
  readonly to: number;
  /** Whether there are later changes. */
  readonly more: boolean;
  readonly enforcing: Readonly<Record<string, number>>;
}

/** A policy's wording and how many pods enforce it. */
export interface VersionCount {
  readonly version: string;
  readonly enforcing: number;
}

/** Each policy stands at its last change, so that the log is no longer than the list of policies. */
export class CountsLog {
  readonly #run: string;
  /** The number of each policy's last change, by key; the oldest first. */
  readonly #changes = new Map<string, number>();
  #last = 0;

  /** @param run names this log: another one counts from the beginning */
  constructor(run: string) {
    this.#run = run;
  }

  /** The count of a policy, or its wording, may be another. */
  note(key: string): void {
    this.#last += 1;
    this.#changes.delete(key);
    this.#changes.set(key, this.#last);
  }

  /** There is no such policy any more. */
  forget(key: string): void {
    this.#changes.delete(key);
  }

  /**
   * What has changed since, the oldest changes first.
   * @param most policies that are named at most
   * @param countOf the present count of a policy, if there is one
   */
  since(known: CountsKnown, most: number, countOf: (key: string) => VersionCount | undefined): ChangedCounts {
    const from = known.run === this.#run ? Math.min(known.at, this.#last) : 0;
    const enforcing: [string, number][] = [];
    let to = from;
    for (const [key, change] of this.#changes) {
      if (change <= from) continue;
      if (enforcing.length === most) return this.#answer(from, to, true, enforcing);
      to = change;
      const count = countOf(key);
      // From the beginning on, what is not named has none.
      if (count !== undefined && (count.enforcing > 0 || from > 0))
        enforcing.push([count.version, count.enforcing]);
    }
    return this.#answer(from, this.#last, false, enforcing);
  }

  #answer(
    from: number,
    to: number,
    more: boolean,
    enforcing: readonly (readonly [string, number])[],
  ): ChangedCounts {
    return { run: this.#run, from, to, more, enforcing: Object.fromEntries(enforcing) };
  }
}
