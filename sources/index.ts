/** The face of `sources/`: what other parts may use. */

export { clusterOf, type MergedCluster, mergeManifests } from './cluster_merge.ts';
export { deriveEndpoints, isDerived, withEndpoints } from './derived_endpoints.ts';
export {
  isIsolating,
  keepLastGood,
  type LoadedObject,
  losesObjects,
  type ManifestFile,
  objectId,
  readManifestFile,
} from './file.ts';
export { INPUT_PATH, type Manifests, readManifests } from './manifests.ts';
export { type DocumentObject, type RawManifest, readDocument } from './object.ts';
export { listManifests } from './paths.ts';
export { POLICY_LIMIT_OPTIONS, policyLimitEnvironment, policyLimits } from './policy_limit_options.ts';
export { describeProblem, type ManifestProblem } from './problem.ts';
export { problemLines } from './report.ts';
export { assumedLabels, makeTemplatePod, type RawLabels, templatePodManifest } from './template_pod.ts';
export { isWorkloadKind, podTemplate, WORKLOAD_KINDS, type WorkloadKind } from './workload_kinds.ts';
export { createWorkloads, type Template, type Workloads } from './workloads.ts';
