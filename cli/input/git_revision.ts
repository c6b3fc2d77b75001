/** Manifests of a git revision, without checking it out: `main:k8s/`, as git itself writes a path in a revision. */
import { execFile } from 'node:child_process';
import { basename, relative, sep } from 'node:path';
import { codeOf, firstLineOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import { printable } from '../../common/printable.ts';
import { fieldsOf } from '../../common/shape.ts';
import { isManifestName } from '../../sources/index.ts';
import type { Bounds } from './bounds.ts';

/** A file of a revision. */
export interface RevisionFile {
  /** `main:k8s/web.yaml`. */
  readonly file: string;
  readonly bytes: Buffer;
}

/** The same, before it is read. */
interface Listed {
  readonly file: string;
  readonly id: string;
}

/** A tree of 20,000 files takes 2 MB to list; more than this is no folder of manifests. Bytes. */
const MAX_LISTING = 64 * 1024 * 1024;

/** What stands around each file in git's answer: its id, type and size, and line ends. Bytes. */
const FRAME_BYTES = 128;

/** git answers from the disk; a repository on a network that hangs shall not hang the command. */
const TIME_MS = 60_000;

/** Exit status of `git rev-parse --verify --quiet` for what is not there. */
const GIT_SAYS_NO = 1;

/** Regular files, executable or not. Links and submodules are not followed. Source: git-fast-import(1), "mode". */
const FILE_MODES: readonly string[] = ['100644', '100755'];

/** Whether a path is written as one in a revision. A flag of git is none, and no URL. */
export function isRevisionPath(path: string): boolean {
  return /^[^-:][^:]*:(?!\/\/)/.test(path);
}

/**
 * What a revision has at a path: the file, or the manifests of the folder, as of a folder on disk.
 * @throws SluiceError `GIT_UNREADABLE`, `INPUT_TOO_LARGE`
 */
export async function readRevision(
  given: string,
  { signal, bounds }: { readonly signal: AbortSignal; readonly bounds: Bounds },
): Promise<readonly RevisionFile[]> {
  // git takes `./` for a path from here, and `.` for a name.
  const path = given.replace(/:\.{1,2}$/, '$&/');
  const colon = path.indexOf(':');
  const git = (args: readonly string[], maxBuffer: number, input = '') =>
    runGit(path, args, { signal, maxBuffer, input });
  const object = (await git(['rev-parse', '--verify', '--quiet', '--end-of-options', path], MAX_LISTING))
    .toString()
    .trim();
  const type = (await git(['cat-file', '-t', object], MAX_LISTING)).toString().trim();
  let total = 0;
  const listed: Listed[] = [];
  const add = (file: string, id: string, size: number): void => {
    bounds.add(size);
    total += size + FRAME_BYTES;
    listed.push({ file, id });
  };
  if (type === 'blob') {
    const size = Number((await git(['cat-file', '-s', object], MAX_LISTING)).toString());
    add(path, object, size);
  } else {
    const folder = path.slice(colon + 1).replace(/\/$/, '');
    const prefix = `${path.slice(0, colon)}:${folder === '' || folder.endsWith('/') ? folder : `${folder}/`}`;
    // In a subfolder, git would list what the tree has at the path of that folder.
    const listing = (await git(['ls-tree', '--full-tree', '-r', '-z', '-l', object], MAX_LISTING)).toString();
    for (const entry of listing.split('\0')) {
      // `<mode> <type> <object> <size>\t<file>`, the size padded.
      const [, mode = '', id = '', size = '', name = ''] =
        /^(\d+) blob (\S+) +(\d+)\t(.*)$/s.exec(entry) ?? [];
      if (FILE_MODES.includes(mode) && isManifest(name)) add(`${prefix}${name}`, id, Number(size));
    }
  }
  if (listed.length === 0) return [];
  const blobs = await git(['cat-file', '--batch'], total, listed.map(({ id }) => `${id}\n`).join(''));
  return filesOf(listed, blobs, path);
}

/** As in a folder: no part of the path begins with a dot. */
function isManifest(name: string): boolean {
  return isManifestName(basename(name)) && !name.split('/').some((part) => part.startsWith('.'));
}

/**
 * Those of some paths that a revision has: by path, what they are in it.
 * @param paths on disk, there or not
 * @throws SluiceError `GIT_UNREADABLE` where there is no such revision
 */
export async function pathsInRevision(
  revision: string,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const has = async (name: string): Promise<boolean> => {
    const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', name];
    try {
      await runGit(name, args, { signal, maxBuffer: MAX_LISTING, input: '' });
      return true;
    } catch (error) {
      // Its status where there is no such thing; any other is a failure.
      if (error instanceof SluiceError && fieldsOf(error.cause).code === GIT_SAYS_NO) return false;
      throw error;
    }
  };
  if (!(await has(`${revision}^{tree}`)))
    throw new SluiceError('GIT_UNREADABLE', `${printable(revision)} is no revision that git has here`);
  const there = new Map<string, string>();
  for (const path of paths) {
    const written = `${revision}:./${relative('', path).split(sep).join('/')}`;
    if (await has(written)) there.set(path, written);
  }
  return there;
}

/** `<object> blob <size>\n<bytes>\n` for each. Source: git-cat-file(1), "BATCH OUTPUT". */
function filesOf(listed: readonly Listed[], blobs: Buffer, path: string): readonly RevisionFile[] {
  let at = 0;
  return listed.map(({ file }) => {
    const lineEnd = blobs.indexOf('\n', at);
    const size = Number(/ blob (\d+)$/.exec(blobs.toString('latin1', at, lineEnd))?.[1] ?? Number.NaN);
    if (lineEnd === -1 || !Number.isSafeInteger(size)) throw unreadable(path, `${file} is not there`);
    const bytes = blobs.subarray(lineEnd + 1, lineEnd + 1 + size);
    at = lineEnd + 1 + size + 1;
    return { file, bytes };
  });
}

function runGit(
  path: string,
  args: readonly string[],
  {
    signal,
    maxBuffer,
    input,
  }: { readonly signal: AbortSignal; readonly maxBuffer: number; readonly input: string },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // What is missing in a partial clone is not fetched, and nothing is asked for.
    const env = { ...process.env, GIT_NO_LAZY_FETCH: '1', GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' };
    const child = execFile(
      'git',
      args,
      { encoding: 'buffer', maxBuffer, signal, timeout: TIME_MS, env },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(unreadable(path, reasonOf(error, stderr.toString()), error));
      },
    );
    child.stdin?.on('error', () => {}); // it may end before it has read all: its status says so
    child.stdin?.end(input);
  });
}

function reasonOf(error: Error, said: string): string {
  if (codeOf(error) === 'ENOENT') return 'git is not installed';
  if (codeOf(error) === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return 'git says more than it may';
  const [first = ''] = said.split('\n');
  return first.replace(/^fatal: /, '') || 'there is no such revision, or no such path in it';
}

function unreadable(path: string, reason: string, cause?: unknown): SluiceError {
  return new SluiceError(
    'GIT_UNREADABLE',
    `${printable(path)} is no file, and cannot be read from git: ${printable(firstLineOf(reason))}`,
    { cause },
  );
}
