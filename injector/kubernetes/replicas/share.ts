/** How many sidecars each replica should carry. Nothing assigns them: a connection goes to any replica, and one with too many asks some to try again. */

/** A replica that carries up to this much of the mean keeps all: chance alone spreads 300 sidecars over three replicas this far. */
const MOST_OF_MEAN = 1.2;

/** Below this many above the mean nothing moves: of few sidecars chance puts more here or there, and few do no harm. */
const LEAST_EXCESS = 20;

/** Bounds; tests lower them. */
export interface ShareBounds {
  /** Default 20. */
  readonly leastExcess?: number;
}

/**
 * How many sidecars a replica lets go. One that has begun to lets them go down to the mean.
 * @param own what it carries
 * @param others what the other replicas carry that take connections
 */
export function excessOf(
  own: number,
  others: readonly number[],
  hasBegun: boolean,
  { leastExcess = LEAST_EXCESS }: ShareBounds = {},
): number {
  const mean = (own + others.reduce((sum, carried) => sum + carried, 0)) / (others.length + 1);
  const excess = Math.floor(own - mean);
  if (hasBegun) return Math.max(0, excess);
  return excess >= leastExcess && own > MOST_OF_MEAN * mean ? excess : 0;
}
