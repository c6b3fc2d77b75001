/** Settings of a pod's sidecar that its manifest asks for by annotation. Read when the sidecar starts. */

import { existsSync, readFileSync } from 'node:fs';
import { SluiceError } from '../../common/errors.ts';
import { anything, record, type Shape } from '../../common/shape.ts';
import {
  allows,
  chosenPath,
  excludedPorts,
  nodeTraffic,
  parseAdmittedPod,
  podProbePorts,
  annotatedEnvironment as sidecarEnvironment,
} from '../../injector/admission/index.ts';
import type { DocumentObject, RawManifest } from '../../sources/index.ts';
import { objectId } from '../../sources/index.ts';
import type { LabPaths } from '../names/index.ts';
import type { LabPod, Topology } from '../network/index.ts';
import { annotationsOf, manifestsInvalid, objectFile } from './store.ts';

/**
 * Checks that every pod behind a sidecar has annotations that its sidecar can start with, as admission does in a cluster.
 * @param objects all of the lab
 * @throws SluiceError `LAB_MANIFESTS_INVALID` naming each annotation with a wrong value
 */
export function checkAnnotations({ pods }: Topology, objects: readonly DocumentObject[]): void {
  const manifests = new Map(objects.map((object) => [objectId(object), object.raw]));
  const of = (kind: DocumentObject['kind'], key: string): RawManifest =>
    manifests.get(objectId({ kind, key })) ?? {};
  const problemsOf = ({ key, namespace }: LabPod): readonly string[] =>
    settingsOf(of('Pod', key), of('Namespace', namespace)).problems.map(
      (problem) => `pod ${key}: ${problem}`,
    );
  const problems = pods.filter(({ hostNetwork }) => !hostNetwork).flatMap(problemsOf);
  if (problems.length > 0) throw manifestsInvalid(problems);
}

/**
 * The environment that a pod's annotations ask for.
 * @param key `namespace/name`
 * @throws SluiceError `LAB_MANIFESTS_INVALID` naming the annotation with a wrong value
 */
export function annotatedEnvironment(paths: LabPaths, key: string): Readonly<Record<string, string>> {
  const [namespace = ''] = key.split('/');
  const { environment, problems } = settingsOf(
    manifestInFile(objectFile(paths, { kind: 'Pod', key })),
    manifestInFile(objectFile(paths, { kind: 'Namespace', key: namespace })),
  );
  if (problems.length > 0)
    throw new SluiceError('LAB_MANIFESTS_INVALID', `pod ${key}: ${problems.join('; ')}`);
  return environment;
}

/** What a pod's annotations ask for, and what is wrong with them, given those of its namespace. */
function settingsOf(pod: RawManifest, namespace: RawManifest): ReturnType<typeof sidecarEnvironment> {
  const [own, namespaces] = [annotationsOf(pod), annotationsOf(namespace)];
  const settings = sidecarEnvironment(own);
  const excluded = excludedPorts(own, allows(namespaces, 'allowExcludedPorts'));
  const path = chosenPath(own, namespaces);
  const parsed = parseAdmittedPod(pod);
  const node = nodeTraffic(own, namespaces, parsed.ok ? podProbePorts(parsed.object) : []);
  return {
    environment: {
      ...settings.environment,
      ...excluded.environment,
      ...path.environment,
      ...node.environment,
    },
    problems: [...settings.problems, ...excluded.problems, ...path.problems, ...node.problems],
  };
}

const manifest: Shape<RawManifest> = record(anything);

/** The object in a file; empty where there is no such object. */
function manifestInFile(file: string): RawManifest {
  if (!existsSync(file)) return {};
  return manifest.readJson(readFileSync(file, 'utf8'), 'the manifest', (problem, cause) => {
    const advice = 'write the object with `sluice lab apply`, not by hand';
    return new SluiceError('LAB_MANIFESTS_INVALID', `${file}: ${problem}; ${advice}`, { cause });
  });
}
