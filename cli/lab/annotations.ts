/** Settings of a pod's sidecar that its manifest asks for by annotation. Read when the sidecar starts. */

import { existsSync, readFileSync } from 'node:fs';
import {
  allows,
  excludedPorts,
  annotatedEnvironment as sidecarEnvironment,
} from '../../injector/admission/annotations.ts';
import { SluiceError } from '../../policy/errors.ts';
import type { LabPaths } from './state.ts';
import { objectFile } from './store.ts';

/**
 * The environment that a pod's annotations ask for.
 * @param key `namespace/name`
 * @throws SluiceError `LAB_MANIFESTS_INVALID` naming the annotation with a wrong value
 */
export function annotatedEnvironment(paths: LabPaths, key: string): Readonly<Record<string, string>> {
  const annotations = annotationsOf(objectFile(paths, { kind: 'Pod', key }));
  const [namespace = ''] = key.split('/');
  const ofNamespace = annotationsOf(objectFile(paths, { kind: 'Namespace', key: namespace }));
  const settings = sidecarEnvironment(annotations);
  const excluded = excludedPorts(annotations, allows(ofNamespace, 'allowExcludedPorts'));
  const problems = [...settings.problems, ...excluded.problems];
  if (problems.length > 0)
    throw new SluiceError('LAB_MANIFESTS_INVALID', `pod ${key}: ${problems.join('; ')}`);
  return { ...settings.environment, ...excluded.environment };
}

/** Those of the object in a file; none where there is no such object. */
function annotationsOf(file: string): Readonly<Record<string, unknown>> {
  if (!existsSync(file)) return {};
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as {
    metadata?: { annotations?: Readonly<Record<string, unknown>> };
  };
  return manifest.metadata?.annotations ?? {};
}
