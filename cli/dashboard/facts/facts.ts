/** What manifests, a lab or a cluster say, for the page. */
import { createModel } from '../../../lint/index.ts';
import type { CommandContext } from '../../command.ts';
import { extentOf } from '../../extent.ts';
import { inForceIn } from '../../in_force/index.ts';
import { type InputChoice, readInput, wholeCluster } from '../../input/index.ts';
import type { DashboardFacts, SourceFacts } from '../form.ts';
import { allowedPairs } from './allowed_pairs.ts';
import { MAX_PODS, podFacts, workloadFacts } from './pod_facts.ts';
import { MAX_POLICIES, policyFacts } from './policy_facts.ts';

/**
 * Reads them.
 * @throws those of `readInput`
 */
export async function readFacts(
  input: InputChoice | undefined,
  source: SourceFacts,
  context: CommandContext,
): Promise<DashboardFacts> {
  if (input === undefined) return { ...NOTHING, source };
  const read = await readInput(input, wholeCluster, context);
  const inForce = await inForceIn(read);
  const model = createModel({
    manifests: read.manifests,
    places: read.places,
    extent: extentOf(read),
    now: Date.now(),
    namespaceGiven: read.namespace !== undefined,
    beforeAnswer: context.checkTime,
  });
  const allowed = await allowedPairs(read.manifests, context);
  const pods = podFacts(model, inForce);
  const broken = read.manifests.problems.length;
  return {
    source,
    workloads: workloadFacts(model),
    policies: policyFacts(model, inForce),
    pods,
    allowed: allowed.pairs,
    notes: [
      ...read.notes,
      ...(broken === 0 ? [] : [`${broken} problems in what was read: see sluice lint`]),
      ...(allowed.isCut ? ['not all that policies allow is known here: there are too many pairs'] : []),
      ...(pods.length >= MAX_PODS ? [`only the first ${MAX_PODS} pods are shown`] : []),
      ...(model.policies.length > MAX_POLICIES ? [`only the first ${MAX_POLICIES} policies are shown`] : []),
    ],
  };
}

const NOTHING = {
  workloads: [],
  policies: [],
  pods: [],
  allowed: [],
  notes: ['without manifests (-f) nothing is known of policies: only what was observed is shown'],
} as const;
