/** The results of one run of the benchmarks: what is printed, and what the page is made from. */
import type { Metric } from '../figures/figure.ts';
import type { Quiet } from '../quiet/second_tries.ts';
import type { Summary } from '../statistics.ts';
import type { Machine } from './machine.ts';

/** One run of the benchmarks. */
export interface Results {
  /** RFC 3339. */
  readonly startedAt: string;
  readonly seconds: number;
  readonly scale: 'full' | 'quick';
  readonly rounds: number;
  /** What the sidecar ran from. */
  readonly sidecar: 'bundle' | 'source';
  /** The path that the targets are about: Sluice with its default relay. */
  readonly subject: string;
  /** Flows that "all flows" means. */
  readonly maxFlows: number;
  /** Whether HAProxy and Envoy had Sluice's gate before them; absent in runs of before they had. */
  readonly gateBeforePeers?: boolean;
  readonly machine: Machine;
  /** Labels by the name of the path, in the order they are shown. */
  readonly paths: Readonly<Record<string, string>>;
  readonly figures: readonly Measured[];
  /** Figures that could not be measured, and why. */
  readonly failed: Readonly<Record<string, string>>;
}

/** A figure that was measured. */
export interface Measured {
  readonly name: string;
  readonly title: string;
  readonly method: string;
  /** How long all its runs took. */
  readonly seconds: number;
  readonly rounds: number;
  /** Runs that failed and were made again, and why. */
  readonly failures: readonly string[];
  /** What others did on the machine meanwhile. Absent in runs of before it was noted. */
  readonly quiet?: Quiet;
  readonly metrics: readonly MeasuredMetric[];
}

/** One of its values, by path. */
export interface MeasuredMetric extends Metric {
  readonly paths: Readonly<Record<string, Summary>>;
}

/** The metric of this id; undefined where its figure was not measured. */
export function metricOf(results: Pick<Results, 'figures'>, id: string): MeasuredMetric | undefined {
  return results.figures.flatMap((figure) => figure.metrics).find((metric) => metric.id === id);
}
