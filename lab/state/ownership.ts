/**
 * Whose a lab is. Namespaces and the lock know a lab by its name only, for the whole machine; its folder depends on
 * SLUICE_LAB_DIR. So a lab of the same name may run that belongs to another folder, and is not ours to touch.
 */

import { dirname } from 'node:path';
import { SluiceError } from '../../common/errors.ts';
import { labPaths } from '../names/index.ts';
import { labFoldersOf } from '../processes/index.ts';

/**
 * Checks that no lab of this name runs that another SLUICE_LAB_DIR owns. What is left over without a live process
 * belongs to the lab that finds it.
 * @throws SluiceError `LAB_ELSEWHERE` naming the owner
 */
export function checkOwnLab(name: string): void {
  const { folder } = labPaths(name);
  const owner = labFoldersOf(name).find((other) => other !== folder);
  if (owner === undefined) return;
  const theirs = `SLUICE_LAB_DIR=${dirname(owner)}`;
  throw new SluiceError(
    'LAB_ELSEWHERE',
    `lab ${name} runs under ${theirs}, not under ${dirname(folder)}: choose another --name here, ` +
      `or remove that one with \`${theirs} sluice lab down --name ${name}\``,
  );
}
