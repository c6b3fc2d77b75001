/** How much memory this process may use: the least of what its control groups and the machine allow. */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';

const CGROUP_ROOT = '/sys/fs/cgroup';

/** Reads a file; undefined where it is not there. */
export type ReadText = (path: string) => string | undefined;

/**
 * The memory limit in bytes: the least of this control group and of those above it that can be seen from here, and of the machine's memory.
 * Source: memory.max of cgroups(7) version 2, memory.limit_in_bytes of version 1.
 */
export function memoryLimit(read: ReadText = readText, machineBytes = totalmem()): number {
  const own = read('/proc/self/cgroup') ?? '';
  const limits = own.split('\n').flatMap((line) => {
    const [, id = '', controllers = '', path = '/'] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    if (id === '0' && controllers === '') {
      return ancestors(path).flatMap((at) => [
        read(`${CGROUP_ROOT}${at}memory.max`),
        read(`${CGROUP_ROOT}/unified${at}memory.max`),
      ]);
    }
    if (!controllers.split(',').includes('memory')) return [];
    return ancestors(path).map((at) => read(`${CGROUP_ROOT}/memory${at}memory.limit_in_bytes`));
  });
  // `max` is no number; version 1 has a number beyond any machine's memory instead.
  const numbers = limits.map((text) => Number(text?.trim() || Number.NaN)).filter((bytes) => bytes > 0);
  return Math.min(machineBytes, ...numbers);
}

/** `/a/b`: `/`, `/a/`, `/a/b/`. In a container the path may be the host's, of which only the root is there. */
function ancestors(path: string): readonly string[] {
  const found = ['/'];
  for (const part of path.split('/').filter((name) => name !== '')) found.push(`${found.at(-1)}${part}/`);
  return found;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
