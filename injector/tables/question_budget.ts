/** How often one sidecar may ask who an address is. It asks about those it denies: they decide how many they are. */

import { Recent } from '../../common/recent.ts';

/** Addresses remembered for one session. Some 100 bytes each. */
const MAX_MET = 1_024;

/** Counts the questions of one session. */
export class QuestionBudget {
  readonly #maxQuestions: number;
  /** Asked since the last heartbeat. */
  #asked = 0;
  /** Addresses asked about, the one asked about last at the end. To ask again is free. */
  readonly #met = new Recent<string, true>(MAX_MET);

  /** @param maxQuestions answered per heartbeat */
  constructor(maxQuestions: number) {
    this.#maxQuestions = maxQuestions;
  }

  /**
   * Takes one question.
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

  /** A heartbeat has passed. */
  beat(): void {
    this.#asked = 0;
  }
}
