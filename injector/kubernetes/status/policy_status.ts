/** How far a policy is in force: pure, from how many pods enforce it, and what cannot be enforced. */
import type { WrittenPolicyStatus } from '../../../common/policy_status.ts';
import type { ManifestProblem } from '../../../sources/index.ts';
import {
  ENFORCED_GENERATION_ANNOTATION,
  STATE_ANNOTATION,
  STATUS_ANNOTATION,
} from '../../admission/index.ts';
import type { WrittenAnnotations } from '../policy_facts.ts';

/** What the annotation says. */
export interface PolicyStatus extends WrittenPolicyStatus {
  /**
   * `enforced`: by every pod that the policy selects; none is enough. `pending`: not by all of them yet. `partial`: by all,
   * but a part of it is not supported. `unenforced`: not by all of them, and that stays so: pods of its namespace are not
   * injected.
   */
  readonly state: 'enforced' | 'pending' | 'partial' | 'unenforced';
}

/** Stands for no generation: they begin with 1. */
const NO_GENERATION = '0';

/** Annotations are bounded: what is more is left out. */
const MAX_MESSAGES = 3;

/**
 * The status of one policy.
 * @param isInjected whether pods of its namespace are injected
 */
export function policyStatus(
  generation: number,
  selected: number,
  enforcing: number,
  problems: readonly ManifestProblem[],
  isInjected: boolean,
  warnings: readonly string[] = [],
): PolicyStatus {
  const unsupported = problems
    .filter(({ severity }) => severity === 'error')
    .map(({ path, message }) => (path === undefined ? message : `${path}: ${message}`));
  // A pod that moves from one replica to another may be counted by both for a moment.
  const counted = Math.min(enforcing, selected);
  return {
    state: stateOf(counted < selected, unsupported.length > 0, isInjected),
    generation,
    selected,
    enforcing: counted,
    ...(unsupported.length === 0 ? {} : { unsupported: unsupported.slice(0, MAX_MESSAGES) }),
    ...(warnings.length === 0 ? {} : { warnings: warnings.slice(0, MAX_MESSAGES) }),
  };
}

function stateOf(missing: boolean, isPartial: boolean, isInjected: boolean): PolicyStatus['state'] {
  if (missing) return isInjected ? 'pending' : 'unenforced';
  return isPartial ? 'partial' : 'enforced';
}

/** What is written on the policy: all of it as JSON, and what `kubectl wait` compares. Each of them always: nothing is taken away. */
export function statusAnnotations(status: PolicyStatus): Required<WrittenAnnotations> {
  const { state, generation } = status;
  return {
    [STATUS_ANNOTATION]: JSON.stringify(status),
    [STATE_ANNOTATION]: state,
    [ENFORCED_GENERATION_ANNOTATION]: state === 'enforced' ? String(generation) : NO_GENERATION,
  };
}
