/** How long a process keeps its event loop, and how long others keep it from the processor. Linux, proc(5). */
import { readFileSync } from 'node:fs';

const US_PER_MS = 1000;
const NS_PER_MS = 1e6;

/** Between looks, ms. Timers are looked at once in each turn, so that no turn is missed. */
const LOOK_MS = 1;

/** Watches the turns of this process's event loop, from its making to the process's end. */
export class Turns {
  #longestMs = 0;
  #beforeMs = usedMs();

  constructor() {
    setInterval(() => this.#look(), LOOK_MS).unref();
  }

  /** Processor time of the longest turn since the last call, ms. What other processes take does not count. */
  takeLongestMs(): number {
    this.#look();
    const longestMs = this.#longestMs;
    this.#longestMs = 0;
    return longestMs;
  }

  #look(): void {
    const nowMs = usedMs();
    this.#longestMs = Math.max(this.#longestMs, nowMs - this.#beforeMs);
    this.#beforeMs = nowMs;
  }
}

/** How long the main thread was ready to run and others had the processor, ms. Source: the kernel's sched-stats.rst, in ns. */
export function waitedMs(): number {
  const [, waitedNs] = readFileSync('/proc/self/schedstat', 'utf8').split(' ');
  return Number(waitedNs) / NS_PER_MS;
}

function usedMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / US_PER_MS;
}
