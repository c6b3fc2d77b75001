/** How costs grow, measured so that a busy machine does not decide. */

/** Rounds; the best counts, as what else the machine does only adds. */
const ROUNDS = 5;

/** Below this a clock says little. Milliseconds. */
const LEAST_MS = 1;

/**
 * For eight times as much: n log n is 11, n squared 64. Between them there is room for caches that are too small and for
 * the collector.
 */
export const N_LOG_N_GROWTH = 30;

/** How many times the processor's time the second takes. What is given to a run is made before it, for each run its own. */
export function growth<T>(small: () => T, large: () => T, run: (given: T) => unknown): number {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < ROUNDS; round += 1) {
    least = Math.min(least, usedMs(small(), run));
    most = Math.min(most, usedMs(large(), run));
  }
  return most / Math.max(least, LEAST_MS);
}

function usedMs<T>(given: T, run: (given: T) => unknown): number {
  const from = process.cpuUsage();
  run(given);
  const { user, system } = process.cpuUsage(from);
  return (user + system) / 1_000;
}
