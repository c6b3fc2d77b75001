/** Reads Kubernetes manifests from files and directories, once: for the CLI and the lab. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { SluiceError } from '../policy/errors.ts';
import type { Cluster } from '../policy/model.ts';
import { mergeManifests } from './cluster_merge.ts';
import {
  type LoadedObject,
  type ManifestFile,
  type RawObject,
  readManifestFile,
  readManifestInput,
} from './manifest_file.ts';
import { listManifests } from './manifest_paths.ts';
import type { ManifestProblem } from './manifest_problem.ts';

export type { LoadedObject, RawObject } from './manifest_file.ts';
export { describeProblem, type ManifestProblem } from './manifest_problem.ts';

/** What a set of manifests holds. */
export interface Manifests {
  readonly cluster: Cluster;
  /** The objects of `cluster`, with where they stand and what they were read from (`raw`). */
  readonly objects: readonly LoadedObject[];
  /** Objects of kinds that no table depends on, such as Deployments. */
  readonly others: readonly RawObject[];
  /** Faults of single documents; a broken policy isolates what it selects. */
  readonly problems: readonly ManifestProblem[];
}

/** The path that means standard input, as in kubectl. */
export const INPUT_PATH = '-';

/**
 * Reads files (of any name) and directories (`.yaml`, `.yml`, `.json`, with subdirectories). Files may hold several
 * documents, and lists. `-` is `input`; a file of that name is `./-`.
 * @throws SluiceError `MANIFEST_UNREADABLE` when a path does not exist or cannot be listed.
 */
export async function readManifests(
  paths: readonly string[],
  input: AsyncIterable<Buffer | string> = process.stdin,
): Promise<Manifests> {
  const files = new Map<string, string>();
  const loaded: ManifestFile[] = [];
  // Before standard input, which may be slow to come.
  for (const path of paths) {
    if (path === INPUT_PATH) continue;
    // The first spelling of a file stays, and a file given twice is read once.
    for (const file of expand(path)) if (!files.has(resolve(file))) files.set(resolve(file), file);
  }
  for (const file of files.values()) loaded.push(readManifestFile(file));
  if (paths.includes(INPUT_PATH)) loaded.push(await readManifestInput(input));
  const merged = mergeManifests(loaded);
  return {
    cluster: merged.cluster,
    objects: merged.objects,
    others: loaded.flatMap((file) => file.others),
    problems: [...loaded.flatMap((file) => file.problems), ...merged.problems],
  };
}

function expand(path: string): readonly string[] {
  try {
    return statSync(path).isDirectory() ? listManifests(path).files : [path];
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SluiceError('MANIFEST_UNREADABLE', `${path} cannot be read: ${reason}`, { cause });
  }
}
