/** Changes of objects that are in force. */
import type { NamedChange } from '../../flows/index.ts';

/** Changes that are kept of each kind of object, so that pods that come and go do not push out policies. Some 300 bytes each. */
export const MAX_CHANGES = 1_000;

/** What came in force with one revision. */
export interface CommittedChanges {
  readonly revision: number;
  /** Of one object the last; of each kind the last `MAX_CHANGES`. */
  readonly changes: readonly NamedChange[];
}
