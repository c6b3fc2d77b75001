/** A row of the table of the control plane's limits: what is measured, by which script, and what is wanted. */

/** One value of a row. */
export interface RowMetric {
  /** As the script names it. */
  readonly id: string;
  readonly title: string;
  readonly unit: 'ms' | 's' | 'MiB' | 'MB/s' | '%' | '1/s' | '';
  /** It may be as much; absent: it is shown so that the others can be understood. */
  readonly wanted?: number;
}

/** One row. */
export interface Row {
  readonly name: string;
  readonly title: string;
  /** How it is measured, in sentences. */
  readonly method: string;
  /** Path of its script from bench/. */
  readonly script: string;
  /** Arguments of the script for small sizes; a full run has none. Default `--quick`. */
  readonly quick?: readonly string[];
  readonly full?: readonly string[];
  /** Exit codes with which the script has measured; default 0 alone. */
  readonly measuredCodes?: readonly number[];
  /** Whether the script takes `--schema`. */
  readonly takesSchema?: boolean;
  readonly metrics: readonly RowMetric[];
  /** Finds the values, by metric, in what the script prints; default: `values`, or the document itself. */
  read?(document: unknown): Readonly<Record<string, unknown>>;
}
