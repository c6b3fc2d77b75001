/** Runs a command once, and says what it took. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fieldsOf } from '../../common/shape.ts';

const AT_EXIT = join(import.meta.dirname, 'at_exit.ts');

const MS_PER_SECOND = 1000;
const MICROSECONDS_PER_SECOND = 1e6;
const KIB_PER_MIB = 1024;

/** A command that takes longer is ended, ms. */
const LONGEST_MS = 300_000;

/** What one run took. */
export interface Taken {
  readonly seconds: number;
  /** User and system time of all of the process's threads. */
  readonly cpuSeconds: number;
  /** The most resident memory. */
  readonly peakMebibytes: number;
}

/**
 * @param main the program: `cli/main.ts`, or a bundle of it
 * @throws Error when it ended with an error, or was ended
 */
export async function measureOnce(
  main: string,
  argv: readonly string[],
  signal: AbortSignal,
): Promise<Taken> {
  const startMs = performance.now();
  const child = spawn(process.execPath, ['--import', AT_EXIT, main, ...argv], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    signal,
    timeout: LONGEST_MS,
  });
  const usage = child.stdio[3];
  if (child.stderr === null || usage === null || usage === undefined || !('read' in usage))
    throw new Error('a pipe is missing');
  const [said, errors, [code, ended]] = await Promise.all([
    text(usage),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  const seconds = (performance.now() - startMs) / MS_PER_SECOND;
  if (code !== 0 && code !== 1)
    throw new Error(`it ended with ${ended ?? `exit code ${code}`}: ${errors.slice(-500)}`);
  const { userCPUTime, systemCPUTime, maxRSS } = fieldsOf(JSON.parse(said));
  return {
    seconds,
    cpuSeconds: (Number(userCPUTime) + Number(systemCPUTime)) / MICROSECONDS_PER_SECOND,
    peakMebibytes: Number(maxRSS) / KIB_PER_MIB,
  };
}
