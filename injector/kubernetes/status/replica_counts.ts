/** What one replica says of the sidecars that are connected to it. */

/** By UID and generation of a policy, `UID/GENERATION`: how many of the pods that it selects enforce it. */
export interface ReplicaCounts {
  readonly replica: string;
  readonly enforcing: Readonly<Record<string, number>>;
}

/** @throws Error when it has another form */
export function readCounts(value: unknown): ReplicaCounts {
  if (!isRecord(value) || typeof value.replica !== 'string' || !isRecord(value.enforcing))
    throw new Error('no counts of a replica');
  const counts = Object.values(value.enforcing);
  if (!counts.every((count) => Number.isInteger(count) && Number(count) >= 0))
    throw new Error('no whole counts');
  return value as unknown as ReplicaCounts;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
