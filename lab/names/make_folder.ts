/** Makes a folder and those above it. */

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf, messageOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';

/** Only root looks into a lab: its sockets are its authentication. */
const FOLDER_MODE = 0o700;

/**
 * Makes a folder, mode 0700, and those above it; one that is there stays as it is. Node's own recursive mkdir never
 * ends where the kernel answers ENOENT in a folder that exists, as in /proc.
 * @throws SluiceError `LAB_FOLDER_UNUSABLE`
 */
export function makeFolder(path: string): void {
  try {
    makeWithParents(path);
  } catch (cause) {
    const reason = messageOf(cause);
    throw new SluiceError(
      'LAB_FOLDER_UNUSABLE',
      `folder ${path} cannot be made (${reason}): set SLUICE_LAB_DIR to a folder that can be written to`,
      { cause },
    );
  }
}

function makeWithParents(path: string): void {
  const parent = dirname(path);
  if (make(path) || parent === path) return;
  makeWithParents(parent);
  // The parent exists now: a folder that is still missing will not appear by trying again.
  if (!make(path)) mkdirSync(path, FOLDER_MODE);
}

/** False when the folder above is missing. */
function make(path: string): boolean {
  try {
    mkdirSync(path, FOLDER_MODE);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return false;
    if (code !== 'EEXIST') throw error;
  }
  return true;
}
