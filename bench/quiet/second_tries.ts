/** Makes a run a second time when others were at work during the first, as long as there are tries left. */
import { QUIET_SHARE, type Watched } from './watch.ts';

/** So many of a figure's runs may be made again: on a busy machine all would be, and the second tries be no better. */
const REPEATED_SHARE = 1 / 4;

/** How quiet the machine was while a figure was measured. */
export interface Quiet {
  /** Runs that count. */
  readonly runs: number;
  /** Those of them in which others used more of the processors than they may. */
  readonly disturbed: number;
  /** Runs that were made a second time for that. */
  readonly repeated: number;
  /** The most that others used during a run that counts: the share of all processors, 0 to 1. */
  readonly most: number;
}

/** The second tries of one figure. */
export class SecondTries {
  #left: number;
  #outcome: Quiet = { runs: 0, disturbed: 0, repeated: 0, most: 0 };

  /** @param runs how many the figure has */
  constructor(runs: number) {
    this.#left = Math.ceil(runs * REPEATED_SHARE);
  }

  /** What happened so far. */
  get outcome(): Quiet {
    return this.#outcome;
  }

  /**
   * Makes a run, and once more where the first was disturbed; the one with less disturbance counts.
   * @param onDisturbed is called before the second try, with the share of all processors that others used
   */
  async quietest<T>(
    run: () => Promise<Watched<T>>,
    onDisturbed: (others: number) => void,
  ): Promise<Watched<T>> {
    let best = await run();
    const isRepeated = best.others > QUIET_SHARE && this.#left > 0;
    if (isRepeated) {
      this.#left -= 1;
      onDisturbed(best.others);
      const second = await run();
      if (second.others < best.others) best = second;
    }
    const { runs, disturbed, repeated, most } = this.#outcome;
    this.#outcome = {
      runs: runs + 1,
      disturbed: disturbed + Number(best.others > QUIET_SHARE),
      repeated: repeated + Number(isRepeated),
      most: Math.max(most, best.others),
    };
    return best;
  }
}
