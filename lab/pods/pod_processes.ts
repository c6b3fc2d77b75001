/** Starts the processes of a lab: the injector, and for each pod the redirect, the sidecar and the app. */

import { join } from 'node:path';
import { SIDECAR_NODE_ENV, SIDECAR_NODE_FLAGS } from '../../common/contract.ts';
import { SluiceError } from '../../common/errors.ts';
import { environmentOf, readOptions } from '../../common/options.ts';
import { LARGE_GROUP_OPTION, POLICY_LIMIT_OPTIONS } from '../../sources/index.ts';
import { APP_SERVER } from '../app/index.ts';
import {
  fileSlug,
  injectorLog,
  type LabPaths,
  makeFolder,
  processLog,
  sidecarStateFolder,
} from '../names/index.ts';
import type { LabPod } from '../network/index.ts';
import { annotatedEnvironment } from '../objects/index.ts';
import { lastLines, type ProcessId, startProcess } from '../processes/index.ts';
import type { LabState } from '../state/index.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Variations of a sidecar's start; tests use them. */
export interface SidecarOptions {
  /** Added to the environment of the lab's sidecars. */
  readonly env?: Readonly<Record<string, string>>;
  /** Put before the command line, such as `prlimit --nofile=64`. */
  readonly wrapper?: readonly string[];
  /** What Node runs; default the sources, `sidecar/main.ts`. */
  readonly main?: string;
}

/** The sidecar's entry in the sources. */
const SIDECAR_MAIN = join(ROOT, 'sidecar/main.ts');

/**
 * The command line of one of our programs. Apps of a lab are root and see its processes, as containers may that share them:
 * no signal opens Node's inspector. The environment of a lab's processes has no NODE_OPTIONS.
 */
function program(script: string, ...args: readonly string[]): readonly string[] {
  return [process.execPath, '--disable-sigusr1', script, ...args];
}

/** The same for the sidecar and the redirect step, which run as injection has them run. */
function sidecarProgram(script: string, ...args: readonly string[]): readonly string[] {
  return [process.execPath, ...SIDECAR_NODE_FLAGS, script, ...args];
}

/** Those of this process that its injector has as well: the bounds on policies, as the manifests were checked with them. */
const HANDED_ON = [...POLICY_LIMIT_OPTIONS, LARGE_GROUP_OPTION];

/**
 * Checks those, before anything is made.
 * @throws SluiceError `CONFIG_INVALID` naming the variable with the wrong value
 */
export function checkSettings(env: Readonly<Record<string, string | undefined>>): void {
  readOptions(HANDED_ON, [], env);
}

/** Starts the injector. It is at work when its status socket answers. */
export async function startInjector(paths: LabPaths, state: LabState): Promise<ProcessId> {
  const main = join(ROOT, 'injector/main.ts');
  const sockets = ['--socket', paths.injectorSocket, '--status-socket', paths.statusSocket];
  const { id } = await startProcess({
    lab: state.name,
    argv: program(main, '--dir', paths.manifests, ...sockets, '--flows-dir', paths.flows),
    env: environmentOf(HANDED_ON, process.env),
    logFile: injectorLog(paths),
  });
  return id;
}

/**
 * Puts a pod's redirect rules in force, as its init container does. Running it again changes nothing.
 * @param main what Node runs, as `SidecarOptions.main`
 * @throws SluiceError `LAB_PROCESS_FAILED`
 */
export async function applyRedirect(
  paths: LabPaths,
  state: LabState,
  pod: LabPod,
  main = SIDECAR_MAIN,
): Promise<void> {
  const logFile = processLog(paths, pod.key, 'sidecar');
  const { ended } = await startProcess({
    lab: state.name,
    netns: pod.netns,
    argv: sidecarProgram(main, 'redirect', 'apply'),
    env: sidecarEnvironment(paths, state, pod),
    logFile,
    awaited: true,
  });
  const outcome = await ended;
  if (outcome === 0) return;
  throw new SluiceError(
    'LAB_PROCESS_FAILED',
    `redirect rules of pod ${pod.key} failed: ${lastLines(logFile)}`,
  );
}

/** Starts a pod's sidecar. It enforces when the injector says so. */
export async function startSidecarProcess(
  paths: LabPaths,
  state: LabState,
  pod: LabPod,
  options: SidecarOptions = {},
): Promise<ProcessId> {
  makeFolder(sidecarStateFolder(paths, pod.key));
  const { id } = await startProcess({
    lab: state.name,
    netns: pod.netns,
    argv: [...(options.wrapper ?? []), ...sidecarProgram(options.main ?? SIDECAR_MAIN, 'run')],
    env: { ...sidecarEnvironment(paths, state, pod), ...options.env },
    logFile: processLog(paths, pod.key, 'sidecar'),
  });
  return id;
}

/** The ports of a pod that its app serves: `TCP/80`. SCTP is not served. */
export function servedPorts(pod: LabPod): string[] {
  return [...new Set(pod.ports.filter((port) => port.protocol !== 'SCTP').map(portText))];
}

/** The ports that a pod declares and nobody serves. */
export function unservedPorts(pod: LabPod): string[] {
  return pod.ports.filter((port) => port.protocol === 'SCTP').map(portText);
}

/**
 * Starts a pod's app and waits until it listens; a pod without ports has none.
 * @throws SluiceError `LAB_PROCESS_FAILED`
 */
export async function startAppProcess(
  paths: LabPaths,
  state: LabState,
  pod: LabPod,
): Promise<ProcessId | undefined> {
  const ports = servedPorts(pod);
  if (ports.length === 0) return undefined;
  const { id } = await startProcess({
    lab: state.name,
    netns: pod.netns,
    argv: program(APP_SERVER, ...ports),
    env: {},
    logFile: processLog(paths, pod.key, 'app'),
    waitReady: true,
  });
  return id;
}

function sidecarEnvironment(paths: LabPaths, state: LabState, pod: LabPod): Record<string, string> {
  const node = state.topology.nodes.find((candidate) => candidate.name === pod.node);
  const own = Object.entries(state.sidecarEnv).map(([name, value]) => [
    name,
    value.replaceAll('{pod}', fileSlug(pod.key)),
  ]);
  return {
    ...SIDECAR_NODE_ENV,
    SLUICE_POD_NAMESPACE: pod.namespace,
    SLUICE_POD_NAME: pod.name,
    SLUICE_SOURCE: `unix:${paths.injectorSocket}`,
    SLUICE_STATE_DIR: sidecarStateFolder(paths, pod.key),
    SLUICE_NODE_IPS: node?.addresses.join(',') ?? '',
    ...Object.fromEntries(own),
    ...annotatedEnvironment(paths, pod.key),
  };
}

function portText(port: { readonly protocol: string; readonly port: number }): string {
  return `${port.protocol}/${port.port}`;
}
