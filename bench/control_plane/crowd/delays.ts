/** When sidecars heard of changes, by revisions alone; pure. */

/** A frame that a sidecar has read. */
export interface HeardFrame {
  /** The sidecar's place in its crowd. */
  readonly member: number;
  readonly revision: number;
  readonly bytes: number;
  /** ms since the epoch. */
  readonly atMs: number;
}

/** A change of the cluster. */
export interface MadeChange {
  /** Index of the namespace of which all sidecars hear of it. */
  readonly namespace: number;
  /** The injector's revision when it was made: frames that have it are newer. */
  readonly revision: number;
  /** ms since the epoch. */
  readonly atMs: number;
}

/** How long changes took, and how many never came. */
export interface Delays {
  /** From each change until each sidecar concerned had read of it, ms, ascending. */
  readonly ms: readonly number[];
  /** Changes that a sidecar has not heard of. */
  readonly missed: number;
}

/**
 * A sidecar has heard of a change with the first frame whose revision is above the one that the change was made at: frames are
 * sent in the order of their revisions.
 * @param changes in the order in which they were made
 * @param frames in the order in which they were read
 * @param namespaces by member: index of its namespace; undefined: it is not asked
 */
export function delaysOf(
  changes: readonly MadeChange[],
  frames: readonly HeardFrame[],
  namespaces: readonly (number | undefined)[],
): Delays {
  const concerning = Map.groupBy(changes, (change) => change.namespace);
  const byMember = Map.groupBy(frames, (frame) => frame.member);
  const ms: number[] = [];
  let missed = 0;
  for (const [member, namespace] of namespaces.entries()) {
    if (namespace === undefined) continue;
    const due = concerning.get(namespace) ?? [];
    let next = 0;
    for (const { revision, atMs } of byMember.get(member) ?? []) {
      for (let change = due[next]; change !== undefined && change.revision < revision; change = due[next]) {
        ms.push(atMs - change.atMs);
        next += 1;
      }
    }
    missed += due.length - next;
  }
  return { ms: ms.sort((a, b) => a - b), missed };
}

/** From `sinceMs` until each sidecar had read its last frame, ms, ascending. */
export function lastFrames(frames: readonly HeardFrame[], sinceMs: number): readonly number[] {
  const last = new Map(frames.map(({ member, atMs }) => [member, atMs - sinceMs]));
  return [...last.values()].sort((a, b) => a - b);
}
