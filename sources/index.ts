/** Manifests read into a cluster: files, folders and streams, as kubectl reads them, with what is wrong in them. */

export { clusterOf, type MergedCluster, mergeManifests } from './cluster_merge.ts';
export { deriveEndpoints, isDerived, withEndpoints } from './derived_endpoints.ts';
export { applyReplacements, createEdits, type Edits, type FieldEdit, type TextReplacement } from './edits.ts';
export {
  isIsolating,
  isManifestName,
  keepLastGood,
  type LoadedObject,
  listManifests,
  losesObjects,
  type ManifestFile,
  manifestFileOf,
  objectId,
  type RawObject,
  readInputBytes,
  readManifestBytes,
  readManifestFile,
  readManifestInput,
  STANDARD_INPUT,
} from './files/index.ts';
export { MANIFEST_LIMITS } from './manifest_limits.ts';
export { filesAt, INPUT_PATH, type Manifests, manifestsOf, readManifests } from './manifests.ts';
export {
  type DocumentObject,
  isKubernetes,
  isWorkloadKind,
  podTemplate,
  type RawManifest,
  readDocument,
  WORKLOAD_KINDS,
  type WorkloadKind,
} from './objects/index.ts';
export {
  createPlaces,
  describePlace,
  type FieldPath,
  type Place,
  type Places,
  type Standing,
} from './places.ts';
export { LARGE_GROUP_OPTION, POLICY_LIMIT_OPTIONS, policyLimits } from './policy_limit_options.ts';
export { describeProblem, type ManifestProblem } from './problem.ts';
export { problemLines } from './report.ts';
export { locate, type ParsedText, parseText, splitDocuments } from './text/index.ts';
export {
  assumedLabels,
  createWorkloads,
  isControllerLabel,
  lastingWorkload,
  makeTemplatePod,
  type RawLabels,
  type Template,
  templatePodManifest,
  type Workloads,
} from './workloads/index.ts';
