/** `sluice check`: what keeps pods from being injected and enforced. */

import { unreachable } from '../../common/errors.ts';
import type { InjectionConfig } from '../../injector/admission/index.ts';
import { isEnabled } from '../../injector/admission/index.ts';
import type { Cluster } from '../../policy/index.ts';
import { problemLines, readManifests, withEndpoints } from '../../sources/index.ts';
import { createOutput } from '../output.ts';
import { CHECK_HELP, type CheckCommand, readCheckCommand } from './check_options.ts';
import { checkDns } from './dns_check.ts';
import { type NamespaceContent, namespacesOf } from './files.ts';
import { error, type Finding, findingText, warning } from './finding.ts';
import { checkMachine } from './machine_check.ts';
import {
  checkLabel,
  checkNamespace,
  type InjectorFacts,
  isMislabelled,
  UNKNOWN_INJECTOR,
} from './namespace_check.ts';
import { checkServices } from './service_check.ts';
import { defaultSettings, installedSettings } from './settings.ts';

/** Names the form of the JSON: docs/schema/check.v1.json. */
const CHECK_SCHEMA = 'sluice.dev/check/v1';

/** What the process ends with; errors of the command itself are 2. */
const EXIT = { fine: 0, found: 1 } as const;

/**
 * Runs the command and resolves to its exit code.
 * @throws SluiceError `USAGE`, `MANIFEST_UNREADABLE`, `CLUSTER_UNREADABLE`; the caller prints it and exits 2
 */
export async function runCheck(argv: readonly string[]): Promise<number> {
  const command = readCheckCommand(argv);
  const stdout = createOutput(process.stdout);
  if (command.kind === 'help') {
    await stdout.write(CHECK_HELP);
    return EXIT.fine;
  }
  const findings = await findingsOf(command);
  await stdout.write(
    command.output === 'json'
      ? `${JSON.stringify({ schema: CHECK_SCHEMA, findings }, null, 2)}\n`
      : findings.map(findingText).join(''),
  );
  return findings.some(({ level }) => level === 'error') ? EXIT.found : EXIT.fine;
}

function findingsOf(command: Exclude<CheckCommand, { kind: 'help' }>): Promise<readonly Finding[]> {
  switch (command.kind) {
    case 'files':
      return checkFiles(command);
    case 'cluster':
      return checkCluster(command);
    case 'node':
      return checkMachine();
    default:
      return unreachable(command);
  }
}

async function checkFiles({ paths, namespace }: Extract<CheckCommand, { kind: 'files' }>) {
  const manifests = await readManifests(paths, { namespace });
  const settings = defaultSettings('no cluster was asked');
  const contents = namespacesOf(manifests);
  const judged = contents.some(({ pods }) => pods.length > 0);
  const problems = problemLines(manifests.problems).map(({ severity, text }) =>
    severity === 'error' ? error('manifests', text) : warning('manifests', text),
  );
  return [
    ...problems,
    ...checkNamespaces(contents, namespace, {
      settings: settings.injection,
      cluster: withEndpoints(manifests),
      injector: UNKNOWN_INJECTOR,
      isWhole: !manifests.problems.some(({ severity }) => severity === 'error'),
    }),
    ...(judged ? settings.findings : []),
  ];
}

async function checkCluster({ kind: _, output: __, ...choice }: Extract<CheckCommand, { kind: 'cluster' }>) {
  // The Kubernetes client takes half a second to load: only where it is used.
  const [{ injectorNamespace, readClusterState }, { checkInstallation, clusterIPs }] = await Promise.all([
    import('./cluster.ts'),
    import('./installation_check.ts'),
  ]);
  const { installation, namespaces, cluster } = await readClusterState(choice);
  const settings = installedSettings(installation.deployment);
  return [
    ...checkInstallation(installation, Date.now()),
    ...settings.findings,
    ...checkNamespaces(namespaces, choice.namespace, {
      settings: settings.injection,
      cluster,
      injector: {
        ips: clusterIPs(installation),
        hasWebhook: installation.webhook !== undefined,
        namespace: injectorNamespace(installation),
      },
      isWhole: true,
    }),
  ];
}

/** What namespaces are judged with. */
interface Surroundings {
  readonly settings: InjectionConfig;
  /** For the name servers, and whom policies may mean by them. */
  readonly cluster: Cluster;
  readonly injector: InjectorFacts;
  /** Whether all namespaces could be read. One that could not may be labelled. */
  readonly isWhole: boolean;
}

function checkNamespaces(
  contents: readonly NamespaceContent[],
  only: string | undefined,
  surroundings: Surroundings,
): readonly Finding[] {
  if (only !== undefined) {
    const named = contents.find(({ namespace }) => namespace.name === only);
    return named === undefined
      ? [error(`namespace ${only}`, 'is not there')]
      : checkContent(named, surroundings);
  }
  const misspelt = contents
    .filter(({ namespace }) => isMislabelled(namespace, surroundings.injector.namespace))
    .flatMap(({ namespace }) => checkLabel(namespace));
  const enabled = contents.filter(({ namespace }) => isEnabled(namespace));
  if (enabled.length === 0 && surroundings.isWhole)
    return [
      ...misspelt,
      warning('namespaces', 'none is labelled sluice.dev/inject=enabled: no pod is injected'),
    ];
  return [...misspelt, ...enabled.flatMap((content) => checkContent(content, surroundings))];
}

function checkContent(
  { namespace, pods, services, policies, unenforced }: NamespaceContent,
  { settings, cluster, injector }: Surroundings,
): readonly Finding[] {
  return [
    ...checkNamespace(namespace, pods, settings, injector),
    ...checkServices(namespace, pods, services, policies),
    ...checkDns(namespace, pods, policies, cluster),
    ...unenforced.map(({ policy, message }) => error(`networkpolicy ${namespace.name}/${policy}`, message)),
  ];
}
