/** Runs the real command as a process. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { runTool } from '../../../../common/run_tool.ts';

/** Longest that a command may take, ms: tests give up earlier. */
const TIMEOUT_MS = 120_000;

/** The command's entry. */
export const MAIN = fileURLToPath(new URL('../../../../cli/main.ts', import.meta.url));

/** What a finished process left behind. */
export interface ProcessResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts `sluice ARGS`; the caller writes to its stdin and waits for its end. */
export function startSluice(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return spawn(process.execPath, [MAIN, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
}

/** Runs `sluice ARGS` to its end, with `input` on stdin. */
export async function runSluice(
  args: readonly string[],
  input = '',
  env: Readonly<Record<string, string>> = {},
): Promise<ProcessResult> {
  const outcome = await runTool([process.execPath, MAIN, ...args], {
    input,
    env: { ...process.env, ...env },
    timeMs: TIMEOUT_MS,
  });
  return { code: outcome.status, stdout: outcome.stdout, stderr: outcome.stderr };
}
