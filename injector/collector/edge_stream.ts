/** Edges for one who follows: what has not been read yet waits within a bound. */
import type { ObservedFlow } from '../../flows/index.ts';

/** Edges that wait; when more come, they are left out. */
const MAX_WAITING = 10_000;

/** Ends when its reader stops, or by `end`. */
export class EdgeStream implements AsyncIterable<readonly ObservedFlow[]> {
  readonly #ended: () => void;
  #waiting: (readonly ObservedFlow[])[] = [];
  #count = 0;
  #isOver = false;
  #wake: (() => void) | undefined;

  /** @param ended called once */
  constructor(ended: () => void) {
    this.#ended = ended;
  }

  /** @returns how many are left out */
  push(edges: readonly ObservedFlow[]): number {
    if (this.#isOver) return 0;
    if (this.#count + edges.length > MAX_WAITING) return edges.length;
    this.#waiting.push(edges);
    this.#count += edges.length;
    this.#wake?.();
    return 0;
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#wake?.();
    this.#ended();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly ObservedFlow[]> {
    try {
      while (!this.#isOver) {
        const waiting = this.#waiting;
        this.#waiting = [];
        this.#count = 0;
        yield* waiting;
        if (this.#waiting.length > 0 || this.#isOver) continue;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    } finally {
      this.end();
    }
  }
}
