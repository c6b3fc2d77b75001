/** `sluice diff`: which connections become possible or impossible between two states of a cluster's manifests. */
import { SluiceError, unreachable } from '../../common/errors.ts';
import type { Manifests } from '../../sources/index.ts';
import { type CommandContext, createCommand, EXIT } from '../command.ts';
import {
  blocksOfPolicies,
  comparedEnds,
  createConnectivity,
  createIsSame,
  createNetworks,
  groupEnds,
  type KnownPods,
  knownPods,
  podCandidates,
} from '../connectivity/index.ts';
import { writeLines } from '../lines.ts';
import { reportNotes, reportProblems } from '../problems.ts';
import { type Change, type Comparison, compare, type GroupChange } from './compare.ts';
import {
  DIFF_FLAGS,
  DIFF_HELP,
  DIFF_HELP_END,
  type DiffCommand,
  diffCommand,
  type FailOn,
} from './diff_options.ts';
import { createPolicyPlaces } from './policy_places.ts';
import { createReasons, type Reason } from './reasons.ts';
import type { Report } from './report.ts';
import { diffJson } from './report_json.ts';
import { markdownText } from './report_markdown.ts';
import { textLines } from './report_text.ts';
import { rowsOf } from './rows.ts';
import { type ReadSides, readSides } from './sides.ts';
import { unjudged } from './unjudged.ts';

/**
 * Runs the command: reads what follows `sluice diff`, prints to the process's output, and resolves to the exit code.
 * @throws SluiceError `USAGE`, and those of `readInput`
 */
export const runDiff = createCommand({
  name: 'diff',
  help: DIFF_HELP,
  flags: DIFF_FLAGS,
  afterFlags: DIFF_HELP_END,
  positionals: ['file', 'file', 'nothing'],
  wanted: (positionals, has) => (has('against') ? positionals.length : 2),
  run: (values, context) => run(diffCommand(values), context),
});

async function run(command: DiffCommand, context: CommandContext): Promise<number> {
  const sides = await readSides(command, context);
  context.progress.end();
  const { before, after } = sides;
  const pods = { before: knownPods(before.manifests), after: knownPods(after.manifests) };
  const broken = [...pods.before.problems, ...pods.after.problems];
  if (!reportProblems([before.manifests, after.manifests], command.ignoreErrors, broken)) return EXIT.error;
  const report = await reportOf(sides, pods, command, context);
  context.progress.end();
  reportNotes(report.notes.filter((note) => !broken.includes(note)));
  await print(report, command, context);
  return fails(report.comparison, command.failOn) ? EXIT.no : EXIT.yes;
}

async function print(
  report: Report,
  { output, headers }: DiffCommand,
  context: CommandContext,
): Promise<void> {
  const { stdout } = context;
  switch (output) {
    case 'text':
    case 'wide':
      await writeLines(textLines(report, headers), context);
      return;
    case 'json':
      await stdout.write(`${JSON.stringify(diffJson(report), null, 2)}\n`);
      return;
    case 'markdown':
      await stdout.write(markdownText(report));
      return;
    default:
      unreachable(output);
  }
}

/** @throws SluiceError `USAGE` where there is no workload at all */
async function reportOf(
  sides: ReadSides,
  { before: was, after: is }: { readonly before: KnownPods; readonly after: KnownPods },
  { output }: DiffCommand,
  { progress, signal, checkTime }: CommandContext,
): Promise<Report> {
  const [before, after] = [sides.before.manifests, sides.after.manifests];
  const blocks = [...blocksOfPolicies(before.cluster), ...blocksOfPolicies(after.cluster)];
  const networks = createNetworks(blocks);
  if (was.pods.length === 0 && is.pods.length === 0)
    throw new SluiceError(
      'USAGE',
      'neither side has a workload, so nothing can connect: name the workloads with -f (see sluice diff --help)',
    );
  const candidates = podCandidates([before.cluster, after.cluster], [...was.pods, ...is.pods]);
  const side = ({ cluster }: Manifests, { pods }: KnownPods) => ({
    connectivity: createConnectivity(cluster, networks, candidates.namespaces),
    pods,
    beforePod: checkTime,
  });
  const [earlier, later] = [side(before, was), side(after, is)];
  const ends = comparedEnds(earlier, later, networks, candidates.pods);
  const groups = groupEnds(ends);
  const isSame = createIsSame(earlier.connectivity, later.connectivity);
  const comparison = await compare(groups, isSame, async (done) => {
    progress.say(`compared ${done} of ${groups.length} kinds of ends`);
    await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  });
  const explained = createReasons(
    before.cluster,
    after.cluster,
    output === 'text' ? undefined : createPolicyPlaces({ before, after }),
  );
  const reasonsOf = (change: GroupChange): readonly Reason[] => {
    checkTime();
    return explained(change);
  };
  return {
    before: sides.before.name,
    after: sides.after.name,
    comparison,
    rows: rowsOf(comparison.changes, reasonsOf, ends, {
      isWide: output === 'wide',
      hasPlaces: output !== 'text',
    }),
    reasonsOf,
    notes: [
      ...sides.notes,
      ...lackingWorkloads([
        { name: sides.before.name, pods: was.pods },
        { name: sides.after.name, pods: is.pods },
      ]),
      ...new Set([...was.problems, ...is.problems]),
      ...(candidates.leftOut > 0 ? [`${candidates.leftOut} more pods that may come are left out`] : []),
      ...unjudged({ cluster: before.cluster, pods: was.pods }, { cluster: after.cluster, pods: is.pods }),
    ],
  };
}

/** A side of policies only: to it, all that the other side has is gone. */
function lackingWorkloads(
  sides: readonly { readonly name: string; readonly pods: KnownPods['pods'] }[],
): readonly string[] {
  return sides
    .filter(({ pods }) => pods.length === 0)
    .map(
      ({ name }) =>
        `${name} has no workload, so all connections of the other side differ: name the workloads that both sides have with -f`,
    );
}

function fails(comparison: Comparison, failOn: FailOn): boolean {
  const has = (...changes: readonly Change[]) => changes.some((change) => comparison.counts[change] > 0);
  switch (failOn) {
    case 'wider':
      return has('wider', 'changed');
    case 'narrower':
      return has('narrower', 'changed');
    case 'any':
      return has('wider', 'narrower', 'changed');
    case 'none':
      return false;
    default:
      return unreachable(failOn);
  }
}
