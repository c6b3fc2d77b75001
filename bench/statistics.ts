/** What is said of several runs: the median, and the least and the most of all. */

/** Runs of one figure on one path. */
export interface Summary {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  /** In the order they were made. */
  readonly runs: readonly number[];
}

/** @throws RangeError without runs */
export function summarize(runs: readonly number[]): Summary {
  const sorted = runs.toSorted((a, b) => a - b);
  return { median: quantile(sorted, 0.5), least: quantile(sorted, 0), most: quantile(sorted, 1), runs };
}

/**
 * A quantile between the two nearest values, linearly.
 * @param sorted ascending, not empty
 * @param share 0 to 1
 * @throws RangeError when there is no value
 */
export function quantile(sorted: readonly number[], share: number): number {
  const position = (sorted.length - 1) * share;
  const lower = sorted[Math.floor(position)];
  const upper = sorted[Math.ceil(position)];
  if (lower === undefined || upper === undefined) throw new RangeError('no values to take a quantile of');
  return lower + (upper - lower) * (position - Math.floor(position));
}

/** A ratio of medians, with the least and the most of the runs' own ratios. */
export interface Ratio {
  readonly ratio: number;
  readonly least: number;
  readonly most: number;
}

/** How two paths compare. Runs of the same round were made one after the other, and are compared with each other. */
export function ratioOf(of: Summary, to: Summary): Ratio {
  const pairs = of.runs.flatMap((run, round) => {
    const other = to.runs[round];
    return other === undefined ? [] : [run / other];
  });
  const { least, most } = summarize(pairs);
  return { ratio: of.median / to.median, least, most };
}
