/** How much one command reads. */
import { SluiceError } from '../../common/errors.ts';

/** Files of one command. A repository of manifests has hundreds; more is a folder that was not meant, such as `/`. */
const MAX_FILES = 20_000;

/** All files of one command together, bytes. Ten thousand pods as the API prints them are some 100 MB. */
const MAX_BYTES = 512 * 1024 * 1024;

/** All objects of a cluster. Ten thousand pods with all that belongs to them are some 50,000; each takes some 10 kB. */
export const MAX_OBJECTS = 300_000;

/** All of these, for the pages that say so. */
export const INPUT_LIMITS = { files: MAX_FILES, bytes: MAX_BYTES, objects: MAX_OBJECTS } as const;

/** What is read so far. */
export interface Bounds {
  /** @throws SluiceError `INPUT_TOO_LARGE` */
  add(bytes: number): void;
  /** @throws SluiceError `INPUT_TOO_LARGE` */
  checkCount(files: number): void;
}

/** Counts from nothing. */
export function createBounds(): Bounds {
  let files = 0;
  let bytes = 0;
  const tooLarge = (what: string) =>
    new SluiceError('INPUT_TOO_LARGE', `-f comes to more than ${what}: name the folders that hold manifests`);
  const checkCount = (count: number): void => {
    if (count > MAX_FILES) throw tooLarge(`${MAX_FILES} files`);
  };
  return {
    checkCount,
    add(more) {
      files += 1;
      bytes += more;
      checkCount(files);
      if (bytes > MAX_BYTES) throw tooLarge(`${MAX_BYTES / 1024 / 1024} MiB`);
    },
  };
}
