/** What the kernel reports of direct connections: that one has begun, by connection tracking, and that a socket is gone. */
import { setImmediate as turn } from 'node:timers/promises';
import { asError } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import type { EndedSocket, TrackedFlow, WantedPorts } from '../kernel/index.ts';
import type { DirectKernel } from './direct_kernel.ts';

/** Reports taken at a time: a record takes some 50 us. */
const AT_ONCE = 50;

/** Where reports go. */
export interface ReportEvents {
  began(flow: TrackedFlow): void;
  ended(socket: EndedSocket): void;
  /** There were more than the kernel keeps: some will not come. */
  lost(): void;
  /** No more will come. */
  failed(error: Error): void;
}

/** The reports of one network namespace. They wait in the kernel until they are read. */
export class DirectReports {
  readonly #kernel: Pick<DirectKernel, 'beginnings' | 'ends'>;
  readonly #wanted: WantedPorts;
  readonly #events: ReportEvents;
  #beginnings: ReturnType<DirectKernel['beginnings']> | undefined;
  #ends: ReturnType<DirectKernel['ends']> | undefined;

  /** @param wanted of which ports ends are reported */
  constructor(kernel: Pick<DirectKernel, 'beginnings' | 'ends'>, wanted: WantedPorts, events: ReportEvents) {
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
      this.#ends = this.#kernel.ends(this.#wanted);
    } catch (error) {
      this.#fail(error);
    }
  }

  /**
   * Takes all reports that wait. Those of ends are taken first, and then all beginnings, as these come before the ends of the same
   * connections.
   */
  async read(): Promise<void> {
    for (;;) {
      const ended = this.#take(this.#ends);
      for (;;) {
        const begun = this.#take(this.#beginnings);
        if (begun === undefined) break;
        for (const { flow } of begun) this.#events.began(flow);
        await turn();
      }
      if (ended === undefined) return;
      for (const one of ended) this.#events.ended(one);
      await turn();
    }
  }

  /** The kernel reports no more. */
  close(): void {
    this.#beginnings?.close();
    this.#ends?.close();
    this.#beginnings = undefined;
    this.#ends = undefined;
  }

  #fail(error: unknown): void {
    this.close();
    this.#events.failed(asError(error));
  }

  #take<T>(from: { receive(): readonly T[] | undefined } | undefined): readonly T[] | undefined {
    const taken: T[] = [];
    while (from !== undefined && taken.length < AT_ONCE) {
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
