/** `lab down`: leaves nothing, also of a lab that is half built. It looks for what is there and does not rely on the state. */

import { SluiceError } from '../common/errors.ts';
import { checkLabName, hasFolder, labPaths } from './names/index.ts';
import { existingNamespaces, removeNamespaces } from './network/index.ts';
import { checkRoot, findProcesses, killProcesses } from './processes/index.ts';
import { checkOwnLab, lockLab, removeFolders } from './state/index.ts';

/** How long to wait for another command on the same lab, in milliseconds. */
export const LOCK_WAIT_MS = 10_000;

/** A process may start another between being found and being killed; so many rounds are more than enough. */
const KILL_ROUNDS = 10;

/**
 * Takes a lab down; returns whether there was anything of it.
 * @throws SluiceError `LAB_NAME_INVALID`, `LAB_NOT_ROOT`, `LAB_BUSY`, `LAB_ELSEWHERE`, `LAB_LEFTOVERS`
 */
export async function takeLabDown(name: string): Promise<boolean> {
  checkLabName(name);
  checkRoot();
  const lock = await lockLab(name, 'down', LOCK_WAIT_MS);
  try {
    checkOwnLab(name);
    return await tearDown(name);
  } finally {
    await lock.release();
  }
}

/** Removes processes, namespaces and folder. The caller holds the lab's lock and knows that the lab is its own. */
export async function tearDown(name: string): Promise<boolean> {
  const paths = labPaths(name);
  const namespaces = existingNamespaces(name);
  let found = namespaces.length > 0 || hasFolder(paths);
  for (let round = 0; ; round += 1) {
    const processes = findProcesses(name, existingNamespaces(name), true);
    if (processes.length === 0) break;
    found = true;
    if (round === KILL_ROUNDS) {
      const pids = processes.map((id) => id.pid).join(', ');
      throw new SluiceError('LAB_LEFTOVERS', `processes of lab ${name} keep starting others: ${pids}`);
    }
    await killProcesses(processes);
  }
  await removeNamespaces(name, existingNamespaces(name));
  removeFolders(paths);
  return found;
}
