/** When resets arrive at a client: its kernel's count of sockets, looked at again and again. proc_pid_net(5). */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** How often to look, in milliseconds: what the times are exact to. */
const LOOK_MS = 2;

/** How many TCP sockets there were. */
export interface SocketCount {
  /** By `performance.now`. */
  readonly atMs: number;
  readonly sockets: number;
}

/** TCP sockets in the network namespace of a process; one that was reset is not among them, whether or not its program has noticed. */
export function countSockets(pid: number): SocketCount {
  const text = readFileSync(`/proc/${pid}/net/sockstat`, 'latin1');
  const sockets = Number(/^TCP: inuse (\d+)/m.exec(text)?.[1] ?? Number.NaN);
  if (Number.isNaN(sockets)) throw new Error(`no TCP sockets in: ${text.slice(0, 600)}`);
  return { atMs: performance.now(), sockets };
}

/**
 * When each of the flows of a process' namespace was gone, in the order they went, by `performance.now`.
 * @param flows that were open, and to which nothing is added
 * @returns fewer than `flows` when the others outlive `patienceMs`
 */
export async function resetsOf(
  pid: number,
  flows: number,
  patienceMs: number,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const { sockets } = countSockets(pid);
  const giveUpAt = performance.now() + patienceMs;
  const times: number[] = [];
  while (times.length < flows && performance.now() < giveUpAt) {
    await delay(LOOK_MS, undefined, { signal });
    noteGone(times, sockets, countSockets(pid));
  }
  return times.slice(0, flows);
}

/** Notes the time for each socket that this look is the first not to find. @param sockets how many there were at first */
export function noteGone(times: number[], sockets: number, now: SocketCount): void {
  while (times.length < sockets - now.sockets) times.push(now.atMs);
}
