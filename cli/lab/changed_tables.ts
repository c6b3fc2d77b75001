/** Which pods' tables a change of objects changes: whose sidecars have to report something new. */

import { createCompiler, diffTables } from '../../policy/index.ts';
import type { Cluster, Pod } from '../../policy/model.ts';

/** Keys of pods that have a table before and after, and not the same one. */
export function changedTables(before: Cluster, after: Cluster): ReadonlySet<string> {
  const compileBefore = createCompiler(before);
  const compileAfter = createCompiler(after);
  const changed = new Set<string>();
  for (const [key, pod] of after.pods) {
    const old = before.pods.get(key);
    if (old === undefined || !hasTable(old) || !hasTable(pod)) continue;
    if (diffTables(compileBefore.compile(key, 0), compileAfter.compile(key, 1)) !== undefined)
      changed.add(key);
  }
  return changed;
}

function hasTable(pod: Pod): boolean {
  return !pod.hostNetwork && pod.ips.length > 0 && pod.phase !== 'Succeeded' && pod.phase !== 'Failed';
}
