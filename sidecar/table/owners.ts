/**
 * Which pod has an address that the table does not name. The injector is asked, for records only: verdicts never wait for
 * an answer, and a record waits a moment at most. All of it is bounded, so that connects from many addresses cost no memory.
 */
import { Recent } from '../../common/recent.ts';
import type { PeerIdentity } from '../../policy/index.ts';
import type { InjectorLink } from './injector_link.ts';

/** The pod that has an address; `null`: no pod has; `undefined`: not known, nobody answered in time. */
export type Owner = PeerIdentity | null | undefined;

/** How long a record waits for an answer. The injector takes milliseconds, unless it is away or overloaded. */
const ANSWER_MS = 250;

/** How long an answer is used again: an address may get another owner, and nothing reports that. */
const KEPT_MS = 5_000;

/** Answers kept. Some 500 bytes each. */
const KEPT_MAX = 1024;

/** Questions under way. With more, records are written without a name. */
const ASKED_MAX = 64;

interface Question {
  readonly answered: Promise<Owner>;
  settle(owner: Owner): void;
}

/** Asks, and remembers the answers for a while. */
export class Owners {
  readonly #link: Pick<InjectorLink, 'identify'>;
  readonly #kept = new Recent<string, { readonly owner: PeerIdentity | null; readonly sinceMs: number }>(
    KEPT_MAX,
  );
  readonly #asked = new Map<string, Question>();
  #closed = false;

  /** @param link sends the questions */
  constructor(link: Pick<InjectorLink, 'identify'>) {
    this.#link = link;
  }

  /** What is known of a canonical address by now; `undefined` when it has to be asked. */
  known(address: string): Owner {
    const kept = this.#kept.get(address);
    return kept !== undefined && performance.now() - kept.sinceMs < KEPT_MS ? kept.owner : undefined;
  }

  /** Which pod has a canonical address. Never rejects. */
  async find(address: string): Promise<Owner> {
    const known = this.known(address);
    if (known !== undefined) return known;
    const asked = this.#asked.get(address);
    if (asked !== undefined) return asked.answered;
    if (this.#closed || this.#asked.size >= ASKED_MAX || !this.#link.identify(address)) return undefined;
    const { promise, resolve } = Promise.withResolvers<Owner>();
    const timer = setTimeout(() => this.#settle(address, undefined), ANSWER_MS);
    this.#asked.set(address, {
      answered: promise,
      settle(owner) {
        clearTimeout(timer);
        resolve(owner);
      },
    });
    return promise;
  }

  /** An answer has come. One that nobody has asked for, or that is too late, is kept all the same. */
  answer(address: string, owner: PeerIdentity | null): void {
    this.#kept.keep(address, { owner, sinceMs: performance.now() });
    this.#settle(address, owner);
  }

  /** The connection is lost: questions that are under way get no answer any more. */
  lost(): void {
    for (const address of [...this.#asked.keys()]) this.#settle(address, undefined);
  }

  /** Asks nothing more; resolves when what is being asked has been answered, or has waited long enough. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#asked.values()].map(({ answered }) => answered));
  }

  #settle(address: string, owner: Owner): void {
    const question = this.#asked.get(address);
    this.#asked.delete(address);
    question?.settle(owner);
  }
}
