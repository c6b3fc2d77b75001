/** One attempt of a client to reach a server, in each of the ways that clients have. */

import { setTimeout as delay } from 'node:timers/promises';
import { unreachable } from '../../../common/errors.ts';
import type { Agent } from '../../../lab/agent/agent.ts';
import type { FlowReport, FlowWork } from '../../../lab/agent/protocol.ts';
import { patternSha256 } from '../../../lab/app/pattern.ts';

/** Ways to use a connection; a datagram and its answer is the way of UDP. */
export const WAYS = ['line', 'line', 'line', 'line', 'half-close', 'download', 'reset'] as const;

/** One of them. */
export type Way = (typeof WAYS)[number] | 'datagram';

/** What an attempt is. */
export interface Attempt {
  readonly way: Way;
  readonly address: string;
  readonly port: number;
  /** The client's own, where it has several. */
  readonly localAddress?: string;
  /** After how long without an answer it counts as denied, in milliseconds. */
  readonly patienceMs: number;
  /** Name for its flows at the agent, which has one group of a name. */
  readonly group: string;
}

/** How it went. */
export interface AttemptOutcome {
  readonly allowed: boolean;
  /** Bytes that arrived were not those that were sent. */
  readonly garbled: boolean;
  /** For people. */
  readonly detail: string;
}

/** Enough to go through a pipe: the relay copies what is small. */
const DOWNLOAD_BYTES = 600_000;

/** A few turns of the relay's buffer. */
const UPLOAD_BYTES = 200_000;

/** Makes an attempt. @throws Error when the agent has ended */
export async function attempt(agent: Agent, what: Attempt): Promise<AttemptOutcome> {
  const { way, address, port, patienceMs, localAddress } = what;
  const target = { address, port, ...(localAddress === undefined ? {} : { localAddress }) };
  switch (way) {
    case 'line': {
      const { allowed, error } = await agent.ask({ do: 'connect', ...target, timeoutMs: patienceMs });
      return { allowed, garbled: false, detail: error ?? 'answered' };
    }
    case 'datagram': {
      const { allowed, error } = await agent.ask({ do: 'datagram', ...target, timeoutMs: patienceMs });
      return { allowed, garbled: false, detail: error ?? 'answered' };
    }
    case 'half-close': {
      await openFlow(agent, what, { kind: 'send', bytes: UPLOAD_BYTES });
      const flow = await over(agent, what);
      const whole = flow.answer === `${UPLOAD_BYTES} ${patternSha256(UPLOAD_BYTES)}`;
      return {
        allowed: flow.state === 'ended',
        garbled: flow.state === 'ended' && !whole,
        detail: stateText(flow),
      };
    }
    case 'download': {
      await openFlow(agent, what, { kind: 'receive', bytes: DOWNLOAD_BYTES });
      const flow = await over(agent, what);
      const whole =
        flow.receivedBytes === DOWNLOAD_BYTES && flow.receivedSha256 === patternSha256(DOWNLOAD_BYTES);
      return {
        allowed: flow.state === 'ended',
        garbled: flow.state === 'ended' && !whole,
        detail: stateText(flow),
      };
    }
    case 'reset': {
      const flow = await openFlow(agent, what, { kind: 'hold' });
      if (flow.state === 'open') await agent.ask({ do: 'reset', group: what.group });
      return { allowed: flow.receivedBytes > 0, garbled: false, detail: stateText(flow) };
    }
    default:
      return unreachable(way);
  }
}

/** Opens a flow and waits until it has had its first byte or is over; one that is too slow is destroyed. */
export async function openFlow(
  agent: Agent,
  { group, address, port, localAddress, patienceMs }: Omit<Attempt, 'way'>,
  work: FlowWork,
): Promise<FlowReport> {
  const target = { address, port, ...(localAddress === undefined ? {} : { localAddress }) };
  const opened = agent.ask({ do: 'open', group, count: 1, ...target, work });
  const patience = new AbortController();
  const tooLate = delay(patienceMs, 'late' as const, { signal: patience.signal }).catch(
    () => 'called off' as const,
  );
  const late = (await Promise.race([opened, tooLate])) === 'late';
  patience.abort();
  if (!late) return only(await opened);
  await agent.ask({ do: 'close', group });
  // It may have come to be open in the last moment, and is destroyed all the same.
  return { ...only(await opened), state: 'failed' };
}

/** Waits until a flow is over. */
export async function over(agent: Agent, { group, patienceMs }: Omit<Attempt, 'way'>): Promise<FlowReport> {
  const flow = only(await agent.ask({ do: 'finish', group, timeoutMs: patienceMs }));
  if (flow.overAt === undefined) await agent.ask({ do: 'close', group });
  return flow;
}

/** A flow's end for people. */
export function stateText({ state, error, receivedBytes, sentBytes }: FlowReport): string {
  return `${state}${error === undefined ? '' : ` (${error})`}, ${sentBytes} bytes sent, ${receivedBytes} received`;
}

function only(flows: readonly FlowReport[]): FlowReport {
  const [flow] = flows;
  if (flow === undefined) throw new Error('the agent knows no flow of this group');
  return flow;
}
