/** One manifest file: its documents, and what of them holds while some are broken. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { messageOf } from '../../common/errno.ts';
import {
  type DocumentContent,
  type DocumentContext,
  type DocumentObject,
  type OtherObject,
  readDocument,
  readValue,
} from '../objects/index.ts';
import type { ManifestProblem } from '../problem.ts';
import { cutDocuments } from '../text/index.ts';

/** Where an object stands: file, and document counted from 1. */
export interface ManifestPlace {
  readonly file: string;
  readonly document: number;
}

/** An object that a verdict depends on, and where it stands. */
export type LoadedObject = DocumentObject & ManifestPlace;

/** An object of any other kind, as it stands in the file. */
export type RawObject = OtherObject & ManifestPlace;

/** What one file holds. */
export interface ManifestFile {
  readonly file: string;
  /** What was read; of a file that cannot be read, why. */
  readonly text: string;
  readonly objects: readonly LoadedObject[];
  readonly others: readonly RawObject[];
  readonly problems: readonly ManifestProblem[];
  /** At least one document could not be taken in, or was passed over. */
  readonly broken: boolean;
  /** Documents by their text, so that an edit costs no more than the documents it touches. */
  readonly documents: ReadonlyMap<string, DocumentContent>;
}

/** A manifest larger than this is refused: it is more likely a stray file. Bytes. */
export const MAX_FILE_BYTES = 64 * 1024 * 1024;

/** Read at a time of what does not say its size, such as a pipe or a device. Bytes. */
const CHUNK_BYTES = 64 * 1024;

/** What messages call the manifests that come through standard input. */
export const STANDARD_INPUT = 'standard input';

/** What reading a file starts from. */
export interface FileContext {
  /** The file as it was: documents with the same text are taken from there. */
  readonly previous?: ManifestFile | undefined;
  /** Where namespaced objects without a namespace are; default `default`. */
  readonly namespace?: string | undefined;
  /** Called before each document: what it throws ends the reading. */
  readonly beforeDocument?: (() => void) | undefined;
}

/** Reads a file. Never throws: a file that cannot be read is a broken one. */
export function readManifestFile(file: string, context: FileContext = {}): ManifestFile {
  let bytes: Buffer;
  try {
    bytes = readBounded(file);
  } catch (cause) {
    return unreadable(file, `cannot be read: ${messageOf(cause)}`);
  }
  return readManifestBytes(file, bytes, context);
}

/**
 * Reads standard input, or a pipe, to its end, as a file is read. Never throws.
 * @param file what messages call it
 */
export async function readManifestInput(
  input: AsyncIterable<Buffer | string>,
  context: FileContext = {},
  file = STANDARD_INPUT,
): Promise<ManifestFile> {
  let bytes: Buffer;
  try {
    bytes = await readInputBytes(input);
  } catch (cause) {
    return unreadable(file, `cannot be read: ${messageOf(cause)}`);
  }
  return readManifestBytes(file, bytes, context);
}

/** All bytes of an input; of one that is too large for a manifest some more than it may have. @throws what the input does */
export async function readInputBytes(input: AsyncIterable<Buffer | string>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of input) {
    const bytes = Buffer.from(chunk);
    chunks.push(bytes);
    size += bytes.length;
    if (size > MAX_FILE_BYTES) break;
  }
  return Buffer.concat(chunks);
}

/** Objects that come from elsewhere than a text, such as an API server, as if from a file. They have no places. Never throws. */
export function manifestFileOf(file: string, items: readonly unknown[]): ManifestFile {
  const content = readValue({ apiVersion: 'v1', kind: 'List', items }, { file });
  const place = { file, document: 0 };
  return {
    file,
    text: '',
    objects: content.objects.map((object) => ({ ...object, ...place })),
    others: content.others.map((other) => ({ ...other, ...place })),
    problems: content.problems.map((problem) => ({ ...place, ...problem })),
    broken: isBroken(content.problems),
    documents: new Map(),
  };
}

/**
 * The bytes of a file, and of one that is too large a few more than it may have: enough to know that it is, however long it is.
 * @throws Error of `node:fs`
 */
function readBounded(file: string): Buffer {
  const descriptor = openSync(file, 'r');
  try {
    const { size } = fstatSync(descriptor);
    // One more than there should be, so that the end is seen at once.
    const chunkBytes = size > 0 ? Math.min(size, MAX_FILE_BYTES) + 1 : CHUNK_BYTES;
    const chunks: Buffer[] = [];
    let total = 0;
    while (total <= MAX_FILE_BYTES) {
      const chunk = Buffer.allocUnsafe(chunkBytes);
      const count = readSync(descriptor, chunk);
      if (count === 0) break;
      chunks.push(chunk.subarray(0, count));
      total += count;
    }
    return Buffer.concat(chunks);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Reads what a file holds, wherever its bytes come from. Never throws.
 * @param file what messages call it
 */
export function readManifestBytes(file: string, bytes: Buffer, context: FileContext = {}): ManifestFile {
  if (bytes.length > MAX_FILE_BYTES) return unreadable(file, `is larger than ${MAX_FILE_BYTES} bytes`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return unreadable(file, 'is not UTF-8 text');
  }
  return parseManifest(file, text, context);
}

function parseManifest(
  file: string,
  text: string,
  { previous, namespace, beforeDocument }: FileContext,
): ManifestFile {
  const context: DocumentContext = { file, ...(namespace === undefined ? {} : { namespace }) };
  const documents = new Map<string, DocumentContent>();
  const objects: LoadedObject[] = [];
  const others: RawObject[] = [];
  const problems: ManifestProblem[] = [];
  for (const { number: document, line, text: part, json } of cutDocuments(text)) {
    beforeDocument?.();
    // The line is part of a syntax error's message, so a broken document is read again.
    const known = previous?.documents.get(part);
    const content = known && known.problems.length === 0 ? known : readDocument(part, line, context, json);
    documents.set(part, content);
    for (const object of content.objects) objects.push({ ...object, file, document });
    for (const other of content.others) others.push({ ...other, file, document });
    for (const problem of content.problems) problems.push({ file, document, ...problem });
  }
  return { file, text, objects, others, problems, broken: isBroken(problems), documents };
}

/**
 * What holds of a file after an edit. Fail static: while any document is broken, nothing of the file is taken away.
 * Readable objects are taken as they now are, a broken object stays as it last was, and so does what the file no
 * longer seems to name. A broken policy that was never good isolates. A file that has become empty takes nothing away
 * either: a shell's `>` empties a file long before the command behind it writes, and its policies must not end then.
 */
export function keepLastGood(previous: ManifestFile | undefined, next: ManifestFile): ManifestFile {
  if (previous === undefined) return next;
  if (next.text.trim() === '' && previous.objects.length > 0) return emptied(previous, next);
  if (!next.broken) return next;
  const good = new Set(next.objects.filter((object) => !isIsolating(object)).map(objectId));
  const kept = previous.objects.filter((object) => !good.has(objectId(object)));
  const keptGood = new Set(kept.filter((object) => !isIsolating(object)).map(objectId));
  const taken = next.objects.filter((object) => !keptGood.has(objectId(object)));
  const takenIds = new Set(taken.map(objectId));
  return { ...next, objects: [...taken, ...kept.filter((object) => !takenIds.has(objectId(object)))] };
}

/** Whether `next` no longer has an object that `previous` has. */
export function losesObjects(previous: ManifestFile | undefined, next: ManifestFile): boolean {
  const ids = new Set(next.objects.map(objectId));
  return previous?.objects.some((object) => !ids.has(objectId(object))) ?? false;
}

/** Identifies an object across files. */
export function objectId(object: Pick<DocumentObject, 'kind' | 'key'>): string {
  return `${object.kind} ${object.key}`;
}

/** Whether an object is a broken policy. */
export function isIsolating(object: DocumentObject): boolean {
  return object.isolating;
}

/** A document that is no object may be one that is being written. */
function isBroken(problems: readonly Pick<ManifestProblem, 'severity' | 'passedOver'>[]): boolean {
  return problems.some((problem) => problem.severity === 'error' || problem.passedOver);
}

function emptied(previous: ManifestFile, next: ManifestFile): ManifestFile {
  const message = 'is empty: its last objects stay in force; remove the file to take them away';
  const problem: ManifestProblem = { file: next.file, document: 0, message, severity: 'error' };
  return { ...next, objects: previous.objects, problems: [problem] };
}

function unreadable(file: string, message: string): ManifestFile {
  const problem: ManifestProblem = { file, document: 0, message, severity: 'error' };
  return {
    file,
    text: message,
    objects: [],
    others: [],
    problems: [problem],
    broken: true,
    documents: new Map(),
  };
}
