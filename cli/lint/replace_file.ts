/** Gives a file another text: as a whole where its folder can be written to, else in place. */
import {
  chmodSync,
  chownSync,
  closeSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { codeOf } from '../../common/errno.ts';

/** Where the folder may not be written to, or the file is a mount of its own: then it is written in its place. */
const WRITTEN_IN_PLACE: readonly (string | undefined)[] = ['EACCES', 'EPERM', 'EROFS', 'EBUSY'];

/**
 * Writes beside the file and then takes its place, so that a full disk leaves it as it was. Mode and owner stay; of a link, what it
 * leads to is replaced.
 * @throws Error of `node:fs`
 */
export function replaceFile(file: string, text: string): void {
  const path = realpathSync(file);
  const draft = `${path}.${process.pid}.draft`;
  let isMade = false;
  try {
    const { mode, uid, gid } = statSync(path);
    // Nobody else reads it before it has the file's owner and mode.
    const made = openSync(draft, 'wx', 0o600);
    isMade = true;
    try {
      writeFileSync(made, text);
    } finally {
      closeSync(made);
    }
    chownSync(draft, uid, gid);
    chmodSync(draft, mode);
    renameSync(draft, path);
  } catch (error) {
    if (isMade) rmSync(draft, { force: true });
    if (!WRITTEN_IN_PLACE.includes(codeOf(error))) throw error;
    writeFileSync(path, text);
  }
}
