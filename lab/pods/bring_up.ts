/** Makes every pod of a lab run and be protected: what `up` does at first, and `apply` for what is new or has died. */

import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { SluiceError } from '../../common/errors.ts';
import { injectorLog, type LabPaths, processLog } from '../names/index.ts';
import type { LabPod } from '../network/index.ts';
import { isAlive, lastLines, type ProcessId } from '../processes/index.ts';
import { currentState, type LabState, recordProcess, writeState } from '../state/index.ts';
import { askInjector, waitEnforced } from './injector_client.ts';
import { applyRedirect, startAppProcess, startInjector, startSidecarProcess } from './pod_processes.ts';

/** How long an injector or a sidecar may take to be at work, in milliseconds: a busy small machine is slow. */
export const START_TIMEOUT_MS = 30_000;

/** How often to look for the injector's first answer, in milliseconds. */
const POLL_MS = 10;

/** Pods brought up at a time, for each core: a start is mostly CPU, with some waiting. */
const PODS_PER_CORE = 2;

/** How bringing up goes on. */
export interface BringUpOptions {
  readonly signal?: AbortSignal | undefined;
  /** Is called with each pod as it becomes ready. */
  readonly onPod?: (pod: LabPod) => void;
}

/** Starts the injector unless it runs, or is somebody else's. Returns whether it was started. */
export async function bringUpInjector(paths: LabPaths, signal?: AbortSignal): Promise<boolean> {
  const state = requireState(paths);
  if (state.foreignControlPlane || isAlive(state.injector)) return false;
  const injector = await startInjector(paths, state);
  writeState(paths, { ...requireState(paths), injector });
  const giveUpAt = Date.now() + START_TIMEOUT_MS;
  while ((await askInjector(paths.statusSocket)) === undefined) {
    signal?.throwIfAborted();
    if (!isAlive(injector) || Date.now() > giveUpAt) {
      throw new SluiceError(
        'LAB_PROCESS_FAILED',
        `the injector did not start: ${lastLines(injectorLog(paths))}`,
      );
    }
    await delay(POLL_MS);
  }
  return true;
}

/**
 * Starts what does not run: redirect and sidecar first, then, once the pod's table is in force, its app.
 * Returns the pods of which something was started.
 * @throws SluiceError `LAB_PROCESS_FAILED`, `LAB_NOT_ENFORCED`
 */
export async function bringUpPods(
  paths: LabPaths,
  pods: readonly LabPod[],
  options: BringUpOptions = {},
): Promise<LabPod[]> {
  const queue = [...pods];
  const started: LabPod[] = [];
  const worker = async (): Promise<void> => {
    for (let pod = queue.shift(); pod !== undefined; pod = queue.shift()) {
      options.signal?.throwIfAborted();
      if (await bringUpPod(paths, pod, options.signal)) started.push(pod);
      options.onPod?.(pod);
    }
  };
  const workers = Math.min(pods.length, PODS_PER_CORE * availableParallelism());
  const outcomes = await Promise.allSettled(Array.from({ length: workers }, worker));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  return started;
}

async function bringUpPod(paths: LabPaths, pod: LabPod, signal?: AbortSignal): Promise<boolean> {
  const state = requireState(paths);
  const known = state.processes[pod.key];
  let started = false;
  if (!pod.hostNetwork && !isAlive(known?.sidecar)) {
    await applyRedirect(paths, state, pod);
    const sidecar = await startSidecarProcess(paths, state, pod);
    recordProcess(paths, pod.key, 'sidecar', sidecar);
    await waitEnforced({
      socketPath: paths.statusSocket,
      pods: [pod.key],
      timeoutMs: START_TIMEOUT_MS,
      signal,
      hopeless: () => whyDead(paths, pod, sidecar),
    });
    started = true;
  }
  if (!isAlive(known?.app)) {
    const app = await startAppProcess(paths, state, pod);
    if (app !== undefined) recordProcess(paths, pod.key, 'app', app);
    started ||= app !== undefined;
  }
  return started;
}

function whyDead(paths: LabPaths, pod: LabPod, sidecar: ProcessId): string | undefined {
  if (isAlive(sidecar)) return undefined;
  return `the sidecar of ${pod.key} has ended: ${lastLines(processLog(paths, pod.key, 'sidecar'))}`;
}

function requireState(paths: LabPaths): LabState {
  const state = currentState(paths);
  if (state === undefined)
    throw new SluiceError('LAB_NOT_FOUND', `${paths.state} has gone while it was in use`);
  return state;
}
