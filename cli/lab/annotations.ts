/** Settings of a pod's sidecar that its manifest asks for by annotation. Read when the sidecar starts. */

import { readFileSync } from 'node:fs';
import { annotatedEnvironment as sidecarEnvironment } from '../../injector/admission/annotations.ts';
import { SluiceError } from '../../policy/errors.ts';
import type { LabPaths } from './state.ts';
import { objectFile } from './store.ts';

/**
 * The environment that a pod's annotations ask for.
 * @param key `namespace/name`
 * @throws SluiceError `LAB_MANIFESTS_INVALID` naming the annotation with a wrong value
 */
export function annotatedEnvironment(paths: LabPaths, key: string): Readonly<Record<string, string>> {
  const { environment, problems } = sidecarEnvironment(
    annotationsOf(objectFile(paths, { kind: 'Pod', key })),
  );
  if (problems.length > 0)
    throw new SluiceError('LAB_MANIFESTS_INVALID', `pod ${key}: ${problems.join('; ')}`);
  return environment;
}

function annotationsOf(file: string): Readonly<Record<string, unknown>> {
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as {
    metadata?: { annotations?: Readonly<Record<string, unknown>> };
  };
  return manifest.metadata?.annotations ?? {};
}
