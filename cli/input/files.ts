/** Manifests of files, folders, standard input and git revisions, within bounds. */
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  filesAt,
  INPUT_PATH,
  type ManifestFile,
  type Manifests,
  manifestsOf,
  readManifestBytes,
  readManifestFile,
  readManifestInput,
} from '../../sources/index.ts';
import { createBounds } from './bounds.ts';
import { isRevisionPath, readRevision } from './git_revision.ts';
import { isPipe, openPipe } from './pipe.ts';
import type { ReadContext } from './read_context.ts';

/** Files read in one turn of the event loop, between which a time limit counts and progress is shown. */
const FILES_A_TURN = 50;

/** How files are read. */
export interface FileContext extends ReadContext {
  /** Of objects without one. */
  readonly namespace?: string;
}

/**
 * A path that exists is that path; else `REVISION:PATH` is what a git revision has there.
 * @throws SluiceError `MANIFEST_UNREADABLE`, `GIT_UNREADABLE`, `INPUT_TOO_LARGE`
 */
export async function readFiles(paths: readonly string[], context: FileContext): Promise<Manifests> {
  const { namespace, progress, signal, checkTime, standardInput = process.stdin } = context;
  const reading = { namespace, beforeDocument: checkTime };
  const bounds = createBounds();
  const files = new Map<string, string>();
  const loaded: ManifestFile[] = [];
  const revisions: string[] = [];
  for (const path of paths) {
    if (path === INPUT_PATH) continue;
    if (!existsSync(path) && isRevisionPath(path)) {
      revisions.push(path);
      continue;
    }
    // The first spelling of a file stays, and a file given twice is read once.
    for (const file of filesAt(path)) if (!files.has(resolve(file))) files.set(resolve(file), file);
    bounds.checkCount(files.size);
  }
  for (const file of files.values()) bounds.add(sizeOf(file));
  for (const file of files.values()) {
    loaded.push(
      isPipe(file) ? await readManifestPipe(file, { ...reading, signal }) : readManifestFile(file, reading),
    );
    signal.throwIfAborted();
    if (loaded.length % FILES_A_TURN !== 0) continue;
    progress.say(`read ${loaded.length} of ${files.size} files`);
    await new Promise((resolveTurn) => setImmediate(resolveTurn));
    signal.throwIfAborted();
  }
  for (const path of new Set(revisions)) {
    progress.say(`reading ${path} from git`);
    const found = await readRevision(path, { signal, bounds });
    for (const { file, bytes } of found) {
      // Paths may lie in each other.
      if (files.has(file)) continue;
      files.set(file, file);
      loaded.push(readManifestBytes(file, bytes, reading));
    }
  }
  if (paths.includes(INPUT_PATH)) {
    progress.say('reading standard input');
    loaded.push(await readManifestInput(standardInput, reading));
  }
  return manifestsOf(loaded);
}

/** Never throws, as the readers of files and of standard input. */
async function readManifestPipe(
  file: string,
  { signal, ...reading }: NonNullable<Parameters<typeof readManifestInput>[1]> & Pick<ReadContext, 'signal'>,
): Promise<ManifestFile> {
  async function* bytes(): AsyncGenerator<Buffer> {
    yield* openPipe(file, signal);
  }
  return await readManifestInput(bytes(), reading, file);
}

/** 0 where it is not known, as of a pipe: the reader of files has a bound of its own. */
function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch {
    return 0; // What is wrong with it the reader says.
  }
}
