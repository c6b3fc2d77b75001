/**
 * A lab's manifests: one file per object, as the API server would hold them. The injector watches the folder, so a
 * change is a file put in place or removed, never one half-written.
 */

import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../../common/errors.ts';
import { printable } from '../../common/printable.ts';
import { fieldsOf } from '../../common/shape.ts';
import { unknownAnnotations } from '../../injector/admission/index.ts';
import { isSubject } from '../../policy/index.ts';
import type { DocumentObject, RawManifest } from '../../sources/index.ts';
import { type Manifests, problemLines, readManifests } from '../../sources/index.ts';
import { fileSlug, type LabPaths } from '../names/index.ts';

/** An object that goes into a store: its kind, its key, and the manifest as it was written. */
export type StoreObject = Pick<DocumentObject, 'kind' | 'key' | 'raw'>;

/** An object's annotations as they are written: values may be of any type. */
export type Annotations = Readonly<Record<string, unknown>>;

/** Problems listed in one error message; more are only counted. */
const LISTED_PROBLEMS = 20;

/**
 * Reads manifests for the lab. Warnings go to `warn`. `namespace` is that of objects that do not say theirs.
 * @throws SluiceError `LAB_MANIFESTS_INVALID` with every error, its file, document and field
 */
export async function readForLab(
  paths: readonly string[],
  warn: (message: string) => void,
  namespace?: string,
): Promise<Manifests> {
  const manifests = await readManifests(paths, { namespace });
  const errors: string[] = [];
  for (const { severity, text } of problemLines(manifests.problems)) {
    if (severity === 'error') errors.push(text);
    else warn(text);
  }
  for (const object of manifests.objects) {
    if (object.kind === 'Service' && wantsAddress(object)) {
      warn(`Service ${object.key} has no spec.clusterIP: give it one, or the lab serves it nowhere`);
    }
    if (object.kind === 'Pod') {
      for (const problem of unknownAnnotations(annotationsOf(object.raw)))
        warn(`pod ${object.key}: ${problem}`);
    }
  }
  if (errors.length > 0) throw manifestsInvalid(errors);
  return manifests;
}

/** Says which pods are left out of a lab for want of an address. */
export function warnOfPods(objects: readonly DocumentObject[], warn: (message: string) => void): void {
  for (const object of objects)
    if (object.kind === 'Pod' && isSubject(object.object) && object.object.ips.length === 0)
      warn(`pod ${object.key} has no status.podIP: it is left out of the lab`);
}

/** What is wrong with manifests of which nothing has been taken in. */
export function manifestsInvalid(errors: readonly string[]): SluiceError {
  const more = errors.length > LISTED_PROBLEMS ? `\n  and ${errors.length - LISTED_PROBLEMS} more` : '';
  return new SluiceError(
    'LAB_MANIFESTS_INVALID',
    `the manifests have errors; nothing was changed:\n  ${errors.slice(0, LISTED_PROBLEMS).map(printable).join('\n  ')}${more}`,
  );
}

/** Whether a cluster would assign the Service a virtual address: a lab cannot, as manifests say all addresses there. */
function wantsAddress({ object, raw }: Extract<DocumentObject, { kind: 'Service' }>): boolean {
  const { clusterIP, type } = fieldsOf(raw.spec);
  return object.clusterIPs.length === 0 && clusterIP !== 'None' && type !== 'ExternalName';
}

/** A manifest's annotations; none where it has none. */
export function annotationsOf(manifest: RawManifest): Annotations {
  // As an API server reads them: a value that is not there is empty text.
  return Object.fromEntries(
    Object.entries(fieldsOf(fieldsOf(manifest.metadata).annotations)).map(([name, value]) => [
      name,
      value ?? '',
    ]),
  );
}

/** Puts objects in place. A watcher sees them come together: drafts are written first, then only renamed. */
export function putObjects(paths: LabPaths, objects: readonly StoreObject[]): void {
  const drafts = objects.map((object, index) => {
    const draft = join(paths.folder, `draft-${process.pid}-${index}`);
    writeFileSync(draft, `${JSON.stringify(object.raw, undefined, 2)}\n`, { mode: 0o600 });
    return { draft, file: objectFile(paths, object) };
  });
  for (const { draft, file } of drafts) renameSync(draft, file);
}

/** Takes objects out; those that are not there are left alone. */
export function removeObjects(paths: LabPaths, objects: readonly Pick<StoreObject, 'kind' | 'key'>[]): void {
  for (const object of objects) rmSync(objectFile(paths, object), { force: true });
}

/** The file of an object. */
export function objectFile(paths: LabPaths, object: Pick<StoreObject, 'kind' | 'key'>): string {
  return join(paths.manifests, `${object.kind.toLowerCase()}.${fileSlug(object.key)}.json`);
}
