/** Settings of a pod's sidecar that its manifest asks for by annotation. Read when the sidecar starts. */

import { readFileSync } from 'node:fs';
import { SluiceError } from '../../policy/errors.ts';
import type { LabPaths } from './state.ts';
import { objectFile } from './store.ts';

/** Annotations, the environment variable each one sets, and the values it may have. */
export const SIDECAR_ANNOTATIONS = [
  { annotation: 'sluice.dev/deny', env: 'SLUICE_DENY', values: ['drop', 'reset'] },
  { annotation: 'sluice.dev/other-protocols', env: 'SLUICE_OTHER_PROTOCOLS', values: ['drop', 'accept'] },
] as const;

/**
 * The environment that a pod's annotations ask for.
 * @param key `namespace/name`
 * @throws SluiceError `LAB_MANIFESTS_INVALID` naming the annotation with a wrong value
 */
export function annotatedEnvironment(paths: LabPaths, key: string): Record<string, string> {
  const annotations = annotationsOf(objectFile(paths, { kind: 'Pod', key }));
  const environment: Record<string, string> = {};
  for (const { annotation, env, values } of SIDECAR_ANNOTATIONS) {
    const value = annotations[annotation];
    if (value === undefined) continue;
    if (!(values as readonly unknown[]).includes(value)) {
      throw new SluiceError(
        'LAB_MANIFESTS_INVALID',
        `annotation ${annotation} of pod ${key} is '${value}': wants one of ${values.join(', ')}`,
      );
    }
    environment[env] = String(value);
  }
  return environment;
}

function annotationsOf(file: string): Readonly<Record<string, unknown>> {
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as {
    metadata?: { annotations?: Readonly<Record<string, unknown>> };
  };
  return manifest.metadata?.annotations ?? {};
}
