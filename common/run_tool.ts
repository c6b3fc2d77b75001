/** Runs another program to its end: what it said and how it ended, within a time and up to a size. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';

/** Bounds on a run. */
export interface RunLimits {
  /** Longest run, ms. A program that takes longer is killed. */
  readonly timeMs: number;
  /** Most that it may say on stdout and stderr together, UTF-16 units. Default 64 Mi; one that says more is killed. */
  readonly outputLength?: number;
  /** What it is killed with. Default SIGTERM. */
  readonly signal?: NodeJS.Signals;
}

/** How a run ended, whichever way. */
export interface RunOutcome {
  /** Exit code; null where a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The bound for which it was killed; what it said last may be missing then. */
  readonly over?: 'time' | 'output';
}

/** What a program is run with, beside its arguments. */
export interface RunOptions extends RunLimits {
  /** Text for its stdin. Default: none. */
  readonly input?: string;
  /** Default: this process's. */
  readonly env?: NodeJS.ProcessEnv;
}

/** A listing of a large table has some 10 MB. */
const OUTPUT_LENGTH = 64 * 1024 * 1024;

/**
 * Runs a program to its end; any exit status will do.
 * @throws Error of `spawn`, with an errno's name as its `code`, when it cannot be started: ENOENT where there is no such program
 */
export async function runTool(argv: readonly string[], options: RunOptions): Promise<RunOutcome> {
  const [command = '', ...args] = argv;
  const { input = '', env } = options;
  const spawnOptions: SpawnOptions = { stdio: ['pipe', 'pipe', 'pipe'], ...(env && { env }) };
  const child = spawn(command, args, spawnOptions);
  const outcome = outcomeOf(child, options);
  child.stdin?.on('error', () => {}); // it may end before it has read all: its status says so
  child.stdin?.end(input);
  return await outcome;
}

/**
 * Waits for the end of a program that has been started just now, and collects what it says on those of stdout and stderr that
 * are pipes.
 * @throws Error of `spawn` when it did not start
 */
export function outcomeOf(child: ChildProcess, limits: RunLimits): Promise<RunOutcome> {
  const { timeMs, outputLength = OUTPUT_LENGTH, signal: killedWith = 'SIGTERM' } = limits;
  const said = { stdout: '', stderr: '' };
  return new Promise((resolve, reject) => {
    let over: RunOutcome['over'];
    const kill = (bound: 'time' | 'output'): void => {
      over ??= bound;
      child.kill(killedWith);
    };
    // Of its own: the one that spawn() offers goes on after an 'error', and keeps the process up for all of that time.
    const timer = setTimeout(() => kill('time'), timeMs);
    child.on('error', (cause) => {
      clearTimeout(timer);
      reject(cause);
    });
    child.on('exit', () => clearTimeout(timer));
    // Without a file descriptor to spare there are no pipes, and the error follows.
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream]?.setEncoding('utf8').on('data', (text: string) => {
        if (said.stdout.length + said.stderr.length + text.length > outputLength) return kill('output');
        said[stream] += text;
      });
    child.on('close', (status, signal) => resolve({ status, signal, ...said, ...(over && { over }) }));
  });
}
