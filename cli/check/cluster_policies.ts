/** The policies of a namespace of a cluster, with what of them is not enforced. */
import { readPolicyStatus } from '../../common/policy_status.ts';
import { STATUS_ANNOTATION } from '../../injector/admission/index.ts';
import type { RawObject } from '../../injector/api/index.ts';
import { parseNetworkPolicy } from '../../policy/index.ts';
import type { NamespaceContent } from './files.ts';

/** Those that cannot be read isolate what they select all the same. What of them is not enforced, the injector has written. */
export function policiesIn(listed: readonly RawObject[]): Pick<NamespaceContent, 'policies' | 'unenforced'> {
  const policies = listed.flatMap((policy) => {
    const parsed = parseNetworkPolicy(policy);
    return parsed.ok ? [parsed.object] : (parsed.isolating ?? []);
  });
  const unenforced = listed.flatMap(({ metadata }) => {
    const status = readPolicyStatus(metadata.annotations?.[STATUS_ANNOTATION] ?? '');
    const messages = status?.generation === metadata.generation ? (status?.unsupported ?? []) : [];
    return messages.map((message) => ({ policy: metadata.name, message }));
  });
  return { policies, unenforced };
}
