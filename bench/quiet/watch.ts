/** Whether others are at work on the machine: before the benchmarks, and during each run. */
import { setTimeout as delay } from 'node:timers/promises';
import { othersShare, readUsage } from './usage.ts';

/** Others may use this share of all processors: what a machine does by itself. Above it the figures are not to be trusted. */
export const QUIET_SHARE = 0.05;

/** How long to look before the benchmarks begin, and how long to wait where the machine is not quiet, in milliseconds. */
const LOOK_MS = 2000;
const WAIT_MS = 30_000;

/** A run, and what others did meanwhile. */
export interface Watched<T> {
  readonly value: T;
  /** Of all processors, 0 to 1. */
  readonly others: number;
}

/** Does something and watches what others do meanwhile. */
export async function watched<T>(run: () => Promise<T>): Promise<Watched<T>> {
  const before = readUsage();
  const value = await run();
  return { value, others: othersShare(before, readUsage()) };
}

/**
 * Looks whether the machine is quiet. Where it is not, warns, waits and looks a second time.
 * @returns the share of all processors that others use, 0 to 1
 */
export async function waitForQuiet(progress: (line: string) => void, signal: AbortSignal): Promise<number> {
  const look = async () => (await watched(async () => await delay(LOOK_MS, undefined, { signal }))).others;
  const first = await look();
  if (first <= QUIET_SHARE) return first;
  progress(`warning: ${busy(first)}; a second look in ${WAIT_MS / 1000} seconds`);
  await delay(WAIT_MS, undefined, { signal });
  const second = await look();
  if (second > QUIET_SHARE)
    progress(`warning: ${busy(second)}; the benchmarks begin, and the page will say so`);
  return second;
}

function busy(share: number): string {
  return `the machine is not quiet: others use ${Math.round(share * 100)} % of its processors`;
}
