/** One document of a manifest: which objects it holds, each checked, and what is wrong with it. */

export { readDocument, readValue } from './document.ts';
export type {
  DocumentContent,
  DocumentContext,
  DocumentObject,
  DocumentProblem,
  OtherObject,
  RawManifest,
} from './document_content.ts';
export { isKubernetes } from './foreign_kinds.ts';
export {
  isWorkloadKind,
  podTemplate,
  WORKLOAD_KINDS,
  type WorkloadKind,
  type WorkloadKindName,
} from './workload_kinds.ts';
