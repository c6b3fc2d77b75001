/** The JSON document that a run prints: what was measured, the ratios, and the targets. */
import { type Ratio, ratioOf } from '../statistics.ts';
import type { MeasuredMetric, Results } from './results.ts';
import { type Judged, judge } from './targets.ts';

/** Paths that others are compared with, where they were measured. */
export const REFERENCES: readonly string[] = ['direct', 'haproxy-splice', 'envoy', 'policies-0'];

/** Ratios of one metric: reference, then path. */
export type Ratios = Readonly<Record<string, Readonly<Record<string, Ratio>>>>;

/** What is printed. */
export interface BenchDocument extends Results {
  /** By metric. */
  readonly ratios: Readonly<Record<string, Ratios>>;
  readonly targets: readonly Judged[];
}

/** Adds ratios and targets to results. */
export function documentOf(results: Results): BenchDocument {
  const metrics = results.figures.flatMap((figure) => figure.metrics);
  return {
    ...results,
    ratios: Object.fromEntries(metrics.map((metric) => [metric.id, ratiosOf(metric)])),
    targets: judge(results),
  };
}

/** How the paths of a metric compare with each reference that it was measured on. */
export function ratiosOf(metric: MeasuredMetric): Ratios {
  return Object.fromEntries(
    REFERENCES.flatMap((reference) => {
      const to = metric.paths[reference];
      if (to === undefined) return [];
      const ratios = Object.entries(metric.paths).map(([name, summary]) => [name, ratioOf(summary, to)]);
      return [[reference, Object.fromEntries(ratios)]];
    }),
  );
}

/** Results, or a document, as text: numbers have as many digits as mean something. */
export function printed(document: object): string {
  const round = (_key: string, value: unknown): unknown =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
  return `${JSON.stringify(document, round, 2)}\n`;
}
