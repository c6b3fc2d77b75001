/** `lab status`: what runs, and how far each sidecar is. */

import type { PathUse } from '../common/path.ts';
import type { SidecarStatus } from '../injector/tables/index.ts';
import { describeProblem, type ManifestProblem } from '../sources/index.ts';
import { labPaths } from './names/index.ts';
import type { LabPod } from './network/index.ts';
import { askInjector, servedPorts, sidecarsByPod, unservedPorts } from './pods/index.ts';
import { isAlive, type ProcessId } from './processes/index.ts';
import { type LabState, readState } from './state/index.ts';

/** A process of the lab: `none` where the pod needs none. */
export interface ProcessStatus {
  readonly state: 'running' | 'dead' | 'none';
  readonly pid?: number;
}

/** One pod of a lab. */
export interface PodStatus {
  readonly pod: string;
  readonly ips: readonly string[];
  readonly node: string;
  readonly netns: string;
  readonly hostNetwork: boolean;
  readonly sidecar: ProcessStatus;
  readonly app: ProcessStatus;
  /** `TCP/80`; what the app serves. */
  readonly served: readonly string[];
  /** SCTP ports. */
  readonly notServed: readonly string[];
  /** Whether the sidecar has the pod's current table in force; true for a host-network pod, which has none. */
  readonly inForce: boolean;
  readonly revision: number | null;
  readonly enforcedRevision: number | null;
  /** Which way inbound TCP takes to the app; null where no sidecar is connected. */
  readonly path: PathUse | null;
  /** What its policies seem to forget, a sentence each. */
  readonly warnings: readonly string[];
}

/** A lab as it is now. */
export interface LabStatus {
  readonly name: string;
  readonly createdAt: string;
  readonly folder: string;
  /** Every process runs, every sidecar has its current table in force, and no manifest has an error. */
  readonly healthy: boolean;
  readonly injector: ProcessStatus;
  /** Whether the injector says how far the sidecars are; if not, nothing is known of what they have in force. */
  readonly injectorAnswers: boolean;
  readonly outside: readonly string[];
  readonly nodes: readonly { readonly node: string; readonly addresses: readonly string[] }[];
  readonly pods: readonly PodStatus[];
  /** Of manifests that the injector could not take in. */
  readonly problems: readonly ManifestProblem[];
}

/**
 * @param refresh what was written to the lab's manifests before counts: its injector first takes that in
 * @throws SluiceError `LAB_NOT_FOUND`
 */
export async function labStatus(name: string, refresh = false): Promise<LabStatus> {
  const state = readState(name);
  const paths = labPaths(name);
  const report = await askInjector(paths.statusSocket, refresh);
  const reports = sidecarsByPod(report);
  const pods = state.topology.pods.map((pod) => podStatus(state, pod, reports.get(pod.key)));
  const injector = processStatus(state.injector, true);
  const problems = report?.problems ?? [];
  const broken = problems.some((problem) => problem.severity === 'error');
  return {
    name,
    createdAt: state.createdAt,
    folder: paths.folder,
    healthy: injector.state === 'running' && pods.every(isHealthy) && !broken,
    injector,
    injectorAnswers: report !== undefined,
    outside: state.topology.outside.addresses,
    nodes: state.topology.nodes.map((node) => ({ node: node.name, addresses: node.addresses })),
    pods,
    problems,
  };
}

/** A table for people, with what is wrong before it. */
export function describeStatus(status: LabStatus): string {
  const rows = status.pods.map((pod) => [
    pod.pod,
    pod.ips.join(' '),
    pod.node,
    describeSidecar(pod, status.injectorAnswers),
    pod.app.state === 'none' ? '-' : `${pod.app.state} ${pod.served.join(' ')}`.trimEnd(),
    pod.notServed.length === 0 ? '' : `not served: ${pod.notServed.join(' ')}`,
  ]);
  const head = `lab ${status.name}: ${status.healthy ? 'every sidecar enforces its table' : 'NOT in order'}; injector ${status.injector.state}`;
  const table = columns([['POD', 'ADDRESSES', 'NODE', 'SIDECAR', 'APP', ''], ...rows]);
  return `${[head, ...describeFaults(status), table].join('\n')}\n`;
}

function describeFaults({ name, injector, injectorAnswers, pods, problems }: LabStatus): string[] {
  const faults = [
    ...problems.map((problem) => `${problem.severity}: ${describeProblem(problem)}`),
    ...podWarnings(pods).map((text) => `warning: ${text}`),
  ];
  if (injectorAnswers) return faults;
  const why =
    injector.state === 'running'
      ? 'the injector does not answer'
      : `the injector is not running (\`sluice lab apply --name ${name}\` starts it again)`;
  return [
    `error: ${why}: what each sidecar last had in force is not known here, and stays in force`,
    ...faults,
  ];
}

/** What the pods' policies seem to forget, a sentence each. */
export function podWarnings(pods: readonly PodStatus[]): readonly string[] {
  return pods.flatMap(({ pod, warnings }) => warnings.map((text) => `pod ${pod}: ${text}`));
}

/** Rows as aligned columns, two spaces apart. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  }
  return rows
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function describeSidecar(pod: PodStatus, known: boolean): string {
  if (pod.hostNetwork) return 'none (host network)';
  if (pod.sidecar.state !== 'running') return pod.sidecar.state;
  if (!known) return 'running, table not known';
  const path = pod.path === null || pod.path === 'proxy' ? '' : `, ${pod.path}`;
  return pod.inForce
    ? `revision ${pod.enforcedRevision} in force${path}`
    : `behind: has ${pod.enforcedRevision ?? 'nothing'}${path}`;
}

function podStatus(state: LabState, pod: LabPod, report: SidecarStatus | undefined): PodStatus {
  const { key, ips, node, netns, hostNetwork } = pod;
  const processes = state.processes[key];
  const enforced = report?.enforced ?? null;
  return {
    pod: key,
    ips,
    node,
    netns,
    hostNetwork,
    sidecar: processStatus(processes?.sidecar, !hostNetwork),
    app: processStatus(processes?.app, servedPorts(pod).length > 0),
    served: servedPorts(pod),
    notServed: unservedPorts(pod),
    inForce: hostNetwork || (report?.connected === true && enforced === report.revision),
    revision: report?.revision ?? null,
    enforcedRevision: enforced,
    path: report?.path ?? null,
    warnings: report?.warnings ?? [],
  };
}

function isHealthy(pod: PodStatus): boolean {
  return pod.inForce && pod.sidecar.state !== 'dead' && pod.app.state !== 'dead';
}

function processStatus(id: ProcessId | undefined, wanted: boolean): ProcessStatus {
  if (!wanted) return { state: 'none' };
  return { state: isAlive(id) ? 'running' : 'dead', ...(id === undefined ? {} : { pid: id.pid }) };
}
