/** Many files, one cluster: each object once, and an object that did not change is the very same one as before. */
import { isDeepStrictEqual } from 'node:util';
import type {
  Cluster,
  EndpointSlice,
  Namespace,
  NetworkPolicy,
  Node,
  Pod,
  Service,
} from '../policy/index.ts';
import { isIsolating, type LoadedObject, type ManifestFile, objectId } from './file.ts';
import type { DocumentObject } from './object.ts';
import type { ManifestProblem } from './problem.ts';

/** A cluster and what it was made from. */
export interface MergedCluster {
  readonly cluster: Cluster;
  readonly objects: readonly LoadedObject[];
  /** Objects that stand in two places. */
  readonly problems: readonly ManifestProblem[];
}

/**
 * Merges files. Of an object in two places the one in force stays, else the first in the order of `files`; a good
 * version always goes before a broken one.
 * @param previous What is in force. Its cluster is returned itself if nothing changed.
 */
export function mergeManifests(files: readonly ManifestFile[], previous?: MergedCluster): MergedCluster {
  const inForce = new Map(previous?.objects.map((object) => [objectId(object), object]));
  const chosen = new Map<string, LoadedObject>();
  const all = files.flatMap((file) => file.objects);
  for (const object of all) {
    const id = objectId(object);
    const rival = chosen.get(id);
    if (rival === undefined || isBetter(object, rival, inForce.get(id))) chosen.set(id, object);
  }
  const problems = all.flatMap((object) => {
    const winner = chosen.get(objectId(object));
    return winner === undefined || winner === object || isIsolating(object)
      ? []
      : [duplicate(object, winner)];
  });
  const objects = [...chosen.values()];
  return { cluster: reuseParts(clusterOf(objects), previous?.cluster), objects, problems };
}

function isBetter(object: LoadedObject, rival: LoadedObject, inForce: LoadedObject | undefined): boolean {
  if (isIsolating(object) !== isIsolating(rival)) return isIsolating(rival);
  return object.file === inForce?.file && rival.file !== inForce.file;
}

function duplicate(object: LoadedObject, winner: LoadedObject): ManifestProblem {
  const same = isDeepStrictEqual(object.object, winner.object);
  const where = `${winner.file}, document ${winner.document}`;
  return {
    file: object.file,
    document: object.document,
    object: objectId(object),
    message: same
      ? `is also in ${where}, in the same words; remove one of them`
      : `is also in ${where}, which stays in force; remove one of them`,
    severity: same ? 'warning' : 'error',
  };
}

/** The cluster that objects make up; of two with the same key the later one counts. */
export function clusterOf(objects: readonly DocumentObject[]): Cluster {
  const namespaces = new Map<string, Namespace>();
  const pods = new Map<string, Pod>();
  const policies = new Map<string, NetworkPolicy>();
  const nodes = new Map<string, Node>();
  const services = new Map<string, Service>();
  const endpointSlices = new Map<string, EndpointSlice>();
  for (const loaded of objects) {
    switch (loaded.kind) {
      case 'NetworkPolicy':
        policies.set(loaded.key, loaded.object);
        break;
      case 'Pod':
        pods.set(loaded.key, loaded.object);
        break;
      case 'Namespace':
        namespaces.set(loaded.key, loaded.object);
        break;
      case 'Node':
        nodes.set(loaded.key, loaded.object);
        break;
      case 'Service':
        services.set(loaded.key, loaded.object);
        break;
      case 'EndpointSlice':
        endpointSlices.set(loaded.key, loaded.object);
        break;
    }
  }
  return { namespaces, pods, policies, nodes, services, endpointSlices };
}

/** Keeps what is equal from before; the cluster itself if all of it is. */
function reuseParts(next: Cluster, previous: Cluster | undefined): Cluster {
  if (previous === undefined) return next;
  const cluster: Cluster = {
    namespaces: reuse(next.namespaces, previous.namespaces),
    pods: reuse(next.pods, previous.pods),
    policies: reuse(next.policies, previous.policies),
    nodes: reuse(next.nodes, previous.nodes),
    services: reuse(next.services, previous.services),
    endpointSlices: reuse(next.endpointSlices, previous.endpointSlices),
  };
  const unchanged =
    cluster.namespaces === previous.namespaces &&
    cluster.pods === previous.pods &&
    cluster.policies === previous.policies &&
    cluster.nodes === previous.nodes &&
    cluster.services === previous.services &&
    cluster.endpointSlices === previous.endpointSlices;
  return unchanged ? previous : cluster;
}

/** Keeps what is equal from before: objects one by one, and the map itself if all are. */
function reuse<T>(next: ReadonlyMap<string, T>, previous: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  let changed = next.size !== previous.size;
  const kept = new Map<string, T>();
  for (const [key, value] of next) {
    const before = previous.get(key);
    const same = before !== undefined && (before === value || isDeepStrictEqual(before, value));
    kept.set(key, same ? before : value);
    changed ||= !same;
  }
  return changed ? kept : previous;
}
