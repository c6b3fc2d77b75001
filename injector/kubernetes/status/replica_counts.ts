/** What one replica says of the sidecars that are connected to it. */
import { integer, part, record, type TypeOf, text } from '../../../common/shape.ts';
import { readAnswer } from '../replicas/index.ts';

/** The form of the counts. */
export const countsShape = part({
  replica: text(),
  /** By UID and generation of a policy, `UID/GENERATION`: how many of the pods that it selects enforce it. */
  enforcing: record(integer(0, Number.MAX_SAFE_INTEGER)),
});

/** The counts of one replica. */
export interface ReplicaCounts extends TypeOf<typeof countsShape> {}

/** Reads the answer of a replica. @throws Error when it has another form */
export function readCounts(json: string): ReplicaCounts {
  return readAnswer(json, countsShape);
}
