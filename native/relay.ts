/**
 * The native relay, see relay.h: accepts, dials and relays on a thread of its own, and leaves every decision to its
 * user. Events and commands cross in batches.
 */
import { errnoName } from '../common/errno.ts';
import { SluiceError } from '../common/errors.ts';
import { LatestWins } from '../common/latest_wins.ts';
import { type Addon, loadAddon, type RelayAddon } from './addon.ts';
import { errnoMeaning } from './errno_error.ts';

/** What a native relay needs. */
export interface NativeRelayOptions {
  /** Listening transparent sockets; duplicated, so they stay the caller's. At most 32: RELAY_LISTENERS of relay.h. */
  readonly listeners: readonly number[];
  /** Source ports of the app leg, inclusive. */
  readonly firstPort: number;
  readonly lastPort: number;
  /** SO_MARK of the app leg. */
  readonly mark: number;
  readonly connectTimeoutMs: number;
  /** Silence of a source before it is probed, between probes, and probes before it is given up; tcp(7). */
  readonly idleSeconds: number;
  readonly intervalSeconds: number;
  readonly probes: number;
  /** Beyond so many flows nothing is admitted from memory. */
  readonly maxFlows: number;
  /** Pipes for splice(2), two descriptors each. */
  readonly maxPipes: number;
  /** Most bytes in flows' buffers: beyond it those that stall are ended. */
  readonly maxHeldBytes: number;
  /** A flow over which nothing passes for so long is ended; 0: never. */
  readonly endIdleSeconds: number;
  /** Two TCP ports beside those of listeners; a connection to one of them always waits for the decision. */
  readonly ownPorts: readonly [number, number];
}

/** Names a flow for as long as it lives, and nobody after it. */
export interface FlowId {
  readonly slot: number;
  readonly generation: number;
}

/** How a flow ended; relay_end of relay.h, in its order from 1. */
const ENDS = [
  'closed',
  'source',
  'destination',
  'unreachable',
  'shortage',
  'dial-failed',
  'reset',
  'stalled',
  'idle',
] as const;

/** See relay.h. */
export type NativeEnd = (typeof ENDS)[number];

/** A connection that has been accepted. */
export interface NativeAccepted extends FlowId {
  readonly family: 4 | 6;
  /** As the kernel has them: 4 or 16 bytes, valid during the call only. */
  readonly source: Uint8Array;
  readonly sourcePort: number;
  readonly destination: Uint8Array;
  readonly destinationPort: number;
  /** It is being dialled already: the same source was admitted to the same port before, or the gate has judged it. */
  readonly remembered: boolean;
  /** `remembered`, and not before the last `forget`. */
  readonly rememberedSince: boolean;
}

/** A flow that is over. */
export interface NativeEnded extends FlowId {
  readonly end: NativeEnd;
  /** Name of the errno behind it, such as ECONNREFUSED. */
  readonly error?: string;
  /** Bytes passed on from the source. */
  readonly fromSource: number;
  /** Bytes passed on to the source. */
  readonly toSource: number;
  readonly durationMs: number;
}

/** What happens at a relay. Calls come in batches; what they ask of the relay is submitted after the batch. */
export interface NativeRelayEvents {
  accepted(event: NativeAccepted): void;
  ended(event: NativeEnded): void;
  /** @param error name of the errno, such as EMFILE. Accepting goes on after a pause */
  acceptFailed(error: string): void;
}

/** Layout of struct relay_event. */
const EVENT_BYTES = 64;
const BATCH = 256;
/** Flows that may wait to be read before nothing more is admitted from memory: this thread is too busy to judge them. */
const UNTAKEN_MAX = 4096;
/** Most batches of events that stand before that of a flow that was admitted from memory: two events a flow. */
const BATCHES_BEFORE_REMEMBERED = (2 * UNTAKEN_MAX) / BATCH;
const KIND = { accepted: 1, ended: 2, acceptFailed: 3, caughtUp: 4 } as const;
const FLAG = { ipv6: 1, remembered: 2 } as const;
const COMMAND = { admit: 1, resetSource: 2, reset: 3, finish: 4, catchUp: 5 } as const;
const COMMAND_WORDS = 4;
const US_PER_MS = 1000;
const BYTES_PER_KIB = 1024;
const TWO_32 = 2 ** 32;

/** For a command that is about none. */
const NO_FLOW: FlowId = { slot: 0, generation: 0 };

/** A running native relay. */
export class NativeRelay {
  readonly #addon: RelayAddon;
  readonly #handle: object;
  readonly #handler: NativeRelayEvents;
  readonly #events = new ArrayBuffer(EVENT_BYTES * BATCH);
  readonly #bytes = new Uint8Array(this.#events);
  readonly #words = new Uint32Array(this.#events);
  readonly #halves = new Uint16Array(this.#events);
  readonly #progress = new Float64Array(3);
  #commands = new Uint32Array(COMMAND_WORDS * BATCH);
  #commandCount = 0;
  #inBatch = false;
  #submitting = false;
  #epoch = 1;
  readonly #catchingUp = new LatestWins<void>(() => this.#catchUp());
  #caughtUp: () => void = () => {};
  /** The first epoch after the last `forget`. */
  #since = 1;
  #closed = false;

  /** @throws SluiceError `SOCKET_FAILED`, `SOCKET_DESCRIPTORS_EXHAUSTED`, `NATIVE_ADDON_MISSING` */
  constructor(options: NativeRelayOptions, handler: NativeRelayEvents, addon: Addon = loadAddon()) {
    this.#addon = addon;
    this.#handler = handler;
    const words = Uint32Array.of(
      options.firstPort,
      options.lastPort,
      options.mark,
      options.connectTimeoutMs,
      options.idleSeconds,
      options.intervalSeconds,
      options.probes,
      options.maxFlows,
      options.maxPipes,
      UNTAKEN_MAX,
      Math.floor(options.maxHeldBytes / BYTES_PER_KIB),
      options.endIdleSeconds,
      ...options.ownPorts,
      options.listeners.length,
      ...options.listeners,
    );
    const started = addon.relayStart(words, () => this.#drain());
    if (typeof started === 'number') throw startError(started);
    this.#handle = started;
  }

  /** Dials the flow's destination and relays. `remember`: until `forget`, the same source is admitted to the same port. */
  admit(id: FlowId, remember: boolean): void {
    this.#command(COMMAND.admit, id, remember ? this.#epoch : 0);
  }

  /** Resets the source's side; `reset` is to follow. */
  resetSource(id: FlowId): void {
    this.#command(COMMAND.resetSource, id, 0);
  }

  /** Resets both sides; the flow's end is still reported. A flow that is over already stays as it is. */
  reset(id: FlowId): void {
    this.#command(COMMAND.reset, id, 0);
  }

  /** Closes the source's side in order. For a connection that is not dialled. */
  finish(id: FlowId): void {
    this.#command(COMMAND.finish, id, 0);
  }

  /** Forgets what was remembered, at once and before anything else that is asked for. */
  forget(): void {
    this.doubt();
    this.#since = this.#epoch;
  }

  /** The same where the gate is not what it should be; what was remembered wrongly still counts as `rememberedSince`. */
  doubt(): void {
    this.#epoch = this.#addon.relayForget(this.#handle);
  }

  /**
   * Whether the kernel judges SYNs by the table in force, from now on. Until that is taken back, or `forget`, a connection whose SYN it
   * has judged is dialled and remembered without being asked for.
   */
  trustGate(inForce: boolean): void {
    this.#addon.relayTrustGate(this.#handle, inForce ? 1 : 0);
  }

  /**
   * Reports now what has been admitted from memory until now, with all events before that: those of the last 3 ms, or since
   * this thread last had time for them, of `UNTAKEN_MAX` flows at most.
   */
  reportRemembered(): void {
    let batches = 0;
    while (batches < BATCHES_BEFORE_REMEMBERED && this.#reportBatch()) batches += 1;
  }

  /**
   * Resolves when all that was asked for until now is done, and all that was accepted until then has been reported; or when the relay is
   * closed. The thread may be late: until it is, this waits.
   */
  caughtUp(): Promise<void> {
    return this.#catchingUp.do();
  }

  /** Bytes so far, and whether the two sides are connected; absent when the end of the flow has been taken. */
  progress(id: FlowId): { fromSource: number; toSource: number; relaying: boolean } | undefined {
    const found = this.#addon.relayBytes(this.#handle, id.slot, id.generation, this.#progress);
    if (found === 0) return undefined;
    const [fromSource = 0, toSource = 0, relaying] = this.#progress;
    return { fromSource, toSource, relaying: relaying === 1 };
  }

  /** Accepts what waits already, as far as connections may wait for a decision, then closes the listeners. */
  stopAccepting(): void {
    this.#addon.relayStopAccepting(this.#handle);
  }

  /** Resets all flows and ends the thread; nothing is reported after that. */
  close(): void {
    this.#closed = true;
    this.#addon.relayClose(this.#handle);
    this.#caughtUp();
  }

  /** A flood must not keep the rest of the sidecar, such as a new table, from its turn: hence the pause. */
  #drain(): void {
    if (this.#reportBatch()) setImmediate(() => this.#drain());
  }

  /** @returns whether more may wait */
  #reportBatch(): boolean {
    if (this.#closed) return false;
    this.#inBatch = true;
    const count = this.#addon.relayTake(this.#handle, this.#bytes);
    for (let i = 0; i < count; i += 1) this.#report(i);
    this.#inBatch = false;
    this.#submit();
    return count === BATCH;
  }

  #report(index: number): void {
    const word = index * (EVENT_BYTES / 4);
    const kind = this.#words[word];
    const slot = this.#words[word + 1] ?? 0;
    const generation = this.#words[word + 2] ?? 0;
    switch (kind) {
      case KIND.accepted: {
        const at = index * EVENT_BYTES;
        const flags = this.#words[word + 3] ?? 0;
        const ipv6 = (flags & FLAG.ipv6) !== 0;
        const length = ipv6 ? 16 : 4;
        return this.#handler.accepted({
          slot,
          generation,
          family: ipv6 ? 6 : 4,
          sourcePort: this.#halves[at / 2 + 8] ?? 0,
          destinationPort: this.#halves[at / 2 + 9] ?? 0,
          source: this.#bytes.subarray(at + 24, at + 24 + length),
          destination: this.#bytes.subarray(at + 40, at + 40 + length),
          remembered: (flags & FLAG.remembered) !== 0,
          rememberedSince: (flags & FLAG.remembered) !== 0 && this.#isSince(this.#words[word + 5] ?? 0),
        });
      }
      case KIND.ended: {
        const error = this.#words[word + 5] ?? 0;
        return this.#handler.ended({
          slot,
          generation,
          end: ENDS[(this.#words[word + 4] ?? 0) - 1] ?? 'closed',
          ...(error === 0 ? {} : { error: errnoName(error) }),
          fromSource: this.#long(word + 6),
          toSource: this.#long(word + 8),
          durationMs: this.#long(word + 10) / US_PER_MS,
        });
      }
      case KIND.acceptFailed:
        return this.#handler.acceptFailed(errnoName(this.#words[word + 5] ?? 0));
      case KIND.caughtUp:
        return this.#caughtUp();
      default: // the addon reports nothing else
        return;
    }
  }

  #catchUp(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#caughtUp = resolve;
    this.#command(COMMAND.catchUp, NO_FLOW, 0);
    return promise;
  }

  /** Epochs are 32 bits, and begin again. */
  #isSince(epoch: number): boolean {
    return (epoch - this.#since) >>> 0 <= (this.#epoch - this.#since) >>> 0;
  }

  #long(word: number): number {
    return (this.#words[word] ?? 0) + (this.#words[word + 1] ?? 0) * TWO_32;
  }

  #command(kind: number, { slot, generation }: FlowId, argument: number): void {
    const at = this.#commandCount * COMMAND_WORDS;
    if (at === this.#commands.length) {
      const larger = new Uint32Array(this.#commands.length * 2);
      larger.set(this.#commands);
      this.#commands = larger;
    }
    this.#commands[at] = kind;
    this.#commands[at + 1] = slot;
    this.#commands[at + 2] = generation;
    this.#commands[at + 3] = argument;
    this.#commandCount += 1;
    // Outside a batch of events: what is asked for in one go is submitted in one go.
    if (this.#inBatch || this.#submitting) return;
    this.#submitting = true;
    queueMicrotask(() => this.#submit());
  }

  #submit(): void {
    this.#submitting = false;
    if (this.#commandCount === 0 || this.#closed) return;
    this.#addon.relaySubmit(this.#handle, this.#commands, this.#commandCount);
    this.#commandCount = 0;
  }
}

function startError(result: number): SluiceError {
  const name = errnoName(result);
  const { code, hint } = errnoMeaning(name, 'thread');
  return new SluiceError(code, `the relay's thread cannot start: ${name}: ${hint}`);
}
