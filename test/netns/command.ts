/** Runs a command for a test. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const exec = promisify(execFile);

/** @returns its standard output; rejects when it fails */
export async function run(
  [command = '', ...args]: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  const { stdout } = await exec(command, args, { env: { ...process.env, ...env }, timeout: 100_000 });
  return stdout;
}
