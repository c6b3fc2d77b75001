/** Starts the lab's processes: detached, with an output file and the lab's marks. They outlive this process. */

import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { SluiceError } from '../../common/errors.ts';
import { labMarks } from './marks.ts';
import { inNetns } from './netns.ts';
import { identify, type ProcessId } from './process.ts';
import { toolPath } from './tools.ts';

/** The file descriptor on which a process says that it is ready: the first after stdio. */
const READY_FD = 3;

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
  const ready = spec.waitReady ? await firstLine(child.stdio[READY_FD]) : true;
  if (id !== undefined && ready) {
    if (!spec.awaited) child.unref(); // It outlives this process, which need not wait for it.
    return { id, ended };
  }
  throw new SluiceError(
    'LAB_PROCESS_FAILED',
    `\`${spec.argv.join(' ')}\` did not start (${await ended}): ${lastLines(spec.logFile)}`,
  );
}

/** The environment that processes of a lab have in common. */
function baseEnvironment(lab: string): Record<string, string> {
  const { HOME = '/root', NODE_COMPILE_CACHE } = process.env;
  const cache = NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE };
  return { PATH: toolPath(), HOME, LANG: 'C.UTF-8', ...cache, ...labMarks(lab) };
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

/** Whether a stream brings a line before it ends. */
async function firstLine(stream: unknown): Promise<boolean> {
  if (!(stream instanceof Readable)) return false;
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
