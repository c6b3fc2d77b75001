/** `sluice check` of a live cluster. */
import { firstFew } from '../../common/first_few.ts';
import type { CommandContext } from '../command.ts';
import type { InputChoice } from '../input/index.ts';
import { readClusterState } from './cluster.ts';
import { checkContents, chosenContents } from './contents.ts';
import { costFinding, costOf } from './cost.ts';
import { checkEnforcers } from './enforcers.ts';
import { type Finding, shellWord } from './finding.ts';
import { checkInstallation, clusterIPs, injectorNamespace } from './installation_check.ts';
import { checkNodes } from './node_check.ts';
import { checkPaths } from './node_paths.ts';
import type { Report } from './report.ts';
import { checkRuntimes } from './runtime_check.ts';
import { installedSettings } from './settings.ts';

/** Namespaces that are named as not looked at; more are only counted. */
const NAMESPACES_NAMED = 5;

/** @throws SluiceError `KUBECONFIG_UNUSABLE`, `CLUSTER_UNREADABLE`, `RIGHT_MISSING` */
export async function checkCluster(
  choice: Extract<InputChoice, { readonly kind: 'cluster' }>,
  context: CommandContext,
): Promise<Report> {
  const state = await readClusterState(choice, context);
  const { installation, contents, nodes, daemonSets, refusals, fallenBack, unread } = state;
  const settings = installedSettings(installation.deployment, installation.isRead);
  const chosen = chosenContents(contents, choice.namespace);
  const cost = costOf(chosen, settings.injection, installation.deployment);
  const findings = [
    ...(installation.isRead ? checkInstallation(installation, Date.now()) : []),
    ...checkEnforcers(daemonSets, nodes),
    ...checkNodes(nodes, refusals),
    ...checkPaths(fallenBack),
    ...settings.findings,
    ...checkContents(contents, choice.namespace, {
      settings: settings.injection,
      cluster: state.cluster,
      injector: {
        ips: clusterIPs(installation),
        hasWebhook: !installation.isRead || installation.webhook !== undefined,
        namespace: injectorNamespace(installation),
      },
      isWhole: true,
      known: state.namespaceNames,
    }),
    ...chosen.flatMap(({ pods }) => checkRuntimes(pods)),
    ...(cost.sidecars.count === 0 ? [] : [costFinding(cost)]),
  ];
  const others = state.namespaceNames.filter((name) =>
    chosen.every(({ namespace }) => namespace.name !== name),
  );
  const lint = choice.namespace === undefined ? '-A' : `-n ${shellWord(choice.namespace)}`;
  const flags = contextFlags(choice);
  return {
    findings: findings.map((finding) => withFlags(finding, flags)),
    cost,
    notLookedAt: [
      ...unread,
      `what policies say: sluice lint ${lint}${flags}`,
      'modules of the kernels of nodes: sluice check --node, as root on a node',
      ...(others.length === 0
        ? []
        : [`other namespaces, each with -n: ${firstFew(others, NAMESPACES_NAMED)}`]),
    ],
  };
}

/** What the user chose the cluster with goes into commands too. */
function contextFlags({ kubeconfig, context }: { readonly kubeconfig?: string; readonly context?: string }) {
  return [
    ...(context === undefined ? [] : [` --context ${shellWord(context)}`]),
    ...(kubeconfig === undefined ? [] : [` --kubeconfig ${shellWord(kubeconfig)}`]),
  ].join('');
}

/** `kubectl get pod x | kubectl replace -f -` has two of them. */
function withFlags(finding: Finding, flags: string): Finding {
  const { commands } = finding;
  if (commands === undefined || flags === '') return finding;
  return {
    ...finding,
    commands: commands.map((command) =>
      command.replaceAll(
        /(^|\| )(kubectl|sluice lint) /g,
        (_, lead, program) => `${lead}${program}${flags} `,
      ),
    ),
  };
}
