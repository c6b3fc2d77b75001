/** What a run of `npm run bench -- scale` found. */
import type { Machine } from '../report/machine.ts';
import type { Summary } from '../statistics.ts';
import type { RowMetric } from './row.ts';

/** One run. */
export interface ScaleResults {
  /** RFC 3339. */
  readonly startedAt: string;
  readonly seconds: number;
  readonly scale: 'full' | 'quick';
  readonly machine: Machine;
  readonly rows: readonly MeasuredRow[];
}

/** A row that was tried. */
export interface MeasuredRow {
  readonly name: string;
  readonly title: string;
  readonly method: string;
  readonly seconds: number;
  /** Runs that measured. */
  readonly rounds: number;
  /** Why other runs did not. */
  readonly failures: readonly string[];
  readonly metrics: readonly MeasuredRowMetric[];
}

/** A value over all rounds; no summary where no round had it. */
export interface MeasuredRowMetric extends RowMetric {
  readonly summary?: Summary;
}

/** Whether a value is as wanted, by its median; undefined where nothing is wanted, or nothing was measured. */
export function isReached({ wanted, summary }: MeasuredRowMetric): boolean | undefined {
  return wanted === undefined || summary === undefined ? undefined : summary.median <= wanted;
}

/** Rows that no round measured. */
export function unmeasured(results: ScaleResults): readonly MeasuredRow[] {
  return results.rows.filter(({ rounds }) => rounds === 0);
}
