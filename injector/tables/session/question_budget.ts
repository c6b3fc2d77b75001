/** How often one sidecar may ask about addresses. It asks about those it denies: they decide how many they are. */

import { Recent } from '../../../common/recent.ts';

/** Addresses remembered for one session. Some 100 bytes each. */
const MAX_MET = 1_024;

/** Counts the questions of one session. */
export class QuestionBudget {
  readonly #maxQuestions: number;
  readonly #maxMeets: number;
  /** Asked since the last heartbeat. */
  #asked = 0;
  /** Addresses in `meet`s since then. */
  #meets = 0;
  /** Addresses asked about, the one asked about last at the end. To ask again is free. */
  readonly #met = new Recent<string, true>(MAX_MET);

  /**
   * @param maxQuestions answered per heartbeat
   * @param maxMeets addresses of `meet`s that are answered per heartbeat
   */
  constructor(maxQuestions: number, maxMeets: number) {
    this.#maxQuestions = maxQuestions;
    this.#maxMeets = maxMeets;
  }

  /**
   * Takes one question who an address is.
   * @param mayMeet asked for an address that the session does not remember: whether it may ask about one more
   * @returns whether the question is answered
   */
  take(address: string, mayMeet: () => boolean): boolean {
    this.#asked += 1;
    if (this.#asked > this.#maxQuestions) return false;
    if (!this.#met.has(address) && !mayMeet()) return false;
    this.#met.keep(address, true);
    return true;
  }

  /**
   * Takes one `meet`.
   * @param addresses how many it has; one without any is answered too, and counts as one
   * @returns whether it is answered
   */
  takeMeet(addresses: number): boolean {
    this.#meets += Math.max(1, addresses);
    return this.#meets <= this.#maxMeets;
  }

  /** A heartbeat has passed. */
  beat(): void {
    this.#asked = 0;
    this.#meets = 0;
  }
}
