/** `lab up`: from manifests to a running lab, or to nothing at all. */

import { SluiceError } from '../common/errors.ts';
import type { Cluster } from '../policy/index.ts';
import { canonicalAddress } from '../policy/index.ts';
import { clusterOf, deriveEndpoints } from '../sources/index.ts';
import { tearDown } from './down.ts';
import { checkLabName, hasFolder, type LabPaths, labPaths } from './names/index.ts';
import {
  applyPlan,
  DEFAULT_EXTERNAL_ADDRESSES,
  existingNamespaces,
  layOut,
  planNetwork,
  routersOf,
  serveServices,
  type Topology,
} from './network/index.ts';
import {
  checkAnnotations,
  checkPorts,
  completeForLab,
  putObjects,
  readForLab,
  warnOfPods,
} from './objects/index.ts';
import { bringUpInjector, bringUpPods, checkSettings } from './pods/index.ts';
import { checkPrerequisites } from './processes/index.ts';
import { checkOwnLab, createFolders, lockLab, tryReadState, writeState } from './state/index.ts';

/** What to bring up. */
export interface UpOptions {
  readonly name: string;
  /** Files and directories of manifests. */
  readonly paths: readonly string[];
  /** The namespace of objects that do not say theirs; default `default`. */
  readonly namespace?: string | undefined;
  /** Addresses of `outside`; absent: `DEFAULT_EXTERNAL_ADDRESSES`. */
  readonly external?: readonly string[] | undefined;
  /** Environment that every sidecar has in addition. */
  readonly sidecarEnv?: Readonly<Record<string, string>>;
  /**
   * Starts a control plane instead of the lab's own injector. Called when the network is there, before any sidecar
   * starts; what `sidecarEnv` names must be there when it returns, and an injector's status socket at the lab's place.
   */
  readonly controlPlane?: (topology: Topology) => Promise<void>;
  /** Only the network and the injector: nothing runs in the pods, and no rules are in them. */
  readonly bare?: boolean;
  /** Aborting it takes down what was built. */
  readonly signal?: AbortSignal;
  /** Is called with what is being done, a line each. */
  readonly progress?: (line: string) => void;
  /** Is called with warnings about the manifests. */
  readonly warn?: (line: string) => void;
}

/**
 * Brings a lab up; returns when every sidecar has its table in force and every app listens. On any failure what was
 * built is removed again.
 * @throws SluiceError `CONFIG_INVALID`, `LAB_NAME_INVALID`, `LAB_NOT_ROOT`, `LAB_TOOL_MISSING`, `LAB_MANIFESTS_INVALID`, `LAB_EXISTS`,
 *   `LAB_ELSEWHERE`, `LAB_BUSY`, `LAB_PORT_RESERVED`, `LAB_FOLDER_UNUSABLE`, `LAB_INTERRUPTED`, and those of the steps
 */
export async function bringLabUp(options: UpOptions): Promise<void> {
  const name = checkLabName(options.name);
  checkPrerequisites();
  checkSettings(process.env);
  const warn = options.warn ?? (() => undefined);
  const manifests = await readForLab(options.paths, warn, options.namespace);
  const external = options.external?.map(canonicalAddress);
  const { put } = completeForLab(manifests, [], external ?? DEFAULT_EXTERNAL_ADDRESSES, warn);
  warnOfPods(put, warn);
  const objects = [...put, ...deriveEndpoints(put)];
  const cluster = clusterOf(objects);
  const topology = layOut(name, cluster, external);
  checkPorts(topology, options.sidecarEnv ?? {});
  checkAnnotations(topology, objects);
  const paths = labPaths(name);
  const lock = await lockLab(name, 'up', 0);
  try {
    checkNew(name, paths);
    try {
      createFolders(paths);
      writeState(paths, {
        name,
        createdAt: new Date().toISOString(),
        phase: 'starting',
        topology,
        ...(external === undefined ? {} : { external }),
        sidecarEnv: options.sidecarEnv ?? {},
        ...(options.controlPlane === undefined ? {} : { foreignControlPlane: true }),
        processes: {},
      });
      putObjects(paths, objects);
      await build(paths, topology, cluster, options);
      const state = tryReadState(paths);
      if (state === undefined)
        throw new SluiceError('LAB_INTERRUPTED', `${paths.state} has gone while lab ${name} was built`);
      writeState(paths, { ...state, phase: 'up' });
    } catch (error) {
      await tearDown(name);
      throw options.signal?.aborted ? interrupted(name, error) : error;
    }
  } finally {
    await lock.release();
  }
}

async function build(
  paths: LabPaths,
  topology: Topology,
  cluster: Cluster,
  options: UpOptions,
): Promise<void> {
  const progress = options.progress ?? (() => undefined);
  const { signal } = options;
  const injector = bringUpInjector(paths, signal);
  injector.catch(() => undefined); // Awaited below; the network may fail first.
  const counts = `${topology.nodes.length} nodes, ${topology.pods.length} pods`;
  progress(`network: ${counts}, outside ${topology.outside.addresses.join(' ') || 'without an address'}`);
  try {
    await applyPlan(topology.lab, planNetwork(undefined, topology), routersOf(topology));
    await serveServices(paths, topology, cluster);
  } finally {
    await injector.catch(() => undefined); // Nothing may start any more once this function has failed.
  }
  await injector;
  await options.controlPlane?.(topology);
  signal?.throwIfAborted();
  if (options.bare) return;
  let ready = 0;
  await bringUpPods(paths, topology.pods, {
    signal,
    onPod: (pod) => {
      ready += 1;
      progress(`ready ${ready}/${topology.pods.length}: ${pod.key} ${pod.ips.join(' ')}`);
    },
  });
  signal?.throwIfAborted();
}

function checkNew(name: string, paths: LabPaths): void {
  checkOwnLab(name);
  const down = `\`sluice lab down --name ${name}\` removes it`;
  if (tryReadState(paths)?.phase === 'up') {
    throw new SluiceError(
      'LAB_EXISTS',
      `lab ${name} is up already: \`sluice lab apply\` changes it, ${down}`,
    );
  }
  if (hasFolder(paths)) {
    throw new SluiceError('LAB_EXISTS', `lab ${name} is half built, its \`up\` was killed: ${down}`);
  }
  if (existingNamespaces(name).length > 0) {
    throw new SluiceError(
      'LAB_EXISTS',
      `network namespaces of a lab ${name} exist, without a folder ${paths.folder}: ${down}`,
    );
  }
}

function interrupted(name: string, cause: unknown): SluiceError {
  return new SluiceError('LAB_INTERRUPTED', `interrupted: what was built of lab ${name} has been removed`, {
    cause,
  });
}
