/** Programs that run in a pod and say what happens to them, line by line. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterEach } from 'vitest';
import { type TestLab, until } from '../harness.ts';

/** One of them. */
export class Talker {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout === null) throw new Error('the program has no stdout');
    createInterface({ input: child.stdout }).on('line', (line) => this.lines.push(line));
  }

  /** How many lines begin so. */
  count(start: string): number {
    return this.lines.filter((line) => line.startsWith(start)).length;
  }

  /** Waits for a line that begins so. @returns the line */
  said(start: string, timeoutMs?: number): Promise<string> {
    return until(`a line ${start}`, () => this.lines.find((line) => line.startsWith(start)), timeoutMs);
  }

  /** Waits for a line after `lines` others. @returns it */
  line(lines: number): Promise<string> {
    return until(`line ${lines + 1}`, () => this.lines[lines]);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** Starts them in pods; each is gone after its test. */
export function useTalkers(
  net: TestLab,
): (target: string, argv: readonly string[], env?: NodeJS.ProcessEnv) => Talker {
  const running: Talker[] = [];
  afterEach(() => {
    for (const one of running.splice(0)) one.kill();
  });
  return (target, argv, env = {}) => {
    const talker = new Talker(net.lab.spawnIn(target, argv, { stdio: ['ignore', 'pipe', 'inherit'], env }));
    running.push(talker);
    return talker;
  };
}
