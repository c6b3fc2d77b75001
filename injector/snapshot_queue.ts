/**
 * Who is to be sent a whole table. After a restart every sidecar asks at once: their tables are made a few at a time, so
 * that changes and heartbeats go on in between, and no more of them are on the way than memory should hold.
 */
import type { TableSession } from './table_session.ts';

/** Snapshots are made for this long at a stretch, ms; then whatever else is waiting has its turn. */
const SLICE_MS = 10;

/** With more than this on the way, the next wait until some have been read. One table may be larger. */
const MAX_UNREAD_BYTES = 32 * 1024 * 1024;

/** How long a snapshot counts as on the way, ms: who does not read must not keep the others waiting. */
const UNREAD_MS = 1_000;

/** How often it is looked whether some have been read, ms. */
const POLL_MS = 10;

/** Makes what is waited for. Neither may throw. */
export interface SnapshotMaker {
  /** Some snapshots are about to be made; nothing else happens in between. May change who waits. */
  prepare(): void;
  /** Makes and sends one. */
  send(session: TableSession, revision: number): void;
}

/** Sessions that wait for a snapshot, in order, each with the revision it is to have. */
export class SnapshotQueue {
  readonly #maker: SnapshotMaker;
  readonly #waiting = new Map<TableSession, number>();
  readonly #unread = new Map<TableSession, number>();
  #next: NodeJS.Immediate | undefined;
  #later: NodeJS.Timeout | undefined;

  constructor(maker: SnapshotMaker) {
    this.#maker = maker;
  }

  has(session: TableSession): boolean {
    return this.#waiting.has(session);
  }

  /** The revision that a session waits for; undefined: it waits for none. */
  revision(session: TableSession): number | undefined {
    return this.#waiting.get(session);
  }

  /** Has a session sent a snapshot soon; one that waits already keeps its place, with the new revision. */
  add(session: TableSession, revision: number): void {
    this.#waiting.set(session, revision);
    if (this.#later === undefined) this.#next ??= setImmediate(() => this.#slice());
  }

  delete(session: TableSession): void {
    this.#waiting.delete(session);
    this.#unread.delete(session);
  }

  close(): void {
    this.#waiting.clear();
    if (this.#next !== undefined) clearImmediate(this.#next);
    clearTimeout(this.#later);
  }

  #slice(): void {
    this.#next = undefined;
    this.#later = undefined;
    this.#maker.prepare();
    let unreadBytes = this.#unreadBytes();
    const endMs = performance.now() + SLICE_MS;
    for (const [session, revision] of this.#waiting) {
      if (unreadBytes > MAX_UNREAD_BYTES) {
        this.#later = setTimeout(() => this.#slice(), POLL_MS);
        return;
      }
      if (performance.now() > endMs) {
        this.#next = setImmediate(() => this.#slice());
        return;
      }
      this.#waiting.delete(session);
      this.#maker.send(session, revision);
      this.#unread.set(session, performance.now());
      unreadBytes += session.queuedBytes;
    }
  }

  #unreadBytes(): number {
    const oldestMs = performance.now() - UNREAD_MS;
    let bytes = 0;
    for (const [session, sentMs] of this.#unread) {
      if (session.queuedBytes === 0 || sentMs < oldestMs) this.#unread.delete(session);
      else bytes += session.queuedBytes;
    }
    return bytes;
  }
}
