/** Work that follows a state: it is done for the latest one, once at a time, however fast states come. */

/**
 * Runs its work for one value at a time. Of the values that come during a run only the last is worked on, right after it.
 * A run that fails is over like any other: the next value has a run of its own.
 */
export class LatestWins<T> {
  readonly #work: (value: T) => Promise<void>;
  /** What the next run is for, and who waits for it. */
  #next: { readonly value: T; readonly waiting: PromiseWithResolvers<void> } | undefined;
  #isBusy = false;
  #runs = Promise.resolve();

  constructor(work: (value: T) => Promise<void>) {
    this.#work = work;
  }

  /** Whether a run is under way. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /**
   * Has the work done for `value`, at once where no run is under way. Resolves or rejects with the run that begins after this
   * call: the one for `value`, or for a later value that took its place.
   */
  do(value: T): Promise<void> {
    const waiting = this.#next?.waiting ?? Promise.withResolvers();
    this.#next = { value, waiting };
    if (!this.#isBusy) this.#runs = this.#run();
    return waiting.promise;
  }

  /** Resolves when no run is under way and none is due. Never rejects. */
  async idle(): Promise<void> {
    while (this.#isBusy) await this.#runs;
  }

  async #run(): Promise<void> {
    this.#isBusy = true;
    for (let next = this.#next; next !== undefined; next = this.#next) {
      this.#next = undefined;
      try {
        await this.#work(next.value);
        next.waiting.resolve();
      } catch (error) {
        next.waiting.reject(error);
      }
    }
    // In the same step as the look at what is next: a value that comes later finds nobody at work.
    this.#isBusy = false;
  }
}
