/** What stays of a policy whose rules cannot be known. */

import type { NetworkPolicy } from '../model.ts';

/** The same policy without its rules: it isolates what it selects and admits nothing. */
export function withoutRules(policy: NetworkPolicy): NetworkPolicy {
  return { ...policy, ingress: [], egress: [] };
}
