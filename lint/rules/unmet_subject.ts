/** A policy that selects nobody: why, and where it belongs. */
import { isEmptySelector } from '../../policy/index.ts';
import type { LintedPolicy, Model } from '../model/index.ts';
import { type Unmet, unmetSelector } from './unmet.ts';

/**
 * What there is to say of the podSelector of a policy that selects nobody by mistake; its `elsewhere` is where the policy belongs.
 * Undefined where it selects somebody, or where that is not known.
 */
export function unmetSubject(model: Model, { policy }: LintedPolicy): Unmet | undefined {
  const { namespace, podSelector } = policy;
  if (!model.knows(namespace) || model.selected(policy).length > 0) return undefined;
  // A namespace without workloads is no mistake of the policy.
  if (isEmptySelector(podSelector) || model.mayBeMade([namespace], podSelector)) return undefined;
  const present = model.subjectsIn(namespace).all.map(({ pod }) => pod.labels);
  const searched = { model, namespaces: [namespace] };
  return unmetSelector(podSelector, ['spec', 'podSelector'], present, 'pod', searched);
}
