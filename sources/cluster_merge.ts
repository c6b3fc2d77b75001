/** Many files, one cluster: each object once, and an object that did not change is the very same one as before. */
import { isDeepStrictEqual } from 'node:util';
import { CLUSTER_KINDS, type Cluster, type ClusterObjects, KINDS, LiveCluster } from '../policy/index.ts';
import { isIsolating, type LoadedObject, type ManifestFile, objectId } from './files/index.ts';
import type { DocumentObject } from './objects/index.ts';
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
export function clusterOf(objects: readonly DocumentObject[]): LiveCluster {
  const cluster = new LiveCluster();
  for (const object of objects) cluster.apply(object);
  return cluster;
}

const PARTS = CLUSTER_KINDS.map((kind) => KINDS[kind].part);

type Parts = { [Part in keyof ClusterObjects]: ReadonlyMap<string, ClusterObjects[Part]> };
type ChangeableParts = { readonly [Part in keyof ClusterObjects]: Map<string, ClusterObjects[Part]> };

/** Takes what is equal from before: single objects, the map of a part if all in it is, the cluster if all parts are. */
function reuseParts(next: ChangeableParts, previous: Cluster | undefined): Cluster {
  if (previous === undefined) return next;
  const kept: Parts = { ...next };
  for (const part of PARTS) reusePart(kept, next, previous, part);
  return PARTS.every((part) => kept[part] === previous[part]) ? previous : kept;
}

function reusePart<Part extends keyof ClusterObjects>(
  kept: Parts,
  next: ChangeableParts,
  previous: Parts,
  part: Part,
): void {
  if (reuseObjects(next[part], previous[part])) kept[part] = previous[part];
}

/** @returns whether all objects are as before, and no object is gone */
function reuseObjects<T>(next: Map<string, T>, previous: ReadonlyMap<string, T>): boolean {
  let same = next.size === previous.size;
  for (const [key, value] of next) {
    const before = previous.get(key);
    if (before !== undefined && (before === value || isDeepStrictEqual(before, value))) next.set(key, before);
    else same = false;
  }
  return same;
}
