/** Keeps a lab from outliving the process that made it. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';

/** The `sluice` command. */
const LAUNCHER = join(import.meta.dirname, '../cli/bin/sluice');

/**
 * Takes a lab down when this process is gone, even by SIGKILL: a shell waits for the end of its input, which only
 * this process holds. Returns how to call it off.
 */
export function guardLab(name: string): () => void {
  const script = 'cat >/dev/null; exec "$0" lab down --name "$1" >/dev/null';
  const watchdog = spawn('sh', ['-c', script, LAUNCHER, name], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watchdog.unref();
  return () => {
    watchdog.kill('SIGKILL');
    watchdog.stdin.destroy();
  };
}
