/** A table without what it shares with others: its own pod, its rules, and which groups they need. */

import type { Subject } from '../table/index.ts';
import type { TableRules } from './table_rules.ts';

/** Ids of groups, as tables share them: the same list is the same object. */
export type GroupList = readonly string[];

/** With the groups' members and the cluster's Services it is the table. */
export interface TableShape extends TableRules {
  readonly subject: Subject;
  /** A pod that egress policy isolates has the cluster's Services in its table. */
  readonly hasServices: boolean;
}
