/** `sluice check` of manifests: files, or what a lab has. */
import { problemLines, withEndpoints } from '../../sources/index.ts';
import type { CommandContext } from '../command.ts';
import { type InputChoice, readInput, wholeCluster } from '../input/index.ts';
import { checkContents, chosenContents } from './contents.ts';
import { costFinding, costOf } from './cost.ts';
import { namespacesOf } from './files.ts';
import { error, shellWord, warning } from './finding.ts';
import { UNKNOWN_INJECTOR } from './namespace_check.ts';
import type { Report } from './report.ts';
import { checkRuntimes } from './runtime_check.ts';
import { defaultSettings } from './settings.ts';

/**
 * @param ignoreErrors whether broken manifests are warned of only
 * @throws SluiceError those of `readInput`
 */
export async function checkManifests(
  choice: Exclude<InputChoice, { readonly kind: 'cluster' }>,
  ignoreErrors: boolean,
  context: CommandContext,
): Promise<Report> {
  const { manifests } = await readInput(choice, wholeCluster, context);
  const settings = defaultSettings('no cluster was asked');
  const contents = namespacesOf(manifests);
  const chosen = chosenContents(contents, choice.namespace);
  const judged = chosen.some(({ pods }) => pods.length > 0);
  const problems = problemLines(manifests.problems).map(({ severity, text }) =>
    severity === 'error' && !ignoreErrors
      ? error('CK501', 'manifests', text)
      : warning('CK501', 'manifests', text),
  );
  const cost = costOf(chosen, settings.injection, undefined);
  const given =
    choice.kind === 'lab'
      ? `--lab ${shellWord(choice.lab)}`
      : choice.paths.map((path) => `-f ${shellWord(path)}`).join(' ');
  return {
    findings: [
      ...problems,
      ...checkContents(contents, choice.namespace, {
        settings: settings.injection,
        cluster: withEndpoints(manifests),
        injector: UNKNOWN_INJECTOR,
        isWhole: !manifests.problems.some(({ severity }) => severity === 'error'),
        known: contents.map(({ namespace }) => namespace.name),
      }),
      ...chosen.flatMap(({ pods }) => checkRuntimes(pods)),
      ...(judged ? [...settings.findings, costFinding(cost)] : []),
    ],
    ...(judged ? { cost } : {}),
    notLookedAt: [
      `what policies say: sluice lint ${given}`,
      'a cluster, its nodes, and whether Sluice is installed in it: sluice check',
    ],
  };
}
