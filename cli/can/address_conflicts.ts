/** Pods that claim one address: an answer about it may not be about the pod that was meant. */

import { addressOwners, isSubject } from '../../policy/index.ts';
import { describeProblem, type LoadedObject, type Manifests } from '../../sources/index.ts';

/** A line for each live pod whose address counts as another's. See `addressOwners` for whose it is. */
export function describeAddressConflicts({ cluster, objects }: Manifests): readonly string[] {
  const owners = addressOwners(cluster);
  return objects.flatMap((loaded) => conflictsOf(loaded, owners));
}

function conflictsOf(loaded: LoadedObject, owners: ReturnType<typeof addressOwners>): readonly string[] {
  if (loaded.kind !== 'Pod' || !isSubject(loaded.object)) return [];
  const { file, document, key, object: pod } = loaded;
  return pod.ips.flatMap((ip) => {
    const owner = owners.get(ip);
    if (owner === undefined || owner === pod) return [];
    const other = `${owner.namespace}/${owner.name}`;
    const message = `claims ${ip}, as ${other} does; the address counts as that of ${other}`;
    return [describeProblem({ file, document, object: `Pod ${key}`, message, severity: 'warning' })];
  });
}
