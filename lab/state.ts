/** What a lab remembers, in one folder: its topology and processes, its manifests, sockets and logs. */

import {
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { SluiceError } from '../common/errors.ts';
import { makeFolder } from './make_folder.ts';
import { fileSlug } from './names.ts';
import type { ProcessId } from './processes.ts';
import type { Topology } from './topology.ts';

/** Where labs live unless SLUICE_LAB_DIR says otherwise; /run is emptied at boot, as namespaces are. */
const DEFAULT_LABS_FOLDER = '/run/sluice/lab';

/** The two processes of a pod. */
export type Role = 'sidecar' | 'app';

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

/** The paths of a lab's folder. */
export interface LabPaths {
  readonly folder: string;
  readonly state: string;
  /** The lab's "API server": one file per object, watched by the injector. */
  readonly manifests: string;
  readonly logs: string;
  /** The nftables rules by which each node serves Services. */
  readonly services: string;
  readonly injectorSocket: string;
  readonly statusSocket: string;
}

/** Where a lab keeps what. */
export function labPaths(name: string): LabPaths {
  const folder = join(labsFolder(), name);
  return {
    folder,
    state: join(folder, 'state.json'),
    manifests: join(folder, 'manifests'),
    logs: join(folder, 'logs'),
    services: join(folder, 'services'),
    injectorSocket: join(folder, 'injector.sock'),
    statusSocket: join(folder, 'status.sock'),
  };
}

/** The log of the injector. */
export function injectorLog(paths: LabPaths): string {
  return join(paths.logs, 'injector.log');
}

/** The log of a pod's sidecar or app. */
export function processLog(paths: LabPaths, podKey: string, role: Role): string {
  return join(paths.logs, `${fileSlug(podKey)}.${role}.log`);
}

/** The folder in which a pod's sidecar keeps its last table. */
export function sidecarStateFolder(paths: LabPaths, podKey: string): string {
  return join(paths.folder, 'sidecars', fileSlug(podKey));
}

/** Removes what a pod's sidecar kept. */
export function removeSidecarState(paths: LabPaths, podKey: string): void {
  rmSync(sidecarStateFolder(paths, podKey), { recursive: true, force: true });
}

/** The rules that a node was last given to serve Services by; undefined: none yet. */
export function readServedRules(paths: LabPaths, node: string): string | undefined {
  try {
    return readFileSync(servedRulesFile(paths, node), 'utf8');
  } catch {
    return undefined;
  }
}

/** Remembers the rules that a node serves Services by. */
export function writeServedRules(paths: LabPaths, node: string, rules: string): void {
  writeFileSync(servedRulesFile(paths, node), rules, { mode: 0o600 });
}

/** Forgets the rules of a node that is gone. */
export function removeServedRules(paths: LabPaths, node: string): void {
  rmSync(servedRulesFile(paths, node), { force: true });
}

/** Makes the folders of a new lab. @throws SluiceError `LAB_FOLDER_UNUSABLE` */
export function createFolders(paths: LabPaths): void {
  for (const folder of [paths.folder, paths.manifests, paths.logs, paths.services]) makeFolder(folder);
}

/** Removes a lab's folder. */
export function removeFolders(paths: LabPaths): void {
  rmSync(paths.folder, { recursive: true, force: true });
}

/** Whether the lab has a folder, in whatever state. */
export function hasFolder(paths: LabPaths): boolean {
  return existsSync(paths.folder);
}

/** Names of all labs that have a folder. @throws SluiceError `LAB_FOLDER_UNUSABLE` */
export function labNames(): string[] {
  const folder = labsFolder();
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .sort();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []; // There was never a lab.
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SluiceError('LAB_FOLDER_UNUSABLE', `SLUICE_LAB_DIR cannot be read: ${reason}`, { cause });
  }
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

/** Absolute and without links where it exists, so that one folder always has one name. */
function labsFolder(): string {
  const folder = resolve(process.env.SLUICE_LAB_DIR || DEFAULT_LABS_FOLDER);
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}

function servedRulesFile(paths: LabPaths, node: string): string {
  return join(paths.services, `${fileSlug(node)}.nft`);
}
