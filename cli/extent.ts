/** How much of a cluster was read. */
import type { LintInput } from '../lint/index.ts';
import type { Input } from './input/index.ts';

/** Every cluster has several namespaces: where one only was read, the user may not read the others. */
export function extentOf({ origin, manifests }: Input): LintInput['extent'] {
  if (origin.kind !== 'cluster') return 'files';
  return manifests.cluster.namespaces.size > 1 ? 'cluster' : 'namespaces';
}
