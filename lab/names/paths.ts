/** Where a lab keeps what: one folder for each lab. */

import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { codeOf, messageOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import { fileSlug } from './names.ts';

/** Where labs live unless SLUICE_LAB_DIR says otherwise; /run is emptied at boot, as namespaces are. */
const DEFAULT_LABS_FOLDER = '/run/sluice/lab';

/** The two processes of a pod. */
export type Role = 'sidecar' | 'app';

/** The paths of a lab's folder. */
export interface LabPaths {
  readonly folder: string;
  readonly state: string;
  /** The lab's "API server": one file per object, watched by the injector. */
  readonly manifests: string;
  readonly logs: string;
  /** The nftables rules by which each node serves Services. */
  readonly services: string;
  /** The flows that the injector has collected. */
  readonly flows: string;
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
    flows: join(folder, 'flows'),
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

/** Whether the lab has a folder, complete or not. */
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
    if (codeOf(cause) === 'ENOENT') return []; // There was never a lab.
    const reason = messageOf(cause);
    throw new SluiceError('LAB_FOLDER_UNUSABLE', `SLUICE_LAB_DIR cannot be read: ${reason}`, { cause });
  }
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
