/** What rules look at: a cluster's objects, indexed, with their positions and with what of them is known. */

export { MAX_LABEL_SETS } from './custom_resources.ts';
export { counted, didYouMean, listed, type NearLabel, nearest, nearLabels } from './likeness.ts';
export { lintedObject } from './linted_object.ts';
export {
  createModel,
  type LintedPolicy,
  type LintedRule,
  type LintInput,
  type Model,
  nameOf,
  rulesIn,
} from './model.ts';
export { otherPorts, portText, type ServedPort, servedPorts, servicesOfSubject } from './ports.ts';
export type { LintedService } from './services.ts';
export { hasSidecar } from './sidecar.ts';
export type { Subject } from './subject.ts';
export type { SubjectIndex } from './subject_index.ts';
