/**
 * Watches the redirect. Without its rules, traffic would go straight to the app and nobody would notice. So the sidecar keeps
 * dialling a port at which a connection succeeds only through the rules, and from time to time checks each rule by name.
 */
import net from 'node:net';
import { codeOf, messageOf } from '../../common/errno.ts';
import type { Family } from '../../native/index.ts';
import { listenerAddress } from './rules.ts';

/** Two missed dials are noticed well within 5 s. */
const DIAL_INTERVAL_MS = 1_000;
const DIAL_TIMEOUT_MS = 1_000;

/** Connections to the canary port that nobody waits for are remembered up to so many: an app may make some. */
const EARLY_MAX = 1_024;

/** Checking each rule starts some fifty processes: often enough to find a half-removed redirect, seldom enough to cost nothing. */
const VERIFY_INTERVAL_MS = 60_000;

/** So long after this process has put them in, each rule is checked for the first time: the pod has started by then, mostly. */
const FIRST_VERIFY_MS = 5_000;

/** What the canary needs. */
export interface CanaryContext {
  readonly port: number;
  /** Checks every rule; rejects with what is missing. */
  verify(): Promise<unknown>;
  /** Called after each check. `problem` is absent when all is well. */
  checked(problem: string | undefined): void;
}

/** Checks the redirect again and again. */
export class Canary {
  readonly #context: CanaryContext;
  #timer: NodeJS.Timeout | undefined;
  #verifyProblem: string | undefined;
  /** By family and source port: dials whose connection the proxy has not accepted yet. */
  readonly #awaited = new Map<string, () => void>();
  /** Connections that the proxy accepted before the dial knew its port. */
  readonly #early = new Set<string>();
  /** When each rule is to be checked next. */
  #verifyAtMs: number;
  /** The last check has found something wrong. */
  #isLost = false;
  #closed = false;

  /** @param verified this process has just put all rules in, so that they need not be checked at once */
  constructor(context: CanaryContext, verified = false) {
    this.#context = context;
    this.#verifyAtMs = verified ? performance.now() + FIRST_VERIFY_MS : Number.NEGATIVE_INFINITY;
  }

  /** Checks the redirect of these families, and again until `close`. */
  async start(families: readonly Family[]): Promise<void> {
    await this.#check(families);
    if (!this.#closed) this.#timer = setTimeout(() => void this.start(families), DIAL_INTERVAL_MS);
  }

  /** The proxy has accepted a connection to the canary port: only the rules can have led it there. */
  arrived(family: Family, sourcePort: number): void {
    const key = `${family} ${sourcePort}`;
    const came = this.#awaited.get(key);
    if (came !== undefined) came();
    else if (this.#early.size < EARLY_MAX) this.#early.add(key);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #check(families: readonly Family[]): Promise<void> {
    this.#early.clear();
    const dials = await Promise.all(families.map((family) => this.#dial(family)));
    const failed = dials.find((problem) => problem !== undefined);
    // A dial that works again after a loss proves only the rules that it met: all of them are looked at, at once.
    const due = performance.now() >= this.#verifyAtMs;
    if (failed === undefined && (due || this.#isLost)) await this.#verify();
    const problem = failed ?? this.#verifyProblem;
    this.#isLost = problem !== undefined;
    if (!this.#closed) this.#context.checked(problem);
  }

  async #verify(): Promise<void> {
    this.#verifyAtMs = performance.now() + VERIFY_INTERVAL_MS;
    this.#verifyProblem = await this.#context.verify().then(
      () => undefined,
      (error: unknown) => messageOf(error),
    );
  }

  /** @returns what is wrong, or `undefined` when the proxy has accepted this very connection. Somebody else may answer too. */
  #dial(family: Family): Promise<string | undefined> {
    const { port } = this.#context;
    return new Promise((resolve) => {
      const socket = net.connect({ host: listenerAddress(family), port });
      const done = (problem?: string): void => {
        socket.destroy();
        resolve(problem);
      };
      socket.setTimeout(DIAL_TIMEOUT_MS, () => done(`IPv${family}: no answer through the redirect`));
      socket.once('connect', () => {
        const key = `${family} ${socket.localPort}`;
        socket.destroy(); // it arrives all the same; a descriptor is not to be held meanwhile, when they are short
        if (this.#early.delete(key)) return resolve(undefined);
        const stray = `IPv${family}: the redirect rules are gone, and somebody else answers on canary port ${port}`;
        const timer = setTimeout(() => came(stray), DIAL_TIMEOUT_MS);
        const came = (problem?: string): void => {
          clearTimeout(timer);
          this.#awaited.delete(key);
          resolve(problem);
        };
        this.#awaited.set(key, came);
      });
      socket.once('error', (error) =>
        done(`IPv${family}: the redirect rules are gone (canary port ${port}: ${codeOf(error)})`),
      );
    });
  }
}
