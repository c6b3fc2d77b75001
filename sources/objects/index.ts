/** One document of a manifest: which objects it holds, each checked, and what is wrong with it. */

export {
  type DocumentContent,
  type DocumentContext,
  type DocumentObject,
  type OtherObject,
  type RawManifest,
  readDocument,
} from './document.ts';
export {
  isWorkloadKind,
  podTemplate,
  WORKLOAD_KINDS,
  type WorkloadKind,
  type WorkloadKindName,
} from './workload_kinds.ts';
