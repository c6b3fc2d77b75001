/** The soak's load: attempts at a steady pace, each compared with the oracle, and flows that are held for a while. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Agent } from '../../../lab/agent/agent.ts';
import { wallClockMs } from '../../netns/harness.ts';
import type { ObviousFlow } from '../../unit/policy/obvious.ts';
import { type Attempt, attempt, openFlow, over, stateText, WAYS } from './attempts.ts';
import { rightVerdicts } from './oracle.ts';
import type { Timeline } from './timeline.ts';
import { CLIENTS, type End, pick, SERVER_PORTS, type ServerPort } from './world.ts';

/** Attempts a second; each is one connection, or one datagram. A change comes every six of them. */
const ATTEMPTS_PER_SECOND = 60;

/** Attempts at once: one that a change denies after it was to be allowed waits for its answer until `ANSWER_MS`. */
const WORKERS = 120;

/** Flows held at once. */
const HOLDERS = 12;

/** How long a flow is held at least, and how much longer at most, in milliseconds. */
const HELD_MS = 200;
const HELD_MORE_MS = 2_000;

/** What a held flow does. */
const ECHO = { kind: 'echo', chunkBytes: 500, intervalMs: 100 } as const;

/** An answer that has to come: the machine may be busy. In milliseconds. */
const ANSWER_MS = 10_000;

/** Silence for this long is a denial, in milliseconds: in a lab an answer takes a few. */
const SILENCE_MS = 250;

/**
 * From the sidecar's reset to the client's taking note of it, in milliseconds: the client's process and this one share
 * the processors with all the others. How fast a cut is, other tests say.
 */
const NOTICE_MS = 1_000;

/** What the load counts. */
export interface Counts {
  /** Attempts whose verdict was compared, and of these the ones that only one verdict was right for. */
  judged: number;
  certain: number;
  allowed: number;
  /** Held flows that a change cut, and that were held to their end. */
  cut: number;
  held: number;
}

/** Runs load until it is stopped. What is wrong goes to `found`. */
export class Load {
  readonly counts: Counts = { judged: 0, certain: 0, allowed: 0, cut: 0, held: 0 };
  readonly #timeline: Timeline;
  readonly #agent: (target: string) => Agent;
  readonly #found: (finding: string) => void;
  readonly #flows = new Set<HeldFlow>();
  readonly #random: () => number;

  constructor(
    timeline: Timeline,
    agent: (target: string) => Agent,
    random: () => number,
    found: (finding: string) => void,
  ) {
    this.#timeline = timeline;
    this.#agent = agent;
    this.#random = random;
    this.#found = found;
  }

  /** Runs until the signal is aborted; returns when nothing is under way any more. */
  async run(signal: AbortSignal): Promise<void> {
    const startedMs = wallClockMs();
    let begun = 0;
    const worker = async (index: number): Promise<void> => {
      while (!signal.aborted) {
        const dueMs = startedMs + (begun * 1000) / ATTEMPTS_PER_SECOND;
        begun += 1;
        await pause(dueMs - wallClockMs(), signal);
        if (!signal.aborted) await this.#try(`attempt-${index}`);
      }
    };
    const holder = async (index: number): Promise<void> => {
      while (!signal.aborted) await this.#hold(`held-${index}`, signal);
    };
    await Promise.all([
      ...Array.from({ length: WORKERS }, (_, index) => worker(index)),
      ...Array.from({ length: HOLDERS }, (_, index) => holder(index)),
    ]);
  }

  /** Something has just been found to be in force: held flows that it denies have to be over. */
  changed(atMs: number): void {
    for (const flow of this.#flows) {
      if (flow.deniedMs === undefined && !this.#right(flow.flow, atMs, atMs).allow) flow.deniedMs = atMs;
    }
  }

  async #try(group: string): Promise<void> {
    const { client, to, flow } = this.#pickFlow(SERVER_PORTS);
    const startedMs = wallClockMs();
    const what: Attempt = {
      ...this.#target(client, to, flow, group, startedMs),
      way: to.protocol === 'UDP' ? 'datagram' : pick(WAYS, this.#random),
    };
    const { allowed, garbled, detail } = await attempt(this.#agent(client.target), what);
    if (garbled) this.#found(`${named(flow)} (${what.way}): bytes were lost or changed: ${detail}`);
    this.#judge(flow, startedMs, allowed, `${what.way}: ${detail}`);
  }

  async #hold(group: string, signal: AbortSignal): Promise<void> {
    const { client, to, flow } = this.#pickFlow(SERVER_PORTS.filter(({ protocol }) => protocol === 'TCP'));
    const agent = this.#agent(client.target);
    const startedMs = wallClockMs();
    const what = this.#target(client, to, flow, group, startedMs);
    const held: HeldFlow = { flow, deniedMs: undefined };
    this.#flows.add(held);
    try {
      const opened = await openFlow(agent, what, ECHO);
      this.#judge(flow, startedMs, opened.receivedBytes > 0, `held: ${stateText(opened)}`);
      if (opened.state !== 'open') return await pause(HELD_MS, signal);
      held.deniedMs = undefined; // What came before is in the judgement of its beginning.
      await pause(HELD_MS + this.#random() * HELD_MORE_MS, signal);
      // One that a change has denied is given the time to end by itself.
      if (held.deniedMs !== undefined)
        await delay(Math.max(0, held.deniedMs + NOTICE_MS + 1 - wallClockMs()));
      const finishedMs = wallClockMs();
      const end = await over(agent, { ...what, patienceMs: ANSWER_MS });
      this.#judgeEnd(held, end, finishedMs);
    } finally {
      this.#flows.delete(held);
    }
  }

  #judge(flow: ObviousFlow, fromMs: number, allowed: boolean, detail: string): void {
    const right = this.#right(flow, fromMs, wallClockMs());
    this.counts.judged += 1;
    if (!right.allow || !right.deny) this.counts.certain += 1;
    if (allowed) this.counts.allowed += 1;
    if (allowed ? right.allow : right.deny) return;
    this.#found(`${named(flow)} was ${allowed ? 'allowed' : 'denied'}, wrongly; ${detail}`);
  }

  #judgeEnd(held: HeldFlow, end: Awaited<ReturnType<typeof over>>, finishedMs: number): void {
    const name = `held ${named(held.flow)}`;
    const overMs = end.overAt;
    const deadlineMs = (held.deniedMs ?? Number.POSITIVE_INFINITY) + NOTICE_MS;
    if (overMs === undefined) return this.#found(`${name} did not end: ${stateText(end)}`);
    if (end.state === 'ended') {
      this.counts.held += 1;
      if (finishedMs > deadlineMs)
        this.#found(`${name} outlived its denial by ${ms(finishedMs - deadlineMs + NOTICE_MS)}`);
      if (end.receivedBytes !== end.sentBytes || end.receivedSha256 !== end.sentSha256)
        this.#found(`${name}: bytes were lost or changed: ${stateText(end)}`);
      return;
    }
    this.counts.cut += 1;
    if (overMs > deadlineMs)
      this.#found(`${name} was cut ${ms(overMs - deadlineMs + NOTICE_MS)} after its denial`);
    if (!this.#right(held.flow, overMs - NOTICE_MS, overMs).deny)
      this.#found(`${name} was cut, though no change denied it: ${stateText(end)}`);
  }

  #right(flow: ObviousFlow, fromMs: number, toMs: number) {
    return rightVerdicts(this.#timeline, flow, { fromMs, toMs });
  }

  #pickFlow(ports: readonly ServerPort[]): { client: End; to: ServerPort; flow: ObviousFlow } {
    const client = pick(CLIENTS, this.#random);
    const to = pick(ports, this.#random);
    const family = this.#random() < 0.5 ? 0 : 1;
    const flow = {
      source: client.ips[family],
      destination: to.server.ips[family],
      protocol: to.protocol,
      port: to.port,
    };
    return { client, to, flow };
  }

  #target(
    client: End,
    { port }: ServerPort,
    flow: ObviousFlow,
    group: string,
    nowMs: number,
  ): Omit<Attempt, 'way'> {
    const { deny } = this.#right(flow, nowMs, nowMs);
    return {
      group: `${group} ${client.target}`,
      address: flow.destination,
      port,
      patienceMs: deny ? SILENCE_MS : ANSWER_MS,
      // A node of the lab has several addresses of a family outside of it, a pod has one.
      ...(client.target === 'outside' ? { localAddress: flow.source } : {}),
    };
  }
}

/** A flow that is held. */
interface HeldFlow {
  readonly flow: ObviousFlow;
  /** When it was first known that every sidecar denies it. */
  deniedMs: number | undefined;
}

async function pause(forMs: number, signal: AbortSignal): Promise<void> {
  if (forMs <= 0) return;
  await delay(forMs, undefined, { signal }).catch(() => undefined);
}

function named({ source, destination, protocol, port }: ObviousFlow): string {
  return `${source} to ${destination} ${protocol}/${port}`;
}

function ms(value: number): string {
  return `${value.toFixed()} ms`;
}
