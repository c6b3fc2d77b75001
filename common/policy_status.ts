/** How far a policy is in force, as the injector writes it on the policy: docs/adr/0019-status-on-the-policy.md. */
import { integer, list, part, type TypeOf, text } from './shape.ts';

const count = integer(0, Number.MAX_SAFE_INTEGER);

const policyStatus = part(
  {
    /** What it comes to: injector/kubernetes/status has the words. Another version of the injector may have others. */
    state: text(),
    /** `metadata.generation` of the policy that this is about. */
    generation: count,
    /** Running pods that the policy selects and policy can select at all. */
    selected: count,
    /** Those whose sidecar has put the policy in force. */
    enforcing: count,
  },
  {
    /** What of the policy admits nothing because it cannot be enforced; absent where there is nothing. */
    unsupported: list(text()),
    /** What its pods seem to lack, such as DNS; absent where there is nothing. */
    warnings: list(text()),
  },
);

/** What the annotation says. */
export interface WrittenPolicyStatus extends TypeOf<typeof policyStatus> {}

/**
 * The annotation of a policy.
 * @returns undefined for what is no status: anybody who may write the policy may write its annotation
 */
export function readPolicyStatus(annotation: string): WrittenPolicyStatus | undefined {
  try {
    return policyStatus.readJson(annotation, 'status', (problem) => new Error(problem));
  } catch {
    return undefined;
  }
}
