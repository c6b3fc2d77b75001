/**
 * Which pod has an address. The table knows addresses and tags of pods; their names and labels are asked from the injector, for
 * records only: verdicts never wait for an answer, and a record waits a moment at most. All of it is bounded, so that connects
 * from many addresses cost no memory.
 */
import { Recent } from '../../common/recent.ts';
import { type PeerIdentity, sameData } from '../../policy/index.ts';
import type { InjectorLink } from './injector_link.ts';

/** The pod that has an address; `null`: no pod has; `undefined`: not known, nobody answered in time. */
export type Owner = PeerIdentity | null | undefined;

/** What an answer is for: `labels`, which a pod may get others of, explain a verdict; a `name` is for as long as the pod. */
export type Need = 'name' | 'labels';

/** How long a record waits for an answer. The injector takes milliseconds, unless it is away or overloaded. */
const ANSWER_MS = 250;

/** How long an answer is used again: an address may get another owner, and a pod other labels, and nothing reports that. */
const KEPT_MS = 5_000;

/** Answers kept by address. Some 500 bytes each. */
const KEPT_MAX = 1024;

/** Pods kept by tag, some 500 bytes each: the peers of live flows. One that was forgotten is asked again. */
export const NAMED_MAX = 4096;

/** Questions under way. With more, records are written without a name. */
const ASKED_MAX = 256;

interface Answer {
  readonly owner: PeerIdentity | null;
  /** Of the owner; absent where the injector does not say. */
  readonly tag: string | undefined;
  readonly sinceMs: number;
}

interface Question {
  readonly answered: Promise<Answer | undefined>;
  settle(answer: Answer | undefined): void;
}

/** Asks, and remembers the answers for a while. */
export class Owners {
  readonly #link: Pick<InjectorLink, 'identify'>;
  readonly #kept = new Recent<string, Answer>(KEPT_MAX);
  /** By tag. A tag is one pod's for good, and so is the name. */
  readonly #named = new Recent<string, PeerIdentity>(NAMED_MAX);
  readonly #asked = new Map<string, Question>();
  #closed = false;

  /** @param link sends the questions */
  constructor(link: Pick<InjectorLink, 'identify'>) {
    this.#link = link;
  }

  /** A flow begins. Asks who its peer is, so that its name is known when the flow ends, even if the pod is gone by then. */
  meet(address: string, tag: string): void {
    if (!this.#named.has(tag) && this.#latest(address) === undefined) void this.#ask(address);
  }

  /**
   * What is known by now of a canonical address; `undefined` when it has to be asked.
   * @param tag of the pod that is meant, where the table says it: another pod that has the address by now is not
   */
  known(address: string, tag: string | undefined, need: Need): Owner {
    const named = tag === undefined || need === 'labels' ? undefined : this.#named.get(tag);
    if (named !== undefined) return named;
    const latest = this.#latest(address);
    return latest !== undefined && isAbout(latest, tag) ? latest.owner : undefined;
  }

  /** The same, asked where it has to be. Where nobody answers, what was known earlier of the pod of this tag. Never rejects. */
  async find(address: string, tag: string | undefined, need: Need): Promise<Owner> {
    const known = this.known(address, tag, need);
    if (known !== undefined) return known;
    const answer = await this.#ask(address);
    if (answer !== undefined && isAbout(answer, tag)) return answer.owner;
    return tag === undefined ? undefined : this.#named.get(tag);
  }

  /** An answer has come. One that nobody has asked for, or that is too late, is kept all the same. */
  answer(address: string, owner: PeerIdentity | null, tag: string | undefined): void {
    const before = tag === undefined ? this.#kept.get(address)?.owner : this.#named.get(tag);
    // What says the same is the same object: explanations are kept by it.
    const pod = before !== undefined && sameData(before, owner) ? before : owner;
    const answer = { owner: pod, tag, sinceMs: performance.now() };
    this.#kept.keep(address, answer);
    if (pod !== null && tag !== undefined) this.#named.keep(tag, pod);
    this.#settle(address, answer);
  }

  /**
   * Another table is in force. A pod that came into a group or left one may have other labels, and another rule may ask for other
   * labels: those are asked again. Names stay.
   * @param touched the addresses that this can concern; absent: all
   */
  outdated(touched?: ReadonlySet<string>): void {
    if (touched === undefined) this.#kept.clear();
    else for (const address of touched) this.#kept.delete(address);
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

  #latest(address: string): Answer | undefined {
    const kept = this.#kept.get(address);
    return kept !== undefined && performance.now() - kept.sinceMs < KEPT_MS ? kept : undefined;
  }

  #ask(address: string): Promise<Answer | undefined> {
    const asked = this.#asked.get(address);
    if (asked !== undefined) return asked.answered;
    if (this.#closed || this.#asked.size >= ASKED_MAX || !this.#link.identify(address))
      return Promise.resolve(undefined);
    const { promise, resolve } = Promise.withResolvers<Answer | undefined>();
    const timer = setTimeout(() => this.#settle(address, undefined), ANSWER_MS);
    this.#asked.set(address, {
      answered: promise,
      settle(answer) {
        clearTimeout(timer);
        resolve(answer);
      },
    });
    return promise;
  }

  #settle(address: string, answer: Answer | undefined): void {
    const question = this.#asked.get(address);
    this.#asked.delete(address);
    question?.settle(answer);
  }
}

/** Whether an answer is about the pod that is meant. An address may have passed to another pod, or to none. */
function isAbout({ owner, tag }: Answer, wanted: string | undefined): boolean {
  return wanted === undefined || (owner !== null && (tag === undefined || tag === wanted));
}
