/**
 * How often sessions are sent changes: few a second in the long run. What changes for a session beyond that is held, and goes as one
 * change. After a quiet time the next changes do not wait.
 */
import { type RateLimits, TokenBucket } from '../../common/token_bucket.ts';
import type { Due, TableSession } from './session/index.ts';

/**
 * Changes of one session. Each costs the sidecar milliseconds of work, and us a write and a read. Those of a person or a script, one after
 * the other, go at once.
 */
const CHANGES: RateLimits = { burst: 10, perSecond: 10 };

/** Between looks who may be sent a change again, ms. */
const LOOK_MS = 10;

/** Counts the changes of each session, and holds those that are too many. */
export class ChangeLimiter {
  /** What each session that was sent changes may still be sent. */
  readonly #allowed = new Map<TableSession, TokenBucket>();
  readonly #held = new Map<TableSession, Due>();
  readonly #release: (session: TableSession, due: Due) => void;
  #timer: NodeJS.Timeout | undefined;

  /** @param release takes what was held, when it may be sent */
  constructor(release: (session: TableSession, due: Due) => void) {
    this.#release = release;
  }

  /** A session has been sent a change. */
  sent(session: TableSession, nowMs: number): void {
    const allowed = this.#allowed.get(session) ?? new TokenBucket(CHANGES, nowMs);
    this.#allowed.set(session, allowed);
    allowed.spend(1, nowMs);
  }

  /** What is held for a session. */
  held(session: TableSession): Due | undefined {
    return this.#held.get(session);
  }

  /**
   * Holds another change for a session instead of the one that is held.
   * @returns false where nothing is held
   */
  replace(session: TableSession, due: Due): boolean {
    const isHeld = this.#held.has(session);
    if (isHeld) this.#held.set(session, due);
    return isHeld;
  }

  /**
   * Holds a change for a session for which nothing is held yet.
   * @returns false where the session may be sent it now
   */
  hold(session: TableSession, due: Due): boolean {
    if (this.#mayBeSent(session, performance.now())) return false;
    this.#held.set(session, due);
    this.#timer ??= setTimeout(() => this.#look(), LOOK_MS);
    return true;
  }

  /** Holds nothing more for a session: it is sent something that has it. */
  drop(session: TableSession): void {
    this.#held.delete(session);
  }

  /** The session is over. */
  delete(session: TableSession): void {
    this.#held.delete(session);
    this.#allowed.delete(session);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#held.clear();
  }

  #mayBeSent(session: TableSession, nowMs: number): boolean {
    const allowed = this.#allowed.get(session);
    return allowed === undefined || allowed.left(nowMs) >= 1;
  }

  #look(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    for (const [session, due] of this.#held) {
      if (!this.#mayBeSent(session, nowMs)) continue;
      this.#held.delete(session);
      this.#release(session, due);
    }
    if (this.#held.size > 0) this.#timer = setTimeout(() => this.#look(), LOOK_MS);
  }
}
