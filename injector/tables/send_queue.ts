/**
 * What sidecars wait for: whole tables, and what changes in them. It is made and sent a little at a time, so that heartbeats
 * and logins go on in between, and no more is on the way than memory should hold. Namespaces take turns by the time that
 * their frames cost: one with large tables, or many changes, waits for itself.
 */

import { ChangeLimiter } from './change_limiter.ts';
import type { Due, Sending, TableSession } from './session/index.ts';

/** Frames are made for this long at a stretch, ms; then what else is waiting has its turn. What is not done then goes on later. */
const SLICE_MS = 10;

/** What a namespace may use up before the next one has its turn, ms. What one frame takes beyond it is owed. */
const TURN_MS = 1;

/** With more than this on the way, namespaces wait until theirs have been read. One table may be larger. */
const MAX_UNREAD_BYTES = 32 * 1024 * 1024;

/** A namespace with less than this on the way waits only while twice the bound is: slow readers hold up others as late as possible. */
const SMALL_UNREAD_BYTES = 256 * 1024;

/** How long something counts as on the way, ms: who does not read must not keep the others waiting. */
const UNREAD_MS = 1_000;

/** With more than this unread, however long ago it was sent, a namespace waits: its slow readers are cut after a while. */
const MAX_UNREAD_OF_NAMESPACE_BYTES = 128 * 1024 * 1024;

/** With more than this unread in all, the namespace with the most loses its oldest session: a tenant may have many namespaces. */
const MAX_UNREAD_IN_ALL_BYTES = 384 * 1024 * 1024;

/** How often it is looked whether some have been read, ms. */
const POLL_MS = 10;

/** Makes what is waited for. */
export interface FrameMaker {
  /**
   * Takes in all changes of the cluster that have come: something is about to be made from it, and nothing else happens in between. May
   * change who waits.
   */
  catchUp(): void;
  /**
   * Makes and sends one session's frame. Never throws.
   * @param goOn whether there is time to go on
   * @returns `begun`: there was no time for all of it, and this is called again for the same session, with no other of its
   *   namespace in between; `change`: a change was sent, and after many the next ones are held
   */
  send(session: TableSession, due: Due, goOn: () => boolean): Sending;
}

/** Who waits in one namespace. */
interface Turn {
  /**
   * Those that have asked: live flows end where the answer takes long. They come first. `ChangeLimiter` keeps them from being served
   * without end.
   */
  readonly asking: Map<TableSession, Due>;
  /** The others. */
  readonly waiting: Map<TableSession, Due>;
  /** Whose frame is half made. What it waits for besides stands among the waiting. */
  begun: { readonly session: TableSession; readonly due: Due } | undefined;
  /** What it may still use up, ms; below zero: what it has used too much. It is owed while nobody waits as well. */
  leftMs: number;
}

/** Sessions in the order in which they came, those that have asked before others, namespaces in turn. */
export class SendQueue {
  readonly #maker: FrameMaker;
  readonly #turns = new Map<string, Turn>();
  readonly #changes = new ChangeLimiter((session, due) => this.#set(session, due));
  /** Since when each session has had something to read, the longest first. */
  readonly #unread = new Map<TableSession, number>();
  /** Set while a slice is due in the next turn of the event loop, and during it: there is never more than one in a turn. */
  #next: NodeJS.Immediate | undefined;
  /** Set while all who wait are blocked. */
  #later: NodeJS.Timeout | undefined;

  constructor(maker: FrameMaker) {
    this.#maker = maker;
  }

  /** The revision that a session waits for; undefined: it waits for none. */
  revision(session: TableSession): number | undefined {
    const begun = this.#turns.get(session.namespace)?.begun;
    return (this.#due(session) ?? (begun?.session === session ? begun.due : undefined))?.revision;
  }

  /** Has a session sent its whole table soon; one that waits already keeps its place. */
  addTable(session: TableSession, revision: number): void {
    this.#changes.drop(session);
    this.#set(session, { kind: 'table', revision });
  }

  /** Has a session sent what changes in its table, when it may be sent a change; however often it is called until then, it is sent once. */
  addChange(session: TableSession, revision: number): void {
    const change: Due = { kind: 'change', revision };
    if (this.#changes.replace(session, change)) return; // as for thousands of sidecars of a busy namespace
    const waiting = waitingIn(this.#turns.get(session.namespace), session);
    if (waiting === undefined && this.#changes.hold(session, change)) return;
    this.#set(session, waiting?.kind === 'table' ? { kind: 'table', revision } : change);
  }

  delete(session: TableSession): void {
    const turn = this.#turns.get(session.namespace);
    turn?.asking.delete(session);
    turn?.waiting.delete(session);
    if (turn?.begun?.session === session) turn.begun = undefined;
    this.#changes.delete(session);
    this.#unread.delete(session);
  }

  close(): void {
    this.#turns.clear();
    this.#changes.close();
    if (this.#next !== undefined) clearImmediate(this.#next);
    clearTimeout(this.#later);
  }

  #due(session: TableSession): Due | undefined {
    return waitingIn(this.#turns.get(session.namespace), session) ?? this.#changes.held(session);
  }

  #set(session: TableSession, due: Due): void {
    const turn = this.#turns.get(session.namespace) ?? {
      asking: new Map<TableSession, Due>(),
      waiting: new Map<TableSession, Due>(),
      begun: undefined,
      leftMs: TURN_MS,
    };
    this.#turns.set(session.namespace, turn);
    if (session.hasQuestions) turn.waiting.delete(session);
    const isFirst = session.hasQuestions || turn.asking.has(session);
    turn[isFirst ? 'asking' : 'waiting'].set(session, due);
    if (this.#later === undefined) this.#next ??= setImmediate(() => this.#slice());
  }

  /** Who comes meanwhile, as by `catchUp`, is served in this slice or in the next one: no other slice begins in this turn. */
  #slice(): void {
    const isBlocked = this.#serve();
    this.#next = undefined;
    if (this.#turns.size === 0) return;
    if (isBlocked) this.#later = setTimeout(() => this.#look(), POLL_MS);
    else this.#next = setImmediate(() => this.#slice());
  }

  #look(): void {
    this.#later = undefined;
    this.#next = setImmediate(() => this.#slice());
  }

  /** @returns whether all who still wait have to wait until more has been read */
  #serve(): boolean {
    const unread = this.#countUnread();
    this.#cutBeyond(unread.byNamespace);
    const beganMs = performance.now();
    let [nowMs, isCaughtUp] = [beganMs, false];
    let blocked = 0;
    while (this.#turns.size > blocked) {
      if (unread.recentBytes > 2 * MAX_UNREAD_BYTES) break;
      if (nowMs - beganMs > SLICE_MS) return false;
      const [[namespace, turn] = ['', undefined]] = this.#turns;
      const [asking] = turn?.asking ?? [];
      const [waiting] = turn?.waiting ?? [];
      const [session, due] =
        turn?.begun === undefined ? (asking ?? waiting ?? []) : [turn.begun.session, turn.begun.due];
      if (turn === undefined || session === undefined || due === undefined) {
        this.#turns.delete(namespace);
        if (turn === undefined || turn.leftMs >= 0) continue;
        turn.leftMs += TURN_MS;
        this.#turns.set(namespace, turn);
        continue;
      }
      const own = unread.byNamespace.get(namespace) ?? 0;
      const isBlocked =
        own > MAX_UNREAD_OF_NAMESPACE_BYTES ||
        (own > SMALL_UNREAD_BYTES && unread.recentBytes > MAX_UNREAD_BYTES);
      blocked = isBlocked ? blocked + 1 : 0;
      if (isBlocked || turn.leftMs <= 0) {
        this.#turns.delete(namespace);
        this.#turns.set(namespace, turn);
        if (!isBlocked) turn.leftMs += TURN_MS;
        continue;
      }
      if (!isCaughtUp) {
        this.#maker.catchUp();
        isCaughtUp = true;
        continue; // who waits may have changed
      }
      if (turn.begun === undefined) {
        turn.asking.delete(session);
        turn.waiting.delete(session);
      }
      // Where the session is deleted on the way, nothing of it goes on.
      turn.begun = { session, due };
      const sending = this.#maker.send(session, due, () => performance.now() - beganMs <= SLICE_MS);
      const isGone = turn.begun === undefined;
      if (sending !== 'begun') turn.begun = undefined;
      if (sending === 'change' && !isGone) this.#changes.sent(session, nowMs);
      const bytes = isGone ? 0 : session.queuedBytes;
      if (bytes > 0 && !this.#unread.has(session)) this.#unread.set(session, nowMs);
      unread.recentBytes += bytes;
      unread.byNamespace.set(namespace, (unread.byNamespace.get(namespace) ?? 0) + bytes);
      const sentMs = performance.now();
      turn.leftMs -= sentMs - nowMs;
      nowMs = sentMs;
    }
    return true;
  }

  /** @param byNamespace what each has unread, bytes */
  #cutBeyond(byNamespace: Map<string, number>): void {
    let sum = 0;
    for (const bytes of byNamespace.values()) sum += bytes;
    while (sum > MAX_UNREAD_IN_ALL_BYTES) {
      const [most] = [...byNamespace].reduce((one, other) => (other[1] > one[1] ? other : one));
      const oldest = [...this.#unread.keys()].find(({ namespace }) => namespace === most);
      if (oldest === undefined) return;
      const bytes = oldest.queuedBytes;
      this.delete(oldest);
      oldest.cut('slow');
      byNamespace.set(most, (byNamespace.get(most) ?? 0) - bytes);
      sum -= bytes;
    }
  }

  /** What was sent and not read yet: of late, and by namespace whenever it was. */
  #countUnread(): { recentBytes: number; readonly byNamespace: Map<string, number> } {
    const oldestMs = performance.now() - UNREAD_MS;
    const byNamespace = new Map<string, number>();
    let recentBytes = 0;
    for (const [session, sentMs] of this.#unread) {
      const bytes = session.queuedBytes;
      if (bytes === 0) this.#unread.delete(session);
      else byNamespace.set(session.namespace, (byNamespace.get(session.namespace) ?? 0) + bytes);
      if (sentMs >= oldestMs) recentBytes += bytes;
    }
    return { recentBytes, byNamespace };
  }
}

function waitingIn(turn: Turn | undefined, session: TableSession): Due | undefined {
  return turn?.asking.get(session) ?? turn?.waiting.get(session);
}
