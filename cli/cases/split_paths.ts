/** Which of the paths of `-f` are files of cases: on disk, on standard input and in git revisions. */
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { messageOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import { filesAt, INPUT_PATH, readInputBytes, STANDARD_INPUT } from '../../sources/index.ts';
import {
  createBounds,
  INPUT_LIMITS,
  isRevisionPath,
  type ReadContext,
  readRevision,
} from '../input/index.ts';
import { type CaseText, caseText, MAX_CASE_BYTES } from './case_text.ts';

/** The paths of `-f`. */
export interface SplitPaths {
  readonly cases: readonly CaseText[];
  readonly others: readonly string[];
  /** What standard input has, where it was read and is no file of cases. */
  readonly standardInput?: Buffer;
}

/**
 * A folder is among the others, with its manifests; cases in it count too, or nobody would notice that they are not tested.
 * @throws SluiceError `INPUT_TOO_LARGE` for a file of cases that is too large, `MANIFEST_UNREADABLE` for a folder, those of
 * `readRevision`
 */
export async function splitPaths(
  paths: readonly string[],
  { signal }: Pick<ReadContext, 'signal'>,
): Promise<SplitPaths> {
  const cases = new Map<string, CaseText>();
  const others: string[] = [];
  let standardInput: Buffer | undefined;
  const keep = (found: CaseText | undefined): boolean => {
    if (found !== undefined && !cases.has(resolve(found.file))) cases.set(resolve(found.file), found);
    return found !== undefined;
  };
  for (const path of new Set(paths)) {
    if (path === INPUT_PATH) {
      const bytes = await readStandardInput();
      if (keep(caseText(STANDARD_INPUT, bytes, bytes.length, true))) continue;
      standardInput = bytes;
      others.push(path);
      continue;
    }
    if (!existsSync(path) && isRevisionPath(path)) {
      const files = await readRevision(path, { signal, bounds: createBounds() });
      const isOne = files.length === 1 && files[0]?.file === path;
      const found = files.map(({ file, bytes }) => keep(caseText(file, bytes, bytes.length, isOne)));
      if (!isOne || !found.includes(true)) others.push(path);
      continue;
    }
    if (keep(casesAt(path, true))) continue;
    others.push(path);
    if (!isFolder(path)) continue;
    // More are refused when they are read.
    for (const file of filesAt(path).slice(0, INPUT_LIMITS.files)) keep(casesAt(file, false));
  }
  return { cases: [...cases.values()], others, ...(standardInput === undefined ? {} : { standardInput }) };
}

/** What is more than a manifest may have, its reader refuses. @throws SluiceError `MANIFEST_UNREADABLE` */
async function readStandardInput(): Promise<Buffer> {
  try {
    return await readInputBytes(process.stdin);
  } catch (cause) {
    throw new SluiceError('MANIFEST_UNREADABLE', `${STANDARD_INPUT} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Undefined also for what cannot be read: the reader of manifests says what is wrong with that. */
function casesAt(file: string, named: boolean): CaseText | undefined {
  let head: Buffer;
  let size: number;
  try {
    // A pipe is read once, by who needs it: it is no file of cases.
    const status = statSync(file);
    if (!status.isFile()) return undefined;
    size = status.size;
    head = headOf(file);
  } catch {
    return undefined;
  }
  return caseText(file, head, size, named);
}

/** @throws the system's error */
function headOf(file: string): Buffer {
  const bytes = Buffer.alloc(MAX_CASE_BYTES);
  const descriptor = openSync(file, 'r');
  try {
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = readSync(descriptor, bytes, length, bytes.length - length, length);
    return bytes.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}
