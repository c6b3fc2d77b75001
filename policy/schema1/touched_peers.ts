/** Which peers a change of a table can concern. */
import type { TableDeltaV1 } from './table.ts';

/**
 * The addresses whose verdict or owner a delta may change; undefined: any address. It may name too many, never too few: only
 * where nothing but members of groups and their pods changes is the answer a list.
 */
export function touchedPeers(delta: TableDeltaV1): ReadonlySet<string> | undefined {
  const { subject, ingress, egress, namespaces, services, groups = {}, pods = {} } = delta;
  if (subject ?? ingress ?? egress ?? namespaces ?? services) return undefined;
  const touched = new Set(Object.keys(pods));
  for (const change of Object.values(groups)) {
    if (change.kind !== 'members') return undefined;
    for (const address of [...change.added, ...change.removed]) touched.add(address);
  }
  return touched;
}
