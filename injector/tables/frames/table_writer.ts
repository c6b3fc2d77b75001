/** How tables and their changes are put into bytes: one writer for each schema that sidecars speak. */
import type { Steps } from '../../../common/steps.ts';
import type { PartName, Table } from '../../../policy/index.ts';
import type { FrameBytes } from './frame_bytes.ts';

/**
 * Makes frames with tables, in steps. What a frame shares with others is kept, so that frames that are given up halfway, or made at the
 * same time, cost no part twice.
 */
export interface TableWriter {
  /** A frame with the whole table. */
  snapshot(table: Table): Steps<FrameBytes>;
  /** A frame with what leads from one table to a later one; undefined: they say the same. */
  change(before: Table, after: Table): Steps<FrameBytes | undefined>;
  /** A frame with the table in outline, for a sidecar that holds a table. Absent: the schema has none. */
  outline?(table: Table, isWhole?: (name: PartName) => boolean): Steps<FrameBytes>;
}
