/** What a lab remembers: its topology, its processes, its settings. Kept in `state.json` of its folder. */

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { SluiceError } from '../../common/errors.ts';
import { flag, integer, list, object, objectFor, oneOf, record, text } from '../../common/shape.ts';
import { containerPort } from '../../policy/index.ts';
import {
  hasFolder,
  type LabPaths,
  labNames,
  labPaths,
  makeFolder,
  type Role,
  sidecarStateFolder,
} from '../names/index.ts';
import type { LabNode, LabPod, Topology } from '../network/index.ts';
import type { ProcessId } from '../processes/index.ts';
import { checkOwnLab } from './ownership.ts';

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
  readonly processes: Readonly<Record<string, PodProcesses>>;
}

/** Those of one pod that run, or did. */
type PodProcesses = Readonly<Partial<Record<Role, ProcessId>>>;

const anyText = text();
const texts = list(anyText);

const processId = objectFor<ProcessId>({ pid: integer(1, Number.MAX_SAFE_INTEGER), startTime: anyText }, {});

/** The form of state.json: what `LabState` and its parts gain does not compile here until it is checked. */
const labState = objectFor<LabState>(
  {
    name: anyText,
    createdAt: anyText,
    phase: oneOf('starting', 'up'),
    topology: objectFor<Topology>(
      {
        lab: anyText,
        nodes: list(
          objectFor<LabNode>({ name: anyText, index: integer(1, 253), netns: anyText, addresses: texts }, {}),
        ),
        pods: list(
          objectFor<LabPod>(
            {
              key: anyText,
              namespace: anyText,
              name: anyText,
              netns: anyText,
              node: anyText,
              ips: texts,
              ports: list(containerPort),
              hostNetwork: flag,
            },
            {},
          ),
        ),
        outside: object({ netns: anyText, addresses: texts }),
      },
      {},
    ),
    sidecarEnv: record(anyText),
    processes: record(objectFor<PodProcesses>({}, { sidecar: processId, app: processId })),
  },
  { external: texts, foreignControlPlane: oneOf(true), injector: processId },
);

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

/**
 * The state, or undefined when there is none.
 * @throws SluiceError `LAB_STATE_INVALID`
 */
export function currentState(paths: LabPaths): LabState | undefined {
  let json: string;
  try {
    json = readFileSync(paths.state, 'utf8');
  } catch {
    return undefined;
  }
  return labState.readJson(json, 'the state', (problem, cause) => {
    const advice = `was the lab made by another version of Sluice? \`sluice lab down --name ${basename(paths.folder)}\` removes it`;
    return new SluiceError('LAB_STATE_INVALID', `${paths.state}: ${problem}: ${advice}`, { cause });
  });
}

/** The state, or undefined when there is none to be read. */
export function tryReadState(paths: LabPaths): LabState | undefined {
  try {
    return currentState(paths);
  } catch {
    return undefined;
  }
}

/**
 * The state of a lab that is up.
 * @throws SluiceError `LAB_NOT_FOUND`, `LAB_STATE_INVALID`, `LAB_ELSEWHERE`
 */
export function readState(name: string): LabState {
  const paths = labPaths(name);
  const state = currentState(paths);
  if (state?.phase === 'up') return state;
  if (state !== undefined || hasFolder(paths)) {
    throw new SluiceError(
      'LAB_NOT_FOUND',
      `lab ${name} is not up: its \`up\` has not ended, or was killed; \`sluice lab down --name ${name}\` removes it`,
    );
  }
  checkOwnLab(name);
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
  const state = currentState(paths);
  if (state === undefined) return;
  const own = { ...state.processes[podKey], [role]: id };
  writeState(paths, { ...state, processes: { ...state.processes, [podKey]: own } });
}
