/** The `sluice` command as a test runs it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { outcomeOf as endOf } from '../../common/run_tool.ts';
import { SLUICE } from './harness.ts';

/** Longest that a command may take, ms: tests give up earlier. */
const TIMEOUT_MS = 600_000;

/** How a command ended. */
export interface CommandOutcome {
  /** Exit code, or the signal's name. */
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the command. @param env added to this process' environment */
export function startSluice(argv: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  return spawn(SLUICE, argv, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
}

/** Waits for a command's end. */
export async function outcomeOf(child: ChildProcess): Promise<CommandOutcome> {
  const { status, signal, stdout, stderr } = await endOf(child, { timeMs: TIMEOUT_MS });
  return { code: status ?? signal ?? 'unknown', stdout, stderr };
}

/** Runs the command to its end, with `input` on stdin. */
export async function sluice(
  argv: readonly string[],
  input = '',
  env: NodeJS.ProcessEnv = {},
): Promise<CommandOutcome> {
  const child = startSluice(argv, env);
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input);
  return await outcomeOf(child);
}
