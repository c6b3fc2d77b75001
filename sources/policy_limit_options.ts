/** Settings of how large policies may be, and of which groups of peers are large. */
import { type OptionKind, type OptionSpec, type OptionValues, readOptions } from '../common/options.ts';
import { DEFAULT_LARGE_GROUP, DEFAULT_POLICY_LIMITS, type PolicyLimits } from '../policy/index.ts';

const COUNT: OptionKind = { type: 'integer', min: 1, max: 10_000_000 };

/** A policy beyond one of them isolates the pods that it selects and admits nothing. */
export const POLICY_LIMIT_OPTIONS: readonly OptionSpec[] = [
  {
    env: 'SLUICE_MAX_POLICY_ENTRIES',
    flag: 'max-policy-entries',
    kind: COUNT,
    default: String(DEFAULT_POLICY_LIMITS.maxPolicyEntries),
    description:
      'Rules, ports, peers, exceptions, and labels, expressions and values of selectors that one policy may have; one that has more isolates and admits nothing',
  },
  {
    env: 'SLUICE_MAX_NAMESPACE_ENTRIES',
    flag: 'max-namespace-entries',
    kind: COUNT,
    default: String(DEFAULT_POLICY_LIMITS.maxNamespaceEntries),
    description: 'The same for all policies of a namespace; those first by name have the room',
  },
  {
    env: 'SLUICE_MAX_POLICY_REACH',
    flag: 'max-policy-reach',
    kind: COUNT,
    default: String(DEFAULT_POLICY_LIMITS.maxPolicyReach),
    description:
      'Pods (addresses) that the selectors of the peers of one policy have to be tried on, 100 at least for each selector; one with more isolates and admits nothing',
  },
  {
    env: 'SLUICE_MAX_NAMESPACE_REACH',
    flag: 'max-namespace-reach',
    kind: COUNT,
    default: String(DEFAULT_POLICY_LIMITS.maxNamespaceReach),
    description: 'The same for all policies of a namespace; equal selectors count once',
  },
];

/** Of the injector, and of a lab's. */
export const LARGE_GROUP_OPTION: OptionSpec = {
  env: 'SLUICE_LARGE_GROUP',
  flag: 'large-group',
  kind: COUNT,
  default: String(DEFAULT_LARGE_GROUP),
  description:
    'A selector of peers that matches more pods (addresses) than this makes a large group: sidecars are sent only those of its pods that they ask about',
};

/** The checked settings of `POLICY_LIMIT_OPTIONS`. */
export function policyLimits(values: OptionValues): PolicyLimits {
  return {
    maxPolicyEntries: values.integer('SLUICE_MAX_POLICY_ENTRIES'),
    maxNamespaceEntries: values.integer('SLUICE_MAX_NAMESPACE_ENTRIES'),
    maxPolicyReach: values.integer('SLUICE_MAX_POLICY_REACH'),
    maxNamespaceReach: values.integer('SLUICE_MAX_NAMESPACE_REACH'),
  };
}

/**
 * The settings of an environment, for programs that have no flags for them.
 * @throws SluiceError `CONFIG_INVALID` naming the variable with the wrong value
 */
export function policyLimitsOf(env: Readonly<Record<string, string | undefined>>): PolicyLimits {
  return policyLimits(readOptions(POLICY_LIMIT_OPTIONS, [], env).values);
}
