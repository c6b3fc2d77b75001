/** What the figures were measured on. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { toolPath } from '../../lab/index.ts';

/** A machine, and the versions of what ran on it. */
export interface Machine {
  readonly processor: string;
  readonly processors: number;
  readonly memoryGB: number;
  readonly system: string;
  readonly kernel: string;
  /** Of TCP, in the pods: what the machine has, where a run gives them no other. Absent in runs of before it was noted. */
  readonly congestionControl?: string;
  /** Load average of the minute before the run: above 0.5 others were at work, and the figures are not to be trusted. */
  readonly loadBefore: number;
  /** The share of all processors, 0 to 1, that others used just before. Absent in runs of before it was noted. */
  readonly othersBefore?: number;
  /** Versions by name. */
  readonly versions: Readonly<Record<string, string>>;
}

/** Commands that print a version, and where it is in what they print. */
const VERSIONS: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['HAProxy', ['haproxy', '-v'], /version (\S+)/],
  ['nginx', ['nginx', '-v'], /nginx\/(\S+)/],
  ['iperf3', ['iperf3', '--version'], /iperf (\S+)/],
  ['sockperf', ['sockperf', '--version'], /version (\S+)/],
  ['wrk', ['wrk', '--version'], /wrk (?:debian\/)?(\S+)/],
  ['ab', ['ab', '-V'], /Version (\S+)/],
];

/** Describes this machine. @param envoyBinary Envoy's program; absent: no tool beside Node was at work, and none is named */
export function describeMachine(envoyBinary?: string): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    processors: availableParallelism(),
    memoryGB: Math.round(totalmem() / 1e9),
    system: /^PRETTY_NAME="(.*)"/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown',
    kernel: release(),
    ...congestionControl(),
    loadBefore: Math.round((loadavg()[0] ?? 0) * 10) / 10,
    versions: Object.fromEntries([
      ['Node', process.versions.node],
      ...(envoyBinary === undefined ? [] : toolVersions(envoyBinary)),
    ]),
  };
}

/** What new network namespaces have; tcp(7). */
function congestionControl(): { readonly congestionControl?: string } {
  try {
    const text = readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim();
    return { congestionControl: text };
  } catch {
    return {};
  }
}

function toolVersions(envoyBinary: string): [string, string][] {
  return [
    ...VERSIONS.flatMap(([name, argv, pattern]) => versionOf(name, argv, pattern)),
    ...versionOf('Envoy', [envoyBinary, '--version'], /version: [0-9a-f]+\/([^/]+)/),
  ];
}

/** Nothing where the tool is missing. Some print their version on standard error, some end with another code than 0. */
function versionOf(
  name: string,
  [command = '', ...args]: readonly string[],
  pattern: RegExp,
): [string, string][] {
  const { stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, PATH: toolPath() },
  });
  const version = pattern.exec(`${stdout}${stderr}`)?.[1];
  return version === undefined ? [] : [[name, version]];
}
