/** Threads of another process that stand still for a while, as if they got no processor. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { useCompiled } from './compiled.ts';

/** Lets a thread go on. */
type GoOn = () => Promise<void>;

/**
 * Compiles the tool for all tests of a file.
 * @returns holds the thread of a name, or the first one, which is JavaScript's in a Node process, until what it gives is called
 */
export function useHeldThreads(): (pid: number, name?: string) => Promise<GoOn> {
  const tool = useCompiled('hold_thread');
  return async (pid, name) => {
    const thread = name === undefined ? String(pid) : threadOf(pid, name);
    const holder = spawn(tool(), [thread], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    return async () => {
      const over = once(holder, 'exit');
      holder.stdin.end();
      await over;
    };
  };
}

function threadOf(pid: number, name: string): string {
  const tasks = `/proc/${pid}/task`;
  const found = readdirSync(tasks).find((id) => readFileSync(`${tasks}/${id}/comm`, 'utf8').trim() === name);
  if (found === undefined) throw new Error(`process ${pid} has no thread ${name}`);
  return found;
}
