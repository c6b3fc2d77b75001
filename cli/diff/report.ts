/** What is reported of a comparison, in each format. */
import type { Comparison, GroupChange } from './compare.ts';
import type { Reason } from './reasons.ts';
import type { Row } from './rows.ts';

/** All that a report says. */
export interface Report {
  /** What was compared, for people. */
  readonly before: string;
  readonly after: string;
  readonly comparison: Comparison;
  readonly rows: readonly Row[];
  reasonsOf(change: GroupChange): readonly Reason[];
  /** What is not known, a sentence each. */
  readonly notes: readonly string[];
}
