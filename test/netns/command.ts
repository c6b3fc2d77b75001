/** Runs a command for a test. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const exec = promisify(execFile);

/** How long a command may take, ms. */
const TIMEOUT_MS = 100_000;

/** @returns its standard output; rejects when it fails */
export async function run(
  [command = '', ...args]: readonly string[],
  env: NodeJS.ProcessEnv = {},
  timeoutMs = TIMEOUT_MS,
): Promise<string> {
  const { stdout } = await exec(command, args, { env: { ...process.env, ...env }, timeout: timeoutMs });
  return stdout;
}
