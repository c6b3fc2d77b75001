/** Looks who listens. */
import { readFileSync } from 'node:fs';

/** Whether anybody listens on a port in the network namespace of a process; proc_pid_net(5). */
export function listens(pid: number, port: number): boolean {
  const listening = new RegExp(
    `:${port.toString(16).toUpperCase().padStart(4, '0')} [0-9A-F]+:0000 0A `,
    'm',
  );
  return ['tcp', 'tcp6'].some((family) => {
    try {
      return listening.test(readFileSync(`/proc/${pid}/net/${family}`, 'latin1'));
    } catch {
      return false; // It has ended, or there is no IPv6.
    }
  });
}
