/** Which files of a directory are manifests. */

import { lstatSync, readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../../common/errno.ts';

/** Files and folders of a directory tree. */
export interface ManifestPaths {
  /** Sorted, so that the order of loading is the same on each run. */
  readonly files: readonly string[];
  /** The directory itself and those below it. */
  readonly directories: readonly string[];
}

/** As `kubectl -f DIR` reads them. Editors' backups (`web.yaml~`, `#web.yaml#`) do not end so. */
const EXTENSION = /\.(?:ya?ml|json)$/;

/** Whether a file of this name in a folder is a manifest. */
export function isManifestName(name: string): boolean {
  return EXTENSION.test(name);
}

/**
 * Lists the manifests below a directory. Names that start with a dot are left out: editors' swap files, and the
 * `..data` folders behind a mounted ConfigMap, whose visible names are links and are followed. A link that leads nowhere
 * is listed: who reads it finds out, and a policy does not vanish unseen.
 * @param onDirectory Called with each directory before it is read, so that a watch on it misses nothing.
 * @throws Error of `node:fs` when `directory` itself cannot be read; what vanishes meanwhile is left out.
 */
export function listManifests(directory: string, onDirectory?: (path: string) => void): ManifestPaths {
  const files: string[] = [];
  const directories: string[] = [];
  const seen = new Set<string>();
  const walk = (path: string): void => {
    onDirectory?.(path);
    const names = readdirSync(path).toSorted();
    directories.push(path);
    for (const name of names) {
      if (name.startsWith('.')) continue;
      const entry = join(path, name);
      const stat = statOf(entry);
      if (EXTENSION.test(name) && (stat === undefined ? isThere(entry) : stat.isFile())) files.push(entry);
      // A link back up the tree ends here.
      if (!stat?.isDirectory() || seen.has(`${stat.dev}:${stat.ino}`)) continue;
      seen.add(`${stat.dev}:${stat.ino}`);
      try {
        walk(entry);
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    }
  };
  const top = statSync(directory);
  seen.add(`${top.dev}:${top.ino}`);
  walk(directory);
  return { files, directories };
}

/** `undefined` for what is gone, and for what cannot be looked at. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** Whether there is more than nothing: a link that leads nowhere or in a circle, or what this user may not look at. */
function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    return !isGone(error);
  }
}

function isGone(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}
