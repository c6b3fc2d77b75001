/** Network namespaces of tests that need no lab. They go with the process that made them, even by SIGKILL. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';

/** Those that this process has made, with what removes them when it is gone. */
const guards = new Map<string, ChildProcess>();

/** A name that no other run has. */
export function netnsName(suffix = ''): string {
  return `sluice-t-${process.pid}-${randomBytes(3).toString('hex')}${suffix}`;
}

/** Makes a network namespace. A shell waits for the end of its input, which only this process holds, and then removes it. */
export function addNetns(name: string): void {
  const script = 'cat >/dev/null; exec ip netns del "$0"';
  const guard = spawn('sh', ['-c', script, name], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  guard.unref();
  guards.set(name, guard);
  execFileSync('ip', ['netns', 'add', name], { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Removes it. */
export function removeNetns(name: string): void {
  const guard = guards.get(name);
  guards.delete(name);
  guard?.kill('SIGKILL');
  guard?.stdin?.destroy();
  execFileSync('ip', ['netns', 'del', name], { stdio: ['ignore', 'ignore', 'pipe'] });
}
