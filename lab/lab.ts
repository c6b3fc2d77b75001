/** A lab as a library: what the `lab` commands, the demo and the network tests drive. */

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { SluiceError } from '../common/errors.ts';
import type { RawManifest } from '../sources/index.ts';
import { readDocument, readManifests } from '../sources/index.ts';
import { type ApplyResult, changeLab } from './apply.ts';
import { takeLabDown } from './down.ts';
import { labPaths, processLog, type Role } from './names/index.ts';
import type { LabPod, Topology } from './network/index.ts';
import {
  completeForLab,
  madePodsOf,
  putObjects,
  readForLab,
  removeObjects,
  warnOfPods,
} from './objects/index.ts';
import {
  applyRedirect,
  type SidecarOptions,
  START_TIMEOUT_MS,
  startAppProcess,
  startSidecarProcess,
  waitEnforced,
} from './pods/index.ts';
import {
  inNetns,
  isAlive,
  labMarks,
  type ProcessId,
  signalProcess,
  toolPath,
  waitGone,
} from './processes/index.ts';
import { readState, recordProcess, writeState } from './state/index.ts';
import { type LabStatus, labStatus } from './status.ts';
import { bringLabUp, type UpOptions } from './up.ts';

/** What the target of a command starts with that is a node. */
const NODE_PREFIX = 'node/';

/** A lab that is up. It holds nothing but the name: several handles, and the commands, may work on one lab. */
export class Lab {
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  /** Brings a lab up; see `bringLabUp`. */
  static async up(options: UpOptions): Promise<Lab> {
    await bringLabUp(options);
    return new Lab(options.name);
  }

  /** A lab that is up already. @throws SluiceError `LAB_NOT_FOUND` */
  static open(name: string): Lab {
    readState(name);
    return new Lab(name);
  }

  /** The folder of manifests the injector watches; writing to it is what a user of a cluster does. */
  get manifestsFolder(): string {
    return labPaths(this.name).manifests;
  }

  get topology(): Topology {
    return readState(this.name).topology;
  }

  /** @throws SluiceError `LAB_TARGET_UNKNOWN` */
  pod(key: string): LabPod {
    const { pods } = this.topology;
    const found = pods.find((pod) => pod.key === key);
    if (found !== undefined) return found;
    const known = pods.map((pod) => pod.key);
    throw new SluiceError(
      'LAB_TARGET_UNKNOWN',
      `lab ${this.name} has no pod ${key}; it has ${listed(known)}`,
    );
  }

  /**
   * The network namespace of `namespace/pod`, `node/NAME` or `outside`.
   * @throws SluiceError `LAB_TARGET_UNKNOWN`
   */
  netns(target: string): string {
    const { nodes, pods, outside } = this.topology;
    if (target === 'outside') return outside.netns;
    const node = nodes.find((candidate) => NODE_PREFIX + candidate.name === target);
    if (node !== undefined) return node.netns;
    if (!target.startsWith(NODE_PREFIX) || pods.some((pod) => pod.key === target))
      return this.pod(target).netns;
    const known = nodes.map((candidate) => NODE_PREFIX + candidate.name);
    throw new SluiceError('LAB_TARGET_UNKNOWN', `lab ${this.name} has no ${target}; it has ${listed(known)}`);
  }

  /** Starts a command in a pod, on a node or outside. The lab's end is its end. */
  spawnIn(target: string, argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const [command = '', ...args] = inNetns(this.netns(target), argv);
    const env = { ...process.env, PATH: toolPath(), ...options.env, ...labMarks(this.name) };
    return spawn(command, args, { ...options, env });
  }

  /** Adds or replaces the objects of files and folders; see `changeLab`. */
  async apply(
    paths: readonly string[],
    warn: (line: string) => void = () => undefined,
    namespace?: string,
  ): Promise<ApplyResult> {
    const manifests = await readForLab(paths, warn, namespace);
    const { objects } = await readManifests([this.manifestsFolder]);
    const reserved = this.topology.outside.addresses;
    const change = completeForLab(manifests, objects, reserved, warn);
    warnOfPods(change.put, warn);
    return await changeLab(this.name, change);
  }

  /** Takes out the objects that files and folders name; see `changeLab`. */
  async delete(
    paths: readonly string[],
    warn: (line: string) => void = () => undefined,
    namespace?: string,
  ): Promise<ApplyResult> {
    const manifests = await readForLab(paths, warn, namespace);
    const { objects } = await readManifests([this.manifestsFolder]);
    const remove = [...manifests.objects, ...madePodsOf(manifests, objects)];
    return await changeLab(this.name, { put: [], remove });
  }

  /**
   * Puts manifests in place and returns at once: in force at the sidecars within 200 ms. Pods' places do not change,
   * nor does what the nodes serve Services by: use `apply` for Services, EndpointSlices and the pods behind them.
   */
  writeObjects(...manifests: readonly RawManifest[]): void {
    putObjects(labPaths(this.name), manifests.flatMap(objectsOf));
  }

  /** Takes manifests out and returns at once. Pods' places do not change. */
  removeObjects(...manifests: readonly RawManifest[]): void {
    removeObjects(labPaths(this.name), manifests.flatMap(objectsOf));
  }

  status(): Promise<LabStatus> {
    return labStatus(this.name);
  }

  /** Waits until every sidecar that runs has the current table in force. @throws SluiceError `LAB_NOT_ENFORCED` */
  async waitEnforced(timeoutMs = START_TIMEOUT_MS): Promise<void> {
    const { topology, processes } = readState(this.name);
    const pods = topology.pods.filter((pod) => !pod.hostNetwork && isAlive(processes[pod.key]?.sidecar));
    await waitEnforced({
      socketPath: labPaths(this.name).statusSocket,
      pods: pods.map((pod) => pod.key),
      timeoutMs,
    });
  }

  /** The pod's sidecar or app, running or not. @throws SluiceError `LAB_TARGET_UNKNOWN` where it never ran */
  process(key: string, role: Role): ProcessId {
    const id = readState(this.name).processes[this.pod(key).key]?.[role];
    if (id !== undefined) return id;
    throw new SluiceError('LAB_TARGET_UNKNOWN', `pod ${key} of lab ${this.name} has no ${role}`);
  }

  /** The injector. @throws SluiceError `LAB_TARGET_UNKNOWN` */
  injector(): ProcessId {
    const { injector } = readState(this.name);
    if (injector !== undefined) return injector;
    throw new SluiceError('LAB_TARGET_UNKNOWN', `lab ${this.name} has no injector`);
  }

  /** Signals a process; with SIGKILL or SIGTERM, waits until it has gone. */
  async stopProcess(key: string, role: Role, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const id = this.process(key, role);
    signalProcess(id, signal);
    if (signal === 'SIGKILL' || signal === 'SIGTERM') await waitGone([id]);
  }

  /** Starts a pod's sidecar, after its redirect unless `redirect` is false; it may not enforce yet when this returns. */
  async startSidecar(
    key: string,
    options: SidecarOptions & { readonly redirect?: boolean } = {},
  ): Promise<ProcessId> {
    const state = readState(this.name);
    const paths = labPaths(this.name);
    const pod = this.pod(key);
    if (options.redirect !== false) await applyRedirect(paths, state, pod, options.main);
    const id = await startSidecarProcess(paths, state, pod, options);
    recordProcess(paths, key, 'sidecar', id);
    return id;
  }

  /** Starts a pod's app; it listens when this returns. */
  async startApp(key: string): Promise<ProcessId | undefined> {
    const paths = labPaths(this.name);
    const id = await startAppProcess(paths, readState(this.name), this.pod(key));
    if (id !== undefined) recordProcess(paths, key, 'app', id);
    return id;
  }

  /** Sets the environment that sidecars started from now on have in addition. */
  setSidecarEnv(sidecarEnv: Readonly<Record<string, string>>): void {
    writeState(labPaths(this.name), { ...readState(this.name), sidecarEnv });
  }

  /** The file of a process' output. */
  logFile(key: string, role: Role): string {
    return processLog(labPaths(this.name), this.pod(key).key, role);
  }

  /** Takes the lab down; see `takeLabDown`. */
  async down(): Promise<void> {
    await takeLabDown(this.name);
  }
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}

/** A manifest's objects; unlike `readForLab` it lets broken ones through, as a cluster's folder may hold them. */
function objectsOf(manifest: RawManifest): Parameters<typeof putObjects>[1] {
  return readDocument(JSON.stringify(manifest), 1).objects;
}
