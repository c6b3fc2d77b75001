/** Many simulated sidecars in one process: they read frames' heads, acknowledge at once, and come back as real ones do. */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff, type BackoffBounds } from '../../../common/backoff.ts';
import { dial, type SidecarPod, type Way } from '../way.ts';
import type { HeardFrame } from './delays.ts';
import { FrameHeads } from './frame_heads.ts';
import { readHead, type Speech } from './speech.ts';

/** Reconnect delays, and the time for a connection and its handshake, as the real one has them. */
const RECONNECT: BackoffBounds = { firstMs: 400, lastMs: 10_000, firstFromZero: true };
const CONNECT: BackoffBounds = { firstMs: 3_000, lastMs: 10_000, jitter: false };

/** Connections that are begun at a time, and the time between, ms: pods of a cluster do not all start in the same millisecond. */
const AT_A_TIME = 25;
const BETWEEN_MS = 10;

/** Between looks at what all have, ms. */
const POLL_MS = 10;

/** When nothing more comes for so long, all has come, ms: longer than any turn that an injector in order has. */
const SILENCE_MS = 1_500;

/** Sidecars, by their place in the list of their pods. */
export class Crowd {
  readonly #way: Way;
  readonly #speech: Speech;
  readonly #pods: readonly SidecarPod[];
  readonly #members: Member[] = [];
  /** When each had its last table, ms since the epoch. */
  readonly #servedAtMs: number[];
  #frames: HeardFrame[] = [];
  #isClosed = false;

  constructor(way: Way, speech: Speech, pods: readonly SidecarPod[]) {
    this.#way = way;
    this.#speech = speech;
    this.#pods = pods;
    this.#servedAtMs = pods.map(() => 0);
  }

  /** Begins all connections. */
  async connect(): Promise<void> {
    for (const [place, pod] of this.#pods.entries()) {
      if (this.#isClosed) return;
      this.#members.push(
        new Member(this.#way, this.#speech, pod, (revision, bytes) => this.#heard(place, revision, bytes)),
      );
      if (place % AT_A_TIME === AT_A_TIME - 1) await sleep(BETWEEN_MS);
    }
  }

  /**
   * Each asks about addresses, once.
   * @param addresses of a sidecar, by its place
   * @returns from the question until the answer had been read, ms, ascending; empty where the schema has no such question
   * @throws Error
   */
  async meet(
    addresses: (place: number) => readonly string[],
    patienceMs: number,
  ): Promise<readonly number[]> {
    const { meet } = this.#speech;
    if (meet === undefined) return [];
    const askedAtMs = nowMs();
    for (const [place, member] of this.#members.entries()) member.ask(meet(addresses(place)));
    const endMs = performance.now() + patienceMs;
    for (;;) {
      const left = this.#members.filter(({ metAtMs }) => metAtMs < askedAtMs).length;
      if (left === 0) break;
      if (performance.now() > endMs)
        throw new Error(`${left} of ${this.#members.length} sidecars had no answer within ${patienceMs} ms`);
      await sleep(POLL_MS);
    }
    return this.#members.map(({ metAtMs }) => metAtMs - askedAtMs).sort((a, b) => a - b);
  }

  /** Connections that were made again. */
  get reconnects(): number {
    return this.#members.reduce((sum, member) => sum + member.connects - 1, 0);
  }

  /** Connections that were begun, and those of them that came to a hello. */
  get tries(): { readonly begun: number; readonly made: number } {
    const made = this.#members.reduce((sum, member) => sum + member.connects, 0);
    return { begun: this.#members.reduce((sum, member) => sum + member.tries, 0), made };
  }

  /** What was read since the last call, in order. */
  takeFrames(): readonly HeardFrame[] {
    const frames = this.#frames;
    this.#frames = [];
    return frames;
  }

  /** What was read since the last `takeFrames`. */
  get frames(): readonly HeardFrame[] {
    return this.#frames;
  }

  /** Waits until all have read a table since `sinceMs`. @returns when the last one had, ms since the epoch @throws Error */
  async allServed(sinceMs: number, patienceMs: number): Promise<number> {
    const endMs = performance.now() + patienceMs;
    for (;;) {
      const left = this.#servedAtMs.filter((atMs) => atMs <= sinceMs).length;
      if (left === 0) return Math.max(...this.#servedAtMs);
      if (performance.now() > endMs)
        throw new Error(`${left} of ${this.#pods.length} sidecars had no table within ${patienceMs} ms`);
      await sleep(POLL_MS);
    }
  }

  /** Waits until all have read something since `sinceMs`, and then nothing more comes. @throws Error */
  async allQuiet(sinceMs: number, patienceMs: number): Promise<void> {
    const endMs = performance.now() + patienceMs;
    for (;;) {
      const lastMs = await this.allServed(sinceMs, Math.max(0, endMs - performance.now()));
      if (nowMs() - lastMs > SILENCE_MS) return;
      if (performance.now() > endMs) throw new Error(`frames still come after ${patienceMs} ms`);
      await sleep(POLL_MS);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const member of this.#members) member.close();
  }

  #heard(member: number, revision: number, bytes: number): void {
    const atMs = nowMs();
    this.#servedAtMs[member] = atMs;
    this.#frames.push({ member, revision, bytes, atMs });
  }
}

/** ms since the epoch, finer than `Date.now`, and the same in all processes of the machine. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

class Member {
  readonly #way: Way;
  readonly #speech: Speech;
  readonly #pod: SidecarPod;
  readonly #heard: (revision: number, bytes: number) => void;
  readonly #backoff = new Backoff(RECONNECT);
  readonly #connectMs = new Backoff(CONNECT);
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** It has had a table: one that comes back says so. */
  #holds = false;
  tries = 0;
  connects = 0;
  /** When it last had an answer to `ask`, ms since the epoch. */
  metAtMs = Number.NEGATIVE_INFINITY;

  constructor(way: Way, speech: Speech, pod: SidecarPod, heard: (revision: number, bytes: number) => void) {
    this.#way = way;
    this.#speech = speech;
    this.#pod = pod;
    this.#heard = heard;
    this.#connect();
  }

  ask(question: object): void {
    if (this.#socket !== undefined) send(this.#socket, question);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #connect(): void {
    const { socket, ready, hello } = dial(this.#way, this.#pod);
    this.#socket = socket;
    this.tries += 1;
    const late = setTimeout(() => socket.destroy(), this.#connectMs.next());
    const heads = new FrameHeads((head, bytes) => this.#onFrame(socket, head, bytes));
    socket.on(ready, () => {
      clearTimeout(late);
      this.connects += 1;
      send(socket, this.#speech.hello(hello, this.#holds));
    });
    socket.on('data', (chunk: Buffer) => heads.push(chunk));
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => {
      clearTimeout(late);
      if (!this.#isClosed) this.#timer = setTimeout(() => this.#connect(), this.#backoff.next());
    });
  }

  #onFrame(socket: Socket, head: string, bytes: number): void {
    const { type, revision } = readHead(head);
    if (type === 'met') this.metAtMs = nowMs();
    if (!this.#speech.tables.has(type)) return;
    this.#backoff.reset();
    this.#connectMs.reset();
    this.#holds = true;
    for (const answer of this.#speech.answers(type, revision)) send(socket, answer);
    this.#heard(revision, bytes);
  }
}

function send(socket: Socket, frame: object): void {
  if (socket.writable) socket.write(`${JSON.stringify(frame)}\n`);
}
