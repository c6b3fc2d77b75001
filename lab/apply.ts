/** `lab apply` and `lab delete`: objects come, change and go; pods with them; dead processes come back. */

import { isDeepStrictEqual } from 'node:util';
import type { DocumentObject } from '../sources/index.ts';
import {
  clusterOf,
  deriveEndpoints,
  isDerived,
  isIsolating,
  objectId,
  readManifests,
} from '../sources/index.ts';
import { LOCK_WAIT_MS } from './down.ts';
import { type LabPaths, labPaths } from './names/index.ts';
import {
  applyPlan,
  type LabPod,
  layOut,
  planNetwork,
  removeServedRules,
  routersOf,
  serveServices,
  type Topology,
} from './network/index.ts';
import { checkAnnotations, checkPorts, putObjects, removeObjects } from './objects/index.ts';
import {
  askInjector,
  bringUpInjector,
  bringUpPods,
  revisionsOf,
  START_TIMEOUT_MS,
  servedPorts,
  waitEnforced,
} from './pods/index.ts';
import { checkRoot, findProcesses, isAlive, killProcesses } from './processes/index.ts';
import {
  checkOwnLab,
  type LabState,
  lockLab,
  readState,
  removeSidecarState,
  writeState,
} from './state/index.ts';

/** What happened to one object. */
export interface ObjectChange {
  /** Such as `NetworkPolicy shop/api`. */
  readonly object: string;
  readonly action: 'created' | 'configured' | 'unchanged' | 'deleted' | 'absent';
}

/** What `apply` and `delete` did. */
export interface ApplyResult {
  readonly changes: readonly ObjectChange[];
  /** Keys of pods of which a process was started. */
  readonly started: readonly string[];
  /** How many pods' tables changed. */
  readonly tablesChanged: number;
  /** When the objects were put in place: wall clock, milliseconds with fractions. */
  readonly appliedAt: number;
  /** From putting the objects in place until every sidecar had its table in force, in milliseconds. */
  readonly enforcedAfterMs: number;
}

/** Objects to put in place or to take out; both may be empty: dead processes are started again. */
export interface LabChange {
  readonly put: readonly DocumentObject[];
  readonly remove: readonly Pick<DocumentObject, 'kind' | 'key'>[];
}

/**
 * Changes a lab's objects and returns when every sidecar enforces the outcome.
 * @throws SluiceError `LAB_NOT_FOUND`, `LAB_ELSEWHERE`, `LAB_BUSY`, `LAB_NOT_ENFORCED`, and those of `layOut`,
 *   `checkPorts` and `checkAnnotations`, before which nothing changes
 */
export async function changeLab(name: string, change: LabChange): Promise<ApplyResult> {
  checkRoot();
  const lock = await lockLab(name, 'apply', LOCK_WAIT_MS);
  try {
    return await changeLocked(name, change);
  } finally {
    await lock.release();
  }
}

async function changeLocked(name: string, change: LabChange): Promise<ApplyResult> {
  const paths = labPaths(name);
  const old = readState(name);
  checkOwnLab(name);
  const before = await readManifests([paths.manifests]);
  const objects = new Map<string, DocumentObject>(before.objects.map((object) => [objectId(object), object]));
  const changes = [
    ...change.put.map((object) => put(objects, object)),
    ...change.remove.map((object) => remove(objects, object)),
  ];
  const derived = changeDerived(objects);
  const after = clusterOf([...objects.values()]);
  const topology = layOut(name, after, old.external, old.topology);
  checkPorts(topology, old.sidecarEnv);
  checkAnnotations(topology, [...objects.values()]);

  await bringUpInjector(paths);
  const oldRevisions = revisionsOf(await askInjector(paths.statusSocket));
  await moveNetwork(paths, readState(name), topology);
  await serveServices(paths, topology, after);

  const startedAt = performance.now();
  putObjects(paths, [...change.put, ...derived.put]);
  // Derived endpoints that somebody takes out are derived again: they stay.
  const gone = [...change.remove, ...derived.remove].filter((object) => !objects.has(objectId(object)));
  removeObjects(paths, gone);
  const { processes } = readState(name);
  const report = await waitEnforced({
    socketPath: paths.statusSocket,
    // Those that do not run are started next, and waited for there.
    pods: subjects(topology).filter((key) => isAlive(processes[key]?.sidecar)),
    timeoutMs: START_TIMEOUT_MS,
  });
  const enforcedAfterMs = performance.now() - startedAt;
  const tablesChanged = [...revisionsOf(report)].filter(
    ([key, revision]) => oldRevisions.get(key) !== revision,
  );
  const started = await bringUpPods(paths, topology.pods);
  return {
    changes,
    started: started.map((pod) => pod.key),
    tablesChanged: tablesChanged.length,
    appliedAt: performance.timeOrigin + startedAt,
    enforcedAfterMs,
  };
}

/** Ends the processes of pods that go or move, changes the network, and records the new topology. */
async function moveNetwork(paths: LabPaths, state: LabState, topology: Topology): Promise<void> {
  const plan = planNetwork(state.topology, topology);
  const gone = plan.removeNamespaces;
  const doomed = gone.length === 0 ? [] : findProcesses(state.name, gone, false);
  const next = new Map(topology.pods.map((pod) => [pod.key, pod]));
  const processes: Record<string, LabState['processes'][string]> = {};
  for (const pod of state.topology.pods) {
    const { app, sidecar } = state.processes[pod.key] ?? {};
    const successor = next.get(pod.key);
    const keepsApp = successor !== undefined && sameApp(pod, successor);
    if (!keepsApp && app !== undefined) doomed.push(app);
    if (successor === undefined) continue;
    processes[pod.key] = {
      ...(sidecar === undefined ? {} : { sidecar }),
      ...(keepsApp && app !== undefined ? { app } : {}),
    };
  }
  await killProcesses(doomed);
  for (const { name, netns } of state.topology.nodes)
    if (gone.includes(netns)) removeServedRules(paths, name);
  for (const pod of state.topology.pods) {
    // When a pod goes, or starts again at another address, what its sidecar kept goes too.
    if (gone.includes(pod.netns)) removeSidecarState(paths, pod.key);
  }
  writeState(paths, { ...state, topology, processes });
  await applyPlan(state.name, plan, routersOf(topology));
}

function sameApp(a: LabPod, b: LabPod): boolean {
  return a.netns === b.netns && servedPorts(a).join() === servedPorts(b).join();
}

function subjects(topology: Topology): string[] {
  return topology.pods.filter((pod) => !pod.hostNetwork).map((pod) => pod.key);
}

/** Brings the derived endpoints among objects up to date; returns what is to be done to the store for it. */
function changeDerived(objects: Map<string, DocumentObject>): LabChange {
  const next = deriveEndpoints([...objects.values()]);
  const nextIds = new Set(next.map(objectId));
  const gone = [...objects.values()].filter((object) => isDerived(object) && !nextIds.has(objectId(object)));
  for (const object of gone) objects.delete(objectId(object));
  const changed = next.filter((object) => !isDeepStrictEqual(objects.get(objectId(object))?.raw, object.raw));
  for (const object of next) objects.set(objectId(object), object);
  return { put: changed, remove: gone };
}

function put(objects: Map<string, DocumentObject>, object: DocumentObject): ObjectChange {
  const id = objectId(object);
  const known = objects.get(id);
  objects.set(id, object);
  if (known === undefined) return { object: id, action: 'created' };
  const same = isDeepStrictEqual(known.raw, object.raw) && !isIsolating(known);
  return { object: id, action: same ? 'unchanged' : 'configured' };
}

function remove(
  objects: Map<string, DocumentObject>,
  object: Pick<DocumentObject, 'kind' | 'key'>,
): ObjectChange {
  const id = objectId(object);
  return { object: id, action: objects.delete(id) ? 'deleted' : 'absent' };
}
