/** What one replica says of the sidecars that are connected to it: docs/adr/0019-status-on-the-policy.md */
import { flag, integer, part, record, type TypeOf, text } from '../../../common/shape.ts';
import { readAnswer } from '../replicas/index.ts';

const whole = () => integer(0, Number.MAX_SAFE_INTEGER);

/** The form of the counts. */
export const countsShape = part(
  {
    replica: text(),
    /**
     * By UID and generation of a policy, `UID/GENERATION`: how many of the pods that it selects enforce it. What is not named has
     * the count that it had at `from`, or none where `from` is 0 or absent.
     */
    enforcing: record(whole()),
  },
  {
    /** Names this run of the replica: it counts its changes anew in each. Absent in an answer that is complete. */
    run: text(),
    /** The change that the answer goes on from, and the last one that is in it. */
    from: whole(),
    to: whole(),
    /** Whether there are later changes. */
    more: flag,
  },
);

/** The counts of one replica, or what has changed in them. */
export interface ReplicaCounts extends TypeOf<typeof countsShape> {}

/** How far a replica's counts are known: its run, and its last change that is. */
export interface CountsKnown {
  readonly run: string;
  readonly at: number;
}

/** Nothing is known. */
export const NOTHING_KNOWN: CountsKnown = { run: '', at: 0 };

/** Reads the answer of a replica. @throws Error when it has another form */
export function readCounts(json: string): ReplicaCounts {
  return readAnswer(json, countsShape);
}
