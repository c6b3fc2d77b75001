/** Reads Kubernetes manifests from files and directories, once: for the CLI and the lab. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { codeOf, messageOf } from '../common/errno.ts';
import { SluiceError } from '../common/errors.ts';
import { environmentOf } from '../common/options.ts';
import type { Cluster } from '../policy/index.ts';
import { policyExcess, withoutRules } from '../policy/index.ts';
import { clusterOf, mergeManifests } from './cluster_merge.ts';
import {
  type LoadedObject,
  listManifests,
  type ManifestFile,
  objectId,
  type RawObject,
  readManifestFile,
  readManifestInput,
} from './files/index.ts';
import { POLICY_LIMIT_OPTIONS, policyLimitsOf } from './policy_limit_options.ts';
import type { ManifestProblem } from './problem.ts';

/** What a set of manifests holds. */
export interface Manifests {
  readonly cluster: Cluster;
  /** The objects of `cluster`, with where they stand and what they were read from (`raw`). */
  readonly objects: readonly LoadedObject[];
  /** Objects of kinds that no table depends on, such as Deployments. */
  readonly others: readonly RawObject[];
  /** What was read, in order; `createPlaces` finds fields in it. */
  readonly files: readonly ManifestFile[];
  /** Faults of single documents; a broken policy isolates what it selects, and its good rules count. */
  readonly problems: readonly ManifestProblem[];
}

/** The path that means standard input, as in kubectl. */
export const INPUT_PATH = '-';

/** How manifests are read. */
export interface ReadOptions {
  /** Where namespaced objects without a namespace are, from `-n`; default `default`, as in kubectl. */
  readonly namespace?: string | undefined;
  /** What `-` stands for; default standard input. */
  readonly input?: AsyncIterable<Buffer | string>;
}

/**
 * Reads files (of any name) and directories (`.yaml`, `.yml`, `.json`, with subdirectories). Files may hold several
 * documents, and lists. They are read as kubectl reads them. `-` is `input`; a file of that name is `./-`. How large
 * policies may be the environment says, as with an injector.
 * @throws SluiceError `MANIFEST_UNREADABLE` when a path does not exist or cannot be listed; `CONFIG_INVALID` when a variable has
 *   a wrong value
 */
export async function readManifests(
  paths: readonly string[],
  { namespace, input = process.stdin }: ReadOptions = {},
): Promise<Manifests> {
  const files = new Map<string, string>();
  const loaded: ManifestFile[] = [];
  // Before standard input, which may be slow to come.
  for (const path of paths) {
    if (path === INPUT_PATH) continue;
    // The first spelling of a file stays, and a file given twice is read once.
    for (const file of filesAt(path)) if (!files.has(resolve(file))) files.set(resolve(file), file);
  }
  for (const file of files.values()) loaded.push(readManifestFile(file, { namespace }));
  if (paths.includes(INPUT_PATH)) loaded.push(await readManifestInput(input, { namespace }));
  return manifestsOf(loaded);
}

/**
 * What files hold together. How large policies may be the environment says, as with an injector.
 * @throws SluiceError `CONFIG_INVALID` when a variable has a wrong value
 */
export function manifestsOf(loaded: readonly ManifestFile[]): Manifests {
  const limits = policyLimitsOf(process.env);
  const merged = mergeManifests(loaded);
  const excess = policyExcess(merged.cluster, limits);
  const objects = merged.objects.map((object) =>
    object.kind === 'NetworkPolicy' && excess.has(object.key) ? isolating(object) : object,
  );
  return {
    cluster: excess.size === 0 ? merged.cluster : clusterOf(objects),
    objects,
    others: loaded.flatMap((file) => file.others),
    files: loaded,
    problems: [
      ...loaded.flatMap((file) => file.problems),
      ...merged.problems,
      ...objects.flatMap((object) => excessProblem(object, excess.get(object.key)) ?? []),
    ],
  };
}

/** A policy beyond a bound isolates and admits nothing, as with an injector of the same settings. */
function isolating(loaded: LoadedObject & { readonly kind: 'NetworkPolicy' }): LoadedObject {
  return { ...loaded, object: withoutRules(loaded.object), isolating: true };
}

function excessProblem(object: LoadedObject, message: string | undefined): ManifestProblem | undefined {
  if (message === undefined || object.kind !== 'NetworkPolicy') return undefined;
  const { file, document } = object;
  const isDefault = Object.keys(environmentOf(POLICY_LIMIT_OPTIONS, process.env)).length === 0;
  return {
    file,
    document,
    object: objectId(object),
    message: `${message}, ${isDefault ? 'by default limits' : 'by the limits of this environment'}`,
    severity: 'error',
  };
}

/**
 * The files that a path stands for: itself, or a directory's manifests.
 * @throws SluiceError `MANIFEST_UNREADABLE`
 */
export function filesAt(path: string): readonly string[] {
  try {
    return statSync(path).isDirectory() ? listManifests(path).files : [path];
  } catch (cause) {
    const reason = codeOf(cause) === 'ENOENT' ? notThere(path) : messageOf(cause);
    throw new SluiceError('MANIFEST_UNREADABLE', `${path} cannot be read: ${reason}`, { cause });
  }
}

function notThere(path: string): string {
  const isPattern = /[*?[]/.test(path);
  return `there is no such file or folder${isPattern ? '; patterns are for the shell: leave out the quotes, or name the folder' : ''}`;
}
