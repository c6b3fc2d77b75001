/**
 * The TCP congestion control that figures are measured with: cubic, which most nodes have. A pod may only have one that the machine
 * allows to all; where the machine does not, it is added to these as long as the benchmarks run.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { messageOf } from '../../common/errno.ts';
import type { Lab } from '../../lab/index.ts';
import { readInNetns } from './commands.ts';

/** What Linux has where nobody has chosen; tcp(7). */
const WANTED = 'cubic';

/** Files of tcp(7): of the whole machine, and of a network namespace. */
const ALLOWED = '/proc/sys/net/ipv4/tcp_allowed_congestion_control';
const CURRENT = '/proc/sys/net/ipv4/tcp_congestion_control';

/** A change of the machine's setting, until it is released. */
export interface Permission {
  /** Puts the setting back as it was. May be called again. */
  release(): Promise<void>;
}

/**
 * Allows the wanted congestion control on this machine. A shell puts the setting back when it is released, and also when this
 * process is gone, even by SIGKILL: it waits for the end of its input, which only this process holds.
 * @param file for tests
 */
export function permitCongestionControl(file = ALLOWED): Permission {
  const nothing: Permission = { release: async () => undefined };
  const before = tryRead(file);
  if (before === undefined || before.split(/\s+/).includes(WANTED)) return nothing;
  const restorer = spawn('sh', ['-c', 'cat >/dev/null; echo "$1" >"$0"', file, before], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  restorer.unref();
  const ended = once(restorer, 'exit').catch(() => undefined);
  try {
    writeFileSync(file, `${before} ${WANTED}\n`);
  } catch {
    // It is not to be had: setting it in a pod says so.
  }
  return {
    release: async () => {
      restorer.ref(); // Nothing else may keep this process alive.
      restorer.stdin.end();
      await ended;
    },
  };
}

/**
 * Gives a pod the wanted congestion control.
 * @param warn is called where the pod keeps what the machine has
 * @returns what the pod has
 */
export async function setCongestionControl(
  lab: Lab,
  pod: string,
  warn: (line: string) => void = () => undefined,
): Promise<string> {
  const set = ['sh', '-c', `echo ${WANTED} >${CURRENT}`];
  await readInNetns(lab, pod, set).catch((error: unknown) =>
    warn(`warning: no ${WANTED}: ${messageOf(error)}`),
  );
  return (await readInNetns(lab, pod, ['cat', CURRENT])).trim();
}

function tryRead(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}
