/** The regular turn of every session: spread over its interval, so that thousands of sessions are not one long turn of the thread. */

/** Turns of the thread in an interval. With 5,000 sessions each is some 250 of them, a few milliseconds. */
const TURNS = 20;

/** Gives each session its turn: the first an interval after it has come, at the latest, and so on. */
export class Beats<Session> {
  readonly #sessions: ReadonlySet<Session>;
  readonly #intervalMs: number;
  readonly #beat: (session: Session) => void;
  readonly #timer: NodeJS.Timeout;
  /** When each had its last turn, or has come, ms of `performance.now`; the longest ago first. */
  readonly #lastMs = new Map<Session, number>();
  /** Sessions that have a turn now although none is due: as many as keep them spread. */
  #credit = 0;

  /** @param sessions those that have turns; read at each turn */
  constructor(sessions: ReadonlySet<Session>, intervalMs: number, beat: (session: Session) => void) {
    this.#sessions = sessions;
    this.#intervalMs = intervalMs;
    this.#beat = beat;
    this.#timer = setInterval(() => this.#turn(), intervalMs / TURNS);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #turn(): void {
    const nowMs = performance.now();
    const turnMs = this.#intervalMs / TURNS;
    // It may have come right after the last turn.
    for (const session of this.#sessions)
      if (!this.#lastMs.has(session)) this.#lastMs.set(session, nowMs - turnMs);
    const share = this.#sessions.size / TURNS;
    this.#credit = Math.min(this.#credit, 1) + share;
    for (const [session, lastMs] of this.#lastMs) {
      if (!this.#sessions.has(session)) {
        this.#lastMs.delete(session);
        continue;
      }
      // The next turn may be too late for it.
      const isDue = nowMs - lastMs >= this.#intervalMs - turnMs;
      if (!isDue && this.#credit < 1) break;
      this.#lastMs.delete(session);
      this.#lastMs.set(session, nowMs);
      this.#credit = Math.max(0, this.#credit - 1);
      this.#beat(session);
    }
  }
}
