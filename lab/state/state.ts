/** What a lab remembers: its topology, its processes, its settings. Kept in `state.json` of its folder. */

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { SluiceError } from '../../common/errors.ts';
import {
  hasFolder,
  type LabPaths,
  labNames,
  labPaths,
  makeFolder,
  type Role,
  sidecarStateFolder,
} from '../names/index.ts';
import type { Topology } from '../network/index.ts';
import type { ProcessId } from '../processes/index.ts';

/** state.json of a lab. */
export interface LabState {
  readonly name: string;
  /** RFC 3339. */
  readonly createdAt: string;
  /** `starting` while `up` works; it stays so when `up` is killed. */
  readonly phase: 'starting' | 'up';
  readonly topology: Topology;
  /** What `--external` said; absent: the default addresses. */
  readonly external?: readonly string[];
  /** Environment that every sidecar has in addition; `{pod}` in a value stands for the pod's file name. */
  readonly sidecarEnv: Readonly<Record<string, string>>;
  /** Somebody else runs the control plane. */
  readonly foreignControlPlane?: true;
  readonly injector?: ProcessId;
  /** By pod key. */
  readonly processes: Readonly<Record<string, Readonly<Partial<Record<Role, ProcessId>>>>>;
}

/** Removes what a pod's sidecar kept. */
export function removeSidecarState(paths: LabPaths, podKey: string): void {
  rmSync(sidecarStateFolder(paths, podKey), { recursive: true, force: true });
}

/** Makes the folders of a new lab. @throws SluiceError `LAB_FOLDER_UNUSABLE` */
export function createFolders(paths: LabPaths): void {
  for (const folder of [paths.folder, paths.manifests, paths.logs, paths.services]) makeFolder(folder);
}

/** Removes a lab's folder. */
export function removeFolders(paths: LabPaths): void {
  rmSync(paths.folder, { recursive: true, force: true });
}

/** The state, or undefined when there is none to be read. */
export function tryReadState(paths: LabPaths): LabState | undefined {
  try {
    return JSON.parse(readFileSync(paths.state, 'utf8')) as LabState;
  } catch {
    return undefined;
  }
}

/**
 * The state of a lab that is up.
 * @throws SluiceError `LAB_NOT_FOUND`
 */
export function readState(name: string): LabState {
  const paths = labPaths(name);
  const state = tryReadState(paths);
  if (state?.phase === 'up') return state;
  if (state !== undefined || hasFolder(paths)) {
    throw new SluiceError(
      'LAB_NOT_FOUND',
      `lab ${name} is not up: its \`up\` has not ended, or was killed; \`sluice lab down --name ${name}\` removes it`,
    );
  }
  const others = labNames();
  const hint = others.length === 0 ? 'no lab is up' : `there is ${others.join(', ')}`;
  throw new SluiceError(
    'LAB_NOT_FOUND',
    `there is no lab ${name} (${hint}): make it with \`sluice lab up -f DIR --name ${name}\``,
  );
}

/** Replaces the state; a reader sees the old or the new one, never a half. */
export function writeState(paths: LabPaths, state: LabState): void {
  const draft = `${paths.state}.new`;
  writeFileSync(draft, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(draft, paths.state);
}

/** Records that a pod's process is now this one. */
export function recordProcess(paths: LabPaths, podKey: string, role: Role, id: ProcessId): void {
  const state = tryReadState(paths);
  if (state === undefined) return;
  const own = { ...state.processes[podKey], [role]: id };
  writeState(paths, { ...state, processes: { ...state.processes, [podKey]: own } });
}
