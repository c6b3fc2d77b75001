/**
 * Watches the accept queues of the pod's apps. Without a sidecar, the kernel takes no SYN for an app whose queue is full. With one,
 * the sidecar would accept in place of the app. So the gate drops SYNs to a port whose queue is full, until there is room.
 *
 * The kernel is seldom asked. Its answer is the number of connections that there is room for; it is asked again after that many,
 * and also when a dial is not answered soon, as others may have filled the queue. Fails static: without an answer nothing is dropped.
 */
import type { Side } from '../kernel/index.ts';

/** What this needs of the kernel. */
export interface BacklogKernel {
  /** Connections that the listener has room for; `undefined` where nobody listens. */
  room(place: Side): Promise<number | undefined>;
  /** Has SYNs to these dropped, for two seconds at most. Those that are `renewed` are dropped already. */
  hold(places: { readonly added: readonly Side[]; readonly renewed: readonly Side[] }): Promise<void>;
  /** Lets SYNs to these in again. */
  release(places: readonly Side[]): Promise<void>;
}

/** A connection that was admitted. */
export interface Dialled {
  readonly destination: Side;
  /** The app's kernel has answered, or the connection is over. */
  isSettled(): boolean;
}

/**
 * From the admission of a connection until the kernel is asked, ms: by then the app's kernel has mostly answered, and the connection is in
 * the queue if that has room. Where it has not, it is looked at again after as long: what is not in the queue yet would not count.
 */
const ASK_AFTER_MS = 2;

/** An app in the same kernel answers within microseconds, on a busy machine within milliseconds. */
const LATE_MS = 50;

/** How often a full queue is looked at, ms: apps that are merely slow lose that much. */
const POLL_MS = 10;

/** Elements of the gate's sets go by themselves within two seconds, should this process die, and are renewed well before. */
const RENEW_MS = 500;

/** Ports that are watched at once; the least recently used are forgotten. An app has few. */
const PLACES_MAX = 256;

/** Watches the queues of those ports that connections come to. */
export class Backlogs {
  readonly #kernel: BacklogKernel;
  readonly #failed: (error: Error) => void;
  /** By address and port; the most recently used last. */
  readonly #places = new Map<string, Place>();
  #closed = false;

  /** @param failed called when the kernel could not be asked, or the gate not changed */
  constructor(kernel: BacklogKernel, failed: (error: Error) => void) {
    this.#kernel = kernel;
    this.#failed = failed;
  }

  /** Ports to which SYNs are dropped now. */
  get full(): readonly Side[] {
    return [...this.#places.values()].flatMap(({ isFull, side }) => (isFull ? [side] : []));
  }

  /** To be called for each connection that is dialled. */
  dialled(connection: Dialled): void {
    if (this.#closed) return;
    const { address, port } = connection.destination;
    const key = `${address} ${port}`;
    const place = this.#places.get(key) ?? new Place({ address, port }, this.#kernel, this.#failed);
    this.#places.delete(key);
    this.#places.set(key, place);
    if (this.#places.size > PLACES_MAX) this.#forgetOldest();
    place.dialled(connection);
  }

  /** Stops watching. What is dropped is let in within two seconds. */
  close(): void {
    this.#closed = true;
    for (const place of this.#places.values()) place.close();
    this.#places.clear();
  }

  #forgetOldest(): void {
    for (const [key, place] of this.#places) {
      if (place.isFull) continue;
      place.close();
      this.#places.delete(key);
      return;
    }
  }
}

/** One address and port. */
class Place {
  readonly side: Side;
  isFull = false;
  readonly #kernel: BacklogKernel;
  readonly #failed: (error: Error) => void;
  /** Connections until the kernel is asked again. */
  #credit = 1;
  #timer: NodeJS.Timeout | undefined;
  #lateTimer: NodeJS.Timeout | undefined;
  #watched: Dialled | undefined;
  /** The last one that was dialled. */
  #latest: Dialled | undefined;
  #renewedAtMs = 0;
  #closed = false;

  constructor(side: Side, kernel: BacklogKernel, failed: (error: Error) => void) {
    this.side = side;
    this.#kernel = kernel;
    this.#failed = failed;
  }

  dialled(connection: Dialled): void {
    this.#credit -= 1;
    this.#latest = connection;
    if (this.#credit <= 0) this.#askSettled(performance.now() + LATE_MS);
    // Of many only the one that began first: where the queue is full, all of them wait.
    if (this.#lateTimer !== undefined) return;
    this.#watched = connection;
    this.#lateTimer = setTimeout(() => this.#late(), LATE_MS);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#lateTimer);
  }

  #late(): void {
    this.#lateTimer = undefined;
    if (this.#watched?.isSettled() === false) this.#askAfter(0);
    this.#watched = undefined;
  }

  /** Asks once the last connection is settled, at the latest at `untilMs`. */
  #askSettled(untilMs: number): void {
    if (this.#closed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const isOut = this.#latest?.isSettled() === false;
      if (isOut && performance.now() < untilMs) this.#askSettled(untilMs);
      else this.#askAfter(0);
    }, ASK_AFTER_MS);
  }

  #askAfter(ms: number): void {
    if (this.#closed) return;
    this.#timer ??= setTimeout(() => {
      void this.#ask()
        .catch((error: Error) => this.#failed(error))
        .finally(() => {
          this.#timer = undefined;
          if (this.isFull) this.#askAfter(POLL_MS);
        });
    }, ms);
  }

  async #ask(): Promise<void> {
    const room = (await this.#kernel.room(this.side)) ?? Number.POSITIVE_INFINITY;
    this.#credit = Math.max(1, room);
    if (this.#closed) return;
    if (room > 0) return this.#release();
    const now = performance.now();
    if (!this.isFull) await this.#kernel.hold({ added: [this.side], renewed: [] });
    else if (now - this.#renewedAtMs >= RENEW_MS) {
      await this.#kernel.hold({ added: [], renewed: [this.side] });
    } else return;
    this.isFull = true;
    this.#renewedAtMs = now;
  }

  async #release(): Promise<void> {
    if (!this.isFull) return;
    this.isFull = false;
    await this.#kernel.release([this.side]);
  }
}
