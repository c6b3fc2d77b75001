/** How one checkout's figures compare with another's; pure. */
import type { Metric } from '../figures/figure.ts';
import { quantile } from '../statistics.ts';
import { number, ratio } from './format.ts';
import { metricOf, type Results } from './results.ts';

/** A figure may be so much worse before it is called so. */
const TOLERATED = 0.03;

/** One metric of both checkouts. */
export interface Compared {
  readonly metric: Metric;
  /** Medians of the rounds. */
  readonly before: number;
  readonly after: number;
  /** Of the ratios after/before of each round: the median, and the middle half. */
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
  /** `unclear`: the median is worse than tolerated, and the middle half of the rounds is not all on that side of 1. */
  readonly verdict: 'same' | 'better' | 'worse' | 'unclear';
}

/**
 * Compares metric by metric. The nth runs of both were made one after the other, and are compared with each other, so
 * that what drifts on the machine meets both.
 * @param path the path that is looked at
 */
export function compareRounds(
  before: readonly Pick<Results, 'figures'>[],
  after: readonly Pick<Results, 'figures'>[],
  path: string,
): readonly Compared[] {
  const metrics = after[0]?.figures.flatMap((figure) => figure.metrics) ?? [];
  return metrics.flatMap((metric) => {
    const rounds = before.flatMap((results, round) => {
      const [old, now] = [results, after[round]].map(
        (one) => one && metricOf(one, metric.id)?.paths[path]?.median,
      );
      return old === undefined || now === undefined ? [] : [{ old, now, ratio: now / old }];
    });
    if (rounds.length === 0) return [];
    const [low = 1, middle = 1, high = 1] = [0.25, 0.5, 0.75].map((share) =>
      quantile(sorted(rounds.map((round) => round.ratio)), share),
    );
    return [
      {
        metric,
        before: quantile(sorted(rounds.map(({ old }) => old)), 0.5),
        after: quantile(sorted(rounds.map(({ now }) => now)), 0.5),
        ratio: middle,
        low,
        high,
        verdict: verdictOn(metric, { low, middle, high }),
      },
    ];
  });
}

/** A table for people, a line for each metric. */
export function describeComparison(compared: readonly Compared[]): string {
  const rows = compared.map(({ metric, before, after, ratio: middle, low, high, verdict }) => [
    metric.id,
    `${number(before)} -> ${number(after)} ${metric.unit}`,
    `${ratio(middle)} (${ratio(low)} to ${ratio(high)})`,
    verdict === 'same' ? '' : verdict,
  ]);
  const head = ['metric', 'before -> after', 'ratio (middle half)', `beyond ${TOLERATED * 100} %`];
  const table = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  ');
  return `${table.map((row) => line(row).trimEnd()).join('\n')}\n`;
}

function verdictOn(
  { better }: Metric,
  { low, middle, high }: { low: number; middle: number; high: number },
): Compared['verdict'] {
  const [worst, gain] = better === 'less' ? [middle - 1, 1 - middle] : [1 - middle, middle - 1];
  if (Math.max(worst, gain) <= TOLERATED) return 'same';
  if (low < 1 && high > 1) return worst > 0 ? 'unclear' : 'same';
  return worst > 0 ? 'worse' : 'better';
}

function sorted(values: readonly number[]): readonly number[] {
  return values.toSorted((a, b) => a - b);
}
