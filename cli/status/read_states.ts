/** Reads how far policies are in force. */
import { SluiceError } from '../../common/errors.ts';
import { createModel, type LintedPolicy } from '../../lint/index.ts';
import { DEFAULT_NAMESPACE, objectKey, type Pod } from '../../policy/index.ts';
import type { CommandContext } from '../command.ts';
import { extentOf } from '../extent.ts';
import {
  askPods,
  type LiveChoice,
  objectsOf,
  openSidecars,
  type Readiness,
  readyzPage,
} from '../flows/index.ts';
import { inForceIn, type PodState } from '../in_force/index.ts';
import { type Input, readInput } from '../input/index.ts';
import { didYouMean } from '../likeness.ts';
import { ALWAYS_KNOWN, unknownName } from '../unknown_name.ts';
import { helpFor } from './help_commands.ts';
import { type PolicyStateData, policyState } from './policy_state.ts';
import type { PolicyTarget } from './policy_target.ts';

/** A table that the injector has not confirmed for this long may be an old one, seconds. */
const STALE_SECONDS = 60;

/** What was read. */
export interface States {
  readonly policies: readonly PolicyStateData[];
  readonly notes: readonly string[];
}

/**
 * @param target absent: all policies of the namespace, or of all
 * @throws SluiceError `NAME_UNKNOWN`, and those of `readInput` and `askPods`
 */
export async function readStates(
  choice: LiveChoice,
  target: PolicyTarget | undefined,
  context: CommandContext,
): Promise<States> {
  const input = await readInput(
    objectsOf(choice),
    (namespace) => ({
      namespaces: choice.allNamespaces && target === undefined ? 'all' : [target?.namespace ?? namespace],
      fallback: [namespace],
      services: 'optional',
    }),
    context,
  );
  const inForce = await inForceIn(input);
  const { said, notes } = await askedSidecars(choice, context);
  context.progress.end();
  const model = createModel({
    manifests: input.manifests,
    places: input.places,
    extent: extentOf(input),
    now: Date.now(),
    namespaceGiven: true,
    beforeAnswer: context.checkTime,
  });
  const help = helpFor(input.origin, input.manifests.cluster);
  const policies =
    target === undefined ? policiesOf(model.policies, input, choice) : [find(model.policies, target, input)];
  return {
    policies: policies.map((policy) => policyState(policy, { model, inForce, said, help })),
    notes: [...input.notes, ...notes],
  };
}

function policiesOf(
  all: readonly LintedPolicy[],
  { namespace }: Input,
  { allNamespaces }: LiveChoice,
): readonly LintedPolicy[] {
  return allNamespaces || namespace === undefined
    ? all
    : all.filter(({ policy }) => policy.namespace === namespace);
}

function find(all: readonly LintedPolicy[], { namespace, name }: PolicyTarget, input: Input): LintedPolicy {
  const key = objectKey(namespace ?? input.namespace ?? DEFAULT_NAMESPACE, name);
  const found = all.find(({ object }) => object.key === key);
  if (found !== undefined) return found;
  const hint = didYouMean(
    key,
    all.map(({ object }) => object.key),
  );
  throw new SluiceError(
    'NAME_UNKNOWN',
    unknownName(input, { what: 'NetworkPolicy', name: key, hint, mayBe: ALWAYS_KNOWN }),
  );
}

/** With `--direct`: what sidecars say of themselves. */
async function askedSidecars(
  choice: LiveChoice,
  context: CommandContext,
): Promise<{ readonly said: (pod: Pod) => PodState | undefined; readonly notes: readonly string[] }> {
  if (!choice.direct) return { said: () => undefined, notes: [] };
  const sidecars = await openSidecars(choice, context);
  const { pages, silent } = await askPods(sidecars, sidecars.pods, '/readyz', readyzPage, context);
  const states = new Map<string, PodState>([
    ...pages.flatMap(({ pod, page }) => {
      const state = stateSaid(page);
      return state === undefined ? [] : [[objectKey(pod.namespace, pod.name), state] as const];
    }),
    ...silent.map(
      ({ pod, why }) =>
        [
          objectKey(pod.namespace, pod.name),
          { state: 'not-known', why: `its sidecar does not answer: ${why}` },
        ] as const,
    ),
  ]);
  return { said: ({ namespace, name }) => states.get(objectKey(namespace, name)), notes: [] };
}

/** Undefined where it is well: whether its table is the newest, it cannot know. */
function stateSaid({ ready, problems, table_age_seconds: age }: Readiness): PodState | undefined {
  if (!ready)
    return {
      state: 'not-in-force',
      why: `its sidecar is not ready: ${problems[0] ?? 'no reason'}`,
      cause: 'not-ready',
    };
  if (typeof age === 'number' && age > STALE_SECONDS)
    return {
      state: 'not-in-force',
      why: `its sidecar has not heard of the injector for ${Math.round(age)} s`,
      cause: 'not-ready',
    };
  return undefined;
}
