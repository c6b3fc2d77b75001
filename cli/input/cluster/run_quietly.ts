/** Runs a program that nobody watches: without a terminal, within a time. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/** How it is run. */
export interface QuietRun {
  readonly env: NodeJS.ProcessEnv;
  /** Longest run, ms. */
  readonly timeMs: number;
}

/** Most that it may say: a credential has a few kB. UTF-16 units. */
const MAX_OUTPUT = 1024 * 1024;

/** The exit code of a process that a signal ends is this, and its number. */
const SIGNALLED = 128;

/** What may end this process while the program runs. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * The program reads nothing and is heard on stdout only. It is in a session of its own, so that it has no terminal to ask on, and it and
 * what it has started in that session end when the time is over, or this process ends.
 * @returns what it said on stdout
 * @throws Error where it cannot be started, fails, says too much, or takes too long
 */
export async function runQuietly(argv: readonly string[], { env, timeMs }: QuietRun): Promise<string> {
  const [command = '', ...args] = argv;
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  const kill = (): void => killGroup(child.pid);
  const leave = (signal: NodeJS.Signals): void => process.exit(SIGNALLED + constants.signals[signal]);
  process.once('exit', kill);
  for (const signal of SIGNALS) process.once(signal, leave);
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve, reject) => {
      const give = (why: string): void => reject(new Error(`${command}: ${why}`));
      timer = setTimeout(() => give(`not done after ${timeMs} ms`), timeMs);
      let said = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (said.length > MAX_OUTPUT) give('says too much');
      });
      child.on('error', reject);
      child.on('close', (status, signal) =>
        status === 0 ? resolve(said) : give(`ends with ${signal ?? status}`),
      );
    });
  } catch (error) {
    kill();
    throw error;
  } finally {
    clearTimeout(timer);
    process.off('exit', kill);
    for (const signal of SIGNALS) process.off(signal, leave);
  }
}

function killGroup(leader: number | undefined): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // All of them have ended.
  }
}
