/**
 * Sessions that rest. Each gets few changes a second in the long run: what changes for it meanwhile is held, and goes as one. After
 * a quiet time the next changes do not wait.
 */
import type { Due } from './due.ts';
import type { TableSession } from './table_session.ts';

/** Between two changes of one session in the long run, ms: each costs the sidecar milliseconds of work, and us a write and a read. */
const REST_MS = 100;

/** Changes of one session that may be sent without a rest after a quiet time: those of a person or a script, one after the other. */
const AT_ONCE = 10;

/** Between looks whose rest is over, ms. */
const LOOK_MS = 10;

/** Who rests, and what is held for them. */
export class Rests {
  /** By session: when its changes so far would have been sent if each had been followed by a rest. */
  readonly #evenMs = new Map<TableSession, number>();
  readonly #held = new Map<TableSession, Due>();
  readonly #give: (session: TableSession, due: Due) => void;
  #timer: NodeJS.Timeout | undefined;

  /** @param give takes what was held, when the rest is over */
  constructor(give: (session: TableSession, due: Due) => void) {
    this.#give = give;
  }

  /** A session has been sent a change. */
  sent(session: TableSession, nowMs: number): void {
    this.#evenMs.set(session, Math.max(this.#evenMs.get(session) ?? 0, nowMs) + REST_MS);
  }

  /** What is held for a session. */
  due(session: TableSession): Due | undefined {
    return this.#held.get(session);
  }

  /**
   * Holds another thing for a session instead of what is held.
   * @returns false where nothing is held
   */
  holdOn(session: TableSession, due: Due): boolean {
    const isHeld = this.#held.has(session);
    if (isHeld) this.#held.set(session, due);
    return isHeld;
  }

  /**
   * Holds what a session waits for, for which nothing is held yet.
   * @returns false where the session does not rest
   */
  hold(session: TableSession, due: Due): boolean {
    if (!this.#rests(session, performance.now())) return false;
    this.#held.set(session, due);
    this.#timer ??= setTimeout(() => this.#look(), LOOK_MS);
    return true;
  }

  /** Holds nothing more for a session: it is sent what it waits for. */
  release(session: TableSession): void {
    this.#held.delete(session);
  }

  delete(session: TableSession): void {
    this.#held.delete(session);
    this.#evenMs.delete(session);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#held.clear();
  }

  #rests(session: TableSession, nowMs: number): boolean {
    return (this.#evenMs.get(session) ?? 0) - nowMs > (AT_ONCE - 1) * REST_MS;
  }

  #look(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    for (const [session, due] of this.#held) {
      if (this.#rests(session, nowMs)) continue;
      this.#held.delete(session);
      this.#give(session, due);
    }
    if (this.#held.size > 0) this.#timer = setTimeout(() => this.#look(), LOOK_MS);
  }
}
