/**
 * The lab's processes: started detached, known by pid and start time, and found again by a mark in their
 * environment or by the network namespace they are in, so that nothing depends on who started them still living.
 */

import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { SluiceError } from '../common/errors.ts';
import { labPaths } from './state.ts';
import { toolPath } from './tools.ts';

/** Environment variable that every process of a lab has; its value is the lab's name. */
export const LAB_PROCESS_MARK = 'SLUICE_LAB_PROCESS';

/** Environment variable that tells labs of one name apart; its value is the lab's folder. */
export const LAB_FOLDER_MARK = 'SLUICE_LAB_FOLDER';

/** Where `ip netns` keeps its namespaces. */
export const NETNS_FOLDER = '/run/netns';

/** How long processes may take to vanish after SIGKILL, in milliseconds. */
const KILL_WAIT_MS = 5000;

/** How often to look whether they have, in milliseconds. */
const KILL_POLL_MS = 10;

/** The file descriptor on which a process says that it is ready: the first after stdio. */
const READY_FD = 3;

/** Fields of /proc/PID/stat after the command's closing bracket; start time is field 22 of proc_pid_stat(5). */
const STAT_START_TIME = 22 - 3;
const STAT_STATE = 0;
const STAT_THREADS = 20 - 3;

/** A process, never mistaken for a later one with the same pid. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks after boot, from /proc/PID/stat. */
  readonly startTime: string;
}

/** What to start. */
export interface ProcessSpec {
  readonly lab: string;
  readonly argv: readonly string[];
  /** Absent: the namespace of this process. */
  readonly netns?: string;
  /**
   * Added to a small, fixed environment: what the user has set changes no lab, but for the
   * limits of policies.
   */
  readonly env: Readonly<Record<string, string>>;
  /** stdout and stderr are appended here. */
  readonly logFile: string;
  /** Wait until the process writes a line to the descriptor that SLUICE_READY_FD names. */
  readonly waitReady?: boolean;
  /** The caller awaits its end. */
  readonly awaited?: boolean;
}

/** A started process. It outlives this one. */
export interface StartedProcess {
  readonly id: ProcessId;
  /** Exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
}

/**
 * Starts a process; with `waitReady`, waits until it is ready.
 * @throws SluiceError `LAB_PROCESS_FAILED` with the end of its log
 */
export async function startProcess(spec: ProcessSpec): Promise<StartedProcess> {
  const log = openSync(spec.logFile, 'a', 0o600);
  const [command = '', ...args] = inNetns(spec.netns, spec.argv);
  const child = spawn(command, args, {
    cwd: '/',
    detached: true,
    env: { ...baseEnvironment(spec.lab), ...spec.env, ...(spec.waitReady ? { SLUICE_READY_FD: '3' } : {}) },
    stdio: spec.waitReady ? ['ignore', log, log, 'pipe'] : ['ignore', log, log],
  });
  closeSync(log);
  const ended = new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
    child.once('error', (error) => resolve(error.message));
  });
  const id = child.pid === undefined ? undefined : identify(child.pid);
  const ready = spec.waitReady ? await firstLine(child.stdio[READY_FD] as Readable) : true;
  if (id !== undefined && ready) {
    if (!spec.awaited) child.unref(); // It outlives this process, which need not wait for it.
    return { id, ended };
  }
  throw new SluiceError(
    'LAB_PROCESS_FAILED',
    `\`${spec.argv.join(' ')}\` did not start (${await ended}): ${lastLines(spec.logFile)}`,
  );
}

/** The command line that runs `argv` in a namespace. nsenter executes it: the pid stays the same. */
export function inNetns(netns: string | undefined, argv: readonly string[]): readonly string[] {
  return netns === undefined ? argv : ['nsenter', `--net=${NETNS_FOLDER}/${netns}`, '--', ...argv];
}

/** The environment that processes of a lab have in common. */
export function baseEnvironment(lab: string): Record<string, string> {
  return { PATH: toolPath(), HOME: process.env.HOME ?? '/root', LANG: 'C.UTF-8', ...labMarks(lab) };
}

/** The environment by which a lab's processes are found again. */
export function labMarks(lab: string): Record<string, string> {
  return { [LAB_PROCESS_MARK]: lab, [LAB_FOLDER_MARK]: labPaths(lab).folder };
}

/**
 * The identity of a running process; undefined when there is none, or only a zombie. A zombie with threads left is
 * still ending: its sockets may be open.
 */
export function identify(pid: number): ProcessId | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const startTime = fields[STAT_START_TIME];
    const ended = fields[STAT_STATE] === 'Z' && fields[STAT_THREADS] === '1';
    return startTime === undefined || ended ? undefined : { pid, startTime };
  } catch {
    return undefined;
  }
}

/** Whether this very process still runs. */
export function isAlive(id: ProcessId | undefined): boolean {
  return id !== undefined && identify(id.pid)?.startTime === id.startTime;
}

/** Sends a signal to this very process; false when it has ended. */
export function signalProcess(id: ProcessId | undefined, signal: NodeJS.Signals): boolean {
  if (id === undefined || !isAlive(id)) return false;
  try {
    process.kill(id.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/**
 * Waits until none of them runs.
 * @throws SluiceError `LAB_LEFTOVERS`
 */
export async function waitGone(ids: readonly ProcessId[], waitMs = KILL_WAIT_MS): Promise<void> {
  const giveUpAt = Date.now() + waitMs;
  let alive = ids.filter(isAlive);
  while (alive.length > 0) {
    if (Date.now() > giveUpAt) {
      const pids = alive.map((id) => id.pid).join(', ');
      throw new SluiceError('LAB_LEFTOVERS', `still running after ${waitMs} ms: process ${pids}`);
    }
    await delay(KILL_POLL_MS);
    alive = alive.filter(isAlive);
  }
}

/** Ends processes at once. */
export async function killProcesses(ids: readonly ProcessId[]): Promise<void> {
  for (const id of ids) signalProcess(id, 'SIGKILL');
  await waitGone(ids);
}

/**
 * Every process of a lab, by its mark or its namespace; never this process or one it descends from.
 * @param netns the lab's namespaces; with `markedToo` false only their processes are found
 */
export function findProcesses(lab: string, netns: readonly string[], markedToo: boolean): ProcessId[] {
  const namespaces = new Set(netns.map((name) => namespaceId(`${NETNS_FOLDER}/${name}`)));
  namespaces.delete(undefined);
  const mark = `${LAB_PROCESS_MARK}=${lab}`;
  const own = ancestors();
  const found: ProcessId[] = [];
  for (const pid of processIds()) {
    if (own.has(pid)) continue;
    const inside = namespaces.has(namespaceId(`/proc/${pid}/ns/net`));
    if (!inside && !(markedToo && environmentOf(pid).includes(mark))) continue;
    const id = identify(pid);
    if (id !== undefined) found.push(id);
  }
  return found;
}

/** The folders of all labs of this name that have live processes. */
export function labFoldersOf(lab: string): string[] {
  const own = ancestors();
  const folders = new Set<string>();
  for (const pid of processIds()) {
    if (own.has(pid)) continue;
    const environment = environmentOf(pid);
    if (!environment.includes(`${LAB_PROCESS_MARK}=${lab}`) || identify(pid) === undefined) continue;
    const mark = environment.find((entry) => entry.startsWith(`${LAB_FOLDER_MARK}=`));
    if (mark !== undefined) folders.add(mark.slice(LAB_FOLDER_MARK.length + 1));
  }
  return [...folders];
}

/** The last lines of a log, on one line, for an error message. */
export function lastLines(file: string, count = 5): string {
  try {
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-count);
    const text = lines.join(' | ');
    return text === '' ? `its log ${file} is empty` : text;
  } catch {
    return `its log ${file} cannot be read`;
  }
}

function processIds(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger);
}

function namespaceId(path: string): string | undefined {
  try {
    const stat = statSync(path);
    return `${stat.dev}:${stat.ino}`;
  } catch {
    return undefined;
  }
}

function environmentOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
  } catch {
    return [];
  }
}

function ancestors(): ReadonlySet<number> {
  const found = new Set<number>();
  let pid = process.pid;
  while (pid > 0 && !found.has(pid)) {
    found.add(pid);
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'latin1');
      pid = Number(/^PPid:\t(\d+)$/m.exec(status)?.[1] ?? 0);
    } catch {
      break;
    }
  }
  return found;
}

async function firstLine(stream: Readable): Promise<boolean> {
  let text = '';
  try {
    for await (const chunk of stream) {
      text += String(chunk);
      if (text.includes('\n')) break;
    }
  } catch {
    return false;
  }
  return text.includes('\n');
}
