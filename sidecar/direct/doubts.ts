/**
 * Connections of which the kernel may have said less than there is to say, and which it is therefore asked about: whether the app has
 * one at all, which one an app has reset, and, where reports may be missing, whether one is still there.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { EndedSocket, TcpSocket } from '../kernel/index.ts';
import type { DirectConnection } from './direct_connection.ts';
import type { DirectKernel } from './direct_kernel.ts';
import type { DirectReports } from './direct_reports.ts';
import type { Followed } from './followed.ts';
import { ASKED_AT_ONCE, RECORDS_AT_ONCE } from './socket_cutter.ts';
import { endsOf } from './socket_orders.ts';

/**
 * When a connection is looked for the first time after it has begun, ms: most have ended by then. Connection tracking takes a handshake for
 * complete when its last packet passes; where the app's accept queue is full, no socket comes of that.
 */
const LOOKED_FOR_MS = 1_000;

/** Connections that are looked for in one read, some 20 us each: 5,000 a second. */
const LOOKED_FOR_AT_ONCE = 256;

/** Connections that are asked about in one read because an app has reset one of their client's. The others are next time. */
const SUSPECTS_AT_ONCE = 1_024;

/** Clients and ports of whom apps have reset connections, between two reads. Of more, all connections are asked about. */
const RESETS_MAX = 4_096;

/** Resets of one client and port that wait to be found: as many as a read takes. Of more, all connections are asked about. */
const COOKIES_MAX = 8_192;

/** How often some connections are asked about, ms, and how many: a report may be missing. */
export const AUDIT_INTERVAL_MS = 10_000;
const AUDITED_AT_ONCE = 256;

/** Where reports are lost all the time, all connections are asked about so often, ms: 65,536 take more than a second. */
const LOST_INTERVAL_MS = 5_000;

/** Connections that an app has reset, of one client to one port. */
interface Resets {
  readonly client: string;
  readonly port: number;
  /** What the kernel calls the sockets that are looked for. */
  cookies: Set<number>;
  /** The same of those that were reset since that began. */
  news: Set<number>;
  /** Connections that were asked about for these, and that their app does not have yet. */
  readonly asked: Set<DirectConnection>;
}

/** What is asked, and when. */
export class Doubts {
  readonly #kernel: Pick<DirectKernel, 'socketsAt'>;
  readonly #followed: Followed;
  readonly #reports: Pick<DirectReports, 'read'>;
  readonly #takeStock: () => Promise<void>;
  readonly #resets = new Map<string, Resets>();
  /** How many connections were ended here. */
  #finished = 0;
  #isLost = false;
  #foundLostAtMs = Number.NEGATIVE_INFINITY;
  #auditing: Iterator<DirectConnection> | undefined;
  #auditedAtMs = performance.now();

  /** @param takeStock looks for connections that are not followed */
  constructor(
    kernel: Pick<DirectKernel, 'socketsAt'>,
    followed: Followed,
    reports: Pick<DirectReports, 'read'>,
    takeStock: () => Promise<void>,
  ) {
    this.#kernel = kernel;
    this.#followed = followed;
    this.#reports = reports;
    this.#takeStock = takeStock;
  }

  /** An app has reset a connection: the kernel says of which client, not of which of its ports. */
  reset({ local, remote, cookie }: Pick<EndedSocket, 'local' | 'remote' | 'cookie'>): void {
    const key = `${remote.address} ${local.port}`;
    const known = this.#resets.get(key);
    if (known === undefined && this.#resets.size >= RESETS_MAX) return this.lost();
    const { address: client } = remote;
    const resets = known ?? {
      client,
      port: local.port,
      cookies: new Set(),
      news: new Set(),
      asked: new Set(),
    };
    if (resets.cookies.size + resets.news.size >= COOKIES_MAX) return this.lost();
    resets.news.add(cookie);
    if (known === undefined) this.#resets.set(key, resets);
  }

  /** Reports are missing. */
  lost(): void {
    this.#isLost = true;
  }

  /** Whether reports were lost, and no list of sockets has been taken since. */
  get hasLostReports(): boolean {
    return this.#isLost;
  }

  /** Whether nothing is in doubt: until another report comes, only the audit is due. */
  get areSettled(): boolean {
    return this.#resets.size === 0 && this.#followed.unseen.size === 0 && !this.#isLost;
  }

  /** To be called when reports have been read. What fails is asked again the next time. @throws SluiceError */
  async ask(): Promise<void> {
    await this.#findReset();
    await this.#lookFor();
    const nowMs = performance.now();
    if (this.#isLost && nowMs - this.#foundLostAtMs >= LOST_INTERVAL_MS) await this.#findLost(nowMs);
    if (nowMs - this.#auditedAtMs >= AUDIT_INTERVAL_MS) await this.#audit(nowMs);
  }

  /**
   * Those whose sockets are known are found at once. Others are asked about, each once: those that are there are known from then on, and those
   * that are not are the ones that were reset. Clients have their turn one after another, however many connections one has.
   */
  async #findReset(): Promise<void> {
    let room = SUSPECTS_AT_ONCE;
    for (const [key, resets] of [...this.#resets]) {
      if (resets.cookies.size === 0) lookForNews(resets);
      const { found, unknown } = this.#suspects(resets);
      await this.#finish(found, 'reset-by-destination');
      const some = resets.cookies.size === 0 ? [] : unknown.slice(0, room);
      await this.#endMissing(some, 'reset-by-destination');
      room -= some.length;
      for (const one of some) if (one.cookie === undefined) resets.asked.add(one);
      const isPartly = resets.cookies.size > 0 && some.length < unknown.length;
      if (!isPartly) lookForNews(resets);
      if (some.length > 0 || resets.cookies.size === 0) this.#resets.delete(key);
      if (resets.cookies.size > 0) this.#resets.set(key, resets); // the rest is next time, after the others
    }
  }

  /** The connections that were reset, as far as they are known, and those that may be. */
  #suspects({ client, port, cookies, news, asked }: Resets): {
    readonly found: readonly DirectConnection[];
    readonly unknown: readonly DirectConnection[];
  } {
    const found: DirectConnection[] = [];
    const unknown: DirectConnection[] = [];
    for (const one of this.#followed.of(client, port)) {
      if (one.cookie !== undefined) {
        if (cookies.delete(one.cookie) || news.delete(one.cookie)) found.push(one);
      } else if (!asked.has(one)) unknown.push(one);
    }
    return { found, unknown };
  }

  /** Connections that are old enough to be looked for: where there is only a handshake, once more later. */
  async #lookFor(): Promise<void> {
    const { unseen } = this.#followed;
    const nowMs = performance.now();
    const due: DirectConnection[] = [];
    for (const [one, sinceMs] of unseen) {
      if (nowMs - sinceMs < LOOKED_FOR_MS || due.length >= LOOKED_FOR_AT_ONCE) break;
      due.push(one);
    }
    await this.#endMissing(due, 'broken');
    for (const one of due) this.#followed.lookLater(one, nowMs);
  }

  /** All connections are asked about, and those that are not known are looked for. */
  async #findLost(nowMs: number): Promise<void> {
    this.#isLost = false;
    this.#foundLostAtMs = nowMs;
    try {
      const all = [...this.#followed];
      for (let from = 0; from < all.length; from += ASKED_AT_ONCE)
        await this.#endMissing(all.slice(from, from + ASKED_AT_ONCE), 'broken');
      await this.#takeStock();
    } catch (error) {
      this.#isLost = true;
      this.#foundLostAtMs = Number.NEGATIVE_INFINITY;
      throw error;
    }
  }

  /** Asks about some connections, each time about others. */
  async #audit(nowMs: number): Promise<void> {
    this.#auditedAtMs = nowMs;
    const some: DirectConnection[] = [];
    this.#auditing ??= this.#followed[Symbol.iterator]();
    while (some.length < AUDITED_AT_ONCE) {
      const { done, value } = this.#auditing.next();
      if (done === true) {
        this.#auditing = undefined;
        break;
      }
      some.push(value);
    }
    await this.#endMissing(some, 'broken');
  }

  /** Ends those of the connections that the kernel does not have any more, and has not reported either. */
  async #endMissing(
    connections: readonly DirectConnection[],
    end: 'broken' | 'reset-by-destination',
  ): Promise<void> {
    if (connections.length === 0) return;
    const sockets = this.#kernel.socketsAt(connections.map(endsOf));
    const missing = connections.filter((one, index) => !this.#isThere(one, sockets[index]));
    if (missing.length === 0) return await turn();
    await this.#reports.read();
    await this.#finish(missing, end);
  }

  /** Others have their turn meanwhile: one may have ended by then. */
  async #finish(
    connections: readonly DirectConnection[],
    end: 'broken' | 'reset-by-destination',
  ): Promise<void> {
    for (const one of connections) {
      this.#followed.finish(one, end);
      this.#finished += 1;
      if (this.#finished % RECORDS_AT_ONCE === 0) await turn();
    }
  }

  #isThere(connection: DirectConnection, socket: TcpSocket | undefined): boolean {
    if (socket === undefined) return false;
    this.#followed.seen(connection, socket);
    return true;
  }
}

/** All connections that were to be asked about have been: what was reset since then may be another of them. */
function lookForNews(resets: Resets): void {
  resets.cookies = resets.news;
  resets.news = new Set();
  resets.asked.clear();
}
