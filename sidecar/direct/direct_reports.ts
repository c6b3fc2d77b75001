/** What the kernel reports of direct connections: that one has begun, by connection tracking, and that a socket is gone. */
import { setImmediate as turn } from 'node:timers/promises';
import { asError } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import type { EndedSocket, TrackedFlow, WantedPorts } from '../kernel/index.ts';
import type { DirectKernel } from './direct_kernel.ts';

/** Reports taken at a time: a record takes some 50 us. */
const AT_ONCE = 50;

/** Looked at for them: those that are no news take some 3 us each. */
const LOOKED_AT_ONCE = 512;

/**
 * Beginnings taken between two looks at ends: more than the kernel's buffer has (some 6,000), so that all that came before an end are
 * among them. Of a read twice as many at most, some 0.8 s: more wait for the next read, or the kernel says that they were lost.
 */
const BEGINNINGS_MAX = 8_192;

/** Ends taken of a read. */
const ENDS_MAX = 8_192;

/** Where reports go. */
export interface ReportEvents {
  /** Whether the end of the socket with this cookie is news; else no more is said of it. Asked once for each. */
  isNews(cookie: number): boolean;
  began(flow: TrackedFlow): void;
  ended(socket: EndedSocket): void;
  /** There were more than the kernel keeps: some will not come. */
  lost(): void;
  /** There is something to read; after `arm` only. */
  waiting(): void;
  /** No more will come. */
  failed(error: Error): void;
}

/** The reports of one network namespace. They wait in the kernel until they are read. */
export class DirectReports {
  readonly #kernel: Pick<DirectKernel, 'beginnings' | 'ends' | 'readiness'>;
  readonly #wanted: WantedPorts;
  readonly #events: ReportEvents;
  #beginnings: ReturnType<DirectKernel['beginnings']> | undefined;
  #ends: ReturnType<DirectKernel['ends']> | undefined;
  #readiness: ReturnType<DirectKernel['readiness']> | undefined;

  /** @param wanted of which ports ends are reported */
  constructor(
    kernel: Pick<DirectKernel, 'beginnings' | 'ends' | 'readiness'>,
    wanted: WantedPorts,
    events: ReportEvents,
  ) {
    this.#kernel = kernel;
    this.#wanted = wanted;
    this.#events = events;
  }

  /** Whether reports come. */
  get areOpen(): boolean {
    return this.#ends !== undefined;
  }

  /** From here on the kernel keeps reports. Where it does not, `failed` says so. */
  open(): void {
    try {
      this.#beginnings = this.#kernel.beginnings();
      this.#ends = this.#kernel.ends(this.#wanted, (cookie) => this.#events.isNews(cookie));
      this.#readiness = this.#kernel.readiness([this.#beginnings, this.#ends], () => this.#events.waiting());
    } catch (error) {
      this.#fail(error);
    }
  }

  /**
   * Takes the reports that wait, however many come meanwhile. Those of ends are taken first, and then the beginnings, as these come
   * before the ends of the same connections.
   * @returns whether none waits any more
   */
  async read(): Promise<boolean> {
    let [beginnings, ends] = [0, 0];
    while (beginnings < BEGINNINGS_MAX && ends < ENDS_MAX) {
      const ended = this.#take(this.#ends);
      const taken = await this.#readBeginnings();
      if (ended === undefined) return taken < BEGINNINGS_MAX;
      for (const one of ended) this.#events.ended(one);
      beginnings += taken;
      ends += Math.max(1, ended.length);
      await turn();
    }
    return false;
  }

  /** @returns how many; fewer than `BEGINNINGS_MAX` where none waits any more */
  async #readBeginnings(): Promise<number> {
    let taken = 0;
    while (taken < BEGINNINGS_MAX) {
      const begun = this.#take(this.#beginnings);
      if (begun === undefined) break;
      for (const { flow } of begun) this.#events.began(flow);
      taken += begun.length;
      await turn();
    }
    return taken;
  }

  /** Has `waiting` called once when reports wait: at once, or when the next one comes. While none does, this costs nothing. */
  arm(): void {
    this.#readiness?.arm();
  }

  /** The kernel reports no more. */
  close(): void {
    this.#readiness?.close();
    this.#readiness = undefined;
    this.#beginnings?.close();
    this.#ends?.close();
    this.#beginnings = undefined;
    this.#ends = undefined;
  }

  #fail(error: unknown): void {
    this.close();
    this.#events.failed(asError(error));
  }

  /** @returns `undefined` where none waits any more */
  #take<T>(from: { receive(): readonly T[] | undefined } | undefined): readonly T[] | undefined {
    const taken: T[] = [];
    for (let looked = 0; from !== undefined && taken.length < AT_ONCE; looked += 1) {
      if (looked === LOOKED_AT_ONCE) return taken;
      try {
        const some = from.receive();
        if (some === undefined) break;
        taken.push(...some);
      } catch (error) {
        if (!(error instanceof SluiceError) || error.code !== 'NETLINK_OVERRUN') {
          this.#fail(error);
          break;
        }
        this.#events.lost();
      }
    }
    return taken.length === 0 ? undefined : taken;
  }
}
