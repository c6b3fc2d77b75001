/** The regular turn of every session: spread over its interval, so that thousands of sessions are not one long turn of the thread. */

/** Turns in an interval. With 5,000 sessions each is some 250 of them, a few milliseconds. */
const TURNS = 20;

/** Gives each session its turn once an interval. One that is new has its first in the next interval. */
export class Beats<Session> {
  readonly #sessions: Iterable<Session>;
  readonly #intervalMs: number;
  readonly #beat: (session: Session) => void;
  readonly #timer: NodeJS.Timeout;
  /** Who has a turn in this interval, in order, and who of them is next. */
  #round: readonly Session[] = [];
  #next = 0;
  #beganMs = performance.now();

  constructor(sessions: Iterable<Session>, intervalMs: number, beat: (session: Session) => void) {
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
    const share = Math.min(1, (nowMs - this.#beganMs) / this.#intervalMs);
    const due = this.#round.slice(this.#next, Math.ceil(share * this.#round.length));
    this.#next += due.length;
    for (const session of due) this.#beat(session);
    if (share < 1) return;
    // After a long turn of others nothing is caught up: one round late is one round.
    this.#beganMs = Math.max(this.#beganMs + this.#intervalMs, nowMs - this.#intervalMs / TURNS);
    this.#round = [...this.#sessions];
    this.#next = 0;
  }
}
