/** Scripts of a test that run in a pod of its lab. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { inNetns } from '../../../lab/processes/netns.ts';
import type { TestLab } from '../harness.ts';

/** A script that runs. */
export interface PodScript {
  /** The next line that it prints. */
  line(): Promise<string>;
  /** Gives it a line to read, so that it goes on. */
  goOn(): void;
}

/** Runs a script in a pod until the test has finished. @param script a module */
export function inPod(net: TestLab, name: string, script: string): PodScript {
  const argv = [process.execPath, '--input-type=module', '-e', script];
  const [command = '', ...args] = inNetns(net.lab.netns(name), argv);
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill());
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    line: async () => String((await lines.next()).value),
    goOn: () => void child.stdin.write('\n'),
  };
}
