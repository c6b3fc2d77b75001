/** Which of the paths of `-f` are files of cases: those that have `tests` at their top and are no Kubernetes objects. */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { SluiceError } from '../../common/errors.ts';
import { isRecord } from '../../common/shape.ts';
import { filesAt, INPUT_PATH } from '../../sources/index.ts';
import { INPUT_LIMITS } from '../input/index.ts';
import type { Case } from './case.ts';
import { type CaseFault, MAX_CASES, type ReadCases, readCases } from './read_cases.ts';

/** A file of cases, bytes. A case is a line; ten thousand of them are less. */
const MAX_FILE_BYTES = 1024 * 1024;

/** A file that is not JSON has these words at the start of a line only at its top. */
const YAML_TESTS = /^(?:\uFEFF)?(?:tests|'tests'|"tests")[ \t]*:/m;
const YAML_OBJECT = /^(?:\uFEFF)?(?:kind|apiVersion)[ \t]*:/m;

/** What other programs' files of `tests` have not: in a folder there may be some. */
const EXPECTS = /\bexpect['"]?[ \t]*:/;

/** The paths of `-f`. */
export interface SplitPaths {
  readonly cases: readonly { readonly file: string; readonly text: string }[];
  readonly others: readonly string[];
}

/**
 * A folder is among the others, with its manifests; cases in it count too, or nobody would notice that they are not tested.
 * @throws SluiceError `INPUT_TOO_LARGE` for a file of cases that is too large, `MANIFEST_UNREADABLE` for a folder
 */
export function splitPaths(paths: readonly string[]): SplitPaths {
  const cases = new Map<string, { readonly file: string; readonly text: string }>();
  const others: string[] = [];
  const keep = (file: string, text: string | undefined): boolean => {
    if (text !== undefined && !cases.has(resolve(file))) cases.set(resolve(file), { file, text });
    return text !== undefined;
  };
  for (const path of new Set(paths)) {
    if (path !== INPUT_PATH && keep(path, textOfCases(path))) continue;
    others.push(path);
    if (!isFolder(path)) continue;
    const files = filesAt(path);
    // More are refused when they are read.
    for (const file of files.slice(0, INPUT_LIMITS.files)) {
      const text = textOfCases(file);
      if (text !== undefined && EXPECTS.test(text)) keep(file, text);
    }
  }
  return { cases: [...cases.values()], others };
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Undefined for what is no file of cases, and for what cannot be read: the reader of manifests says what is wrong with that. */
function textOfCases(file: string): string | undefined {
  let text: string;
  let size: number;
  try {
    // A pipe is read once, by who needs it: it is no file of cases.
    const status = statSync(file);
    if (!status.isFile()) return undefined;
    size = status.size;
    text = headOf(file);
  } catch {
    return undefined;
  }
  if (!hasCases(text)) return undefined;
  if (size > MAX_FILE_BYTES)
    throw new SluiceError(
      'INPUT_TOO_LARGE',
      `${file} is larger than ${MAX_FILE_BYTES / 1024 / 1024} MiB: cut the cases into several files, and test them one by one`,
    );
  return text;
}

/** @throws the system's error */
function headOf(file: string): string {
  const bytes = Buffer.alloc(MAX_FILE_BYTES);
  const descriptor = openSync(file, 'r');
  try {
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = readSync(descriptor, bytes, length, bytes.length - length, length);
    return bytes.toString('utf8', 0, length);
  } finally {
    closeSync(descriptor);
  }
}

function hasCases(text: string): boolean {
  if (!/^\uFEFF?\s*\{/.test(text)) return YAML_TESTS.test(text) && !YAML_OBJECT.test(text);
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    return isRecord(value) && 'tests' in value && !('kind' in value);
  } catch {
    return /"tests"\s*:/.test(text) && !/"(?:kind|apiVersion)"\s*:/.test(text);
  }
}

/**
 * Reads all of them.
 * @param isNamespaceKnown see `readCases`
 * @throws SluiceError `INPUT_TOO_LARGE`
 */
export function readCaseFiles(files: SplitPaths['cases'], isNamespaceKnown: boolean): ReadCases {
  let cases: readonly Case[] = [];
  let faults: readonly CaseFault[] = [];
  for (const { file, text } of files) {
    const read = readCases(file, text, isNamespaceKnown);
    // Not `push(...)`: that many arguments no call has room for.
    cases = [...cases, ...read.cases];
    faults = [...faults, ...read.faults];
    if (cases.length > MAX_CASES)
      throw new SluiceError(
        'INPUT_TOO_LARGE',
        `there are more than ${MAX_CASES} cases: test one file at a time`,
      );
  }
  return { cases, faults };
}
