/** `sluice check`: what keeps pods from being injected and enforced. */
import { isEnabled } from '../../injector/admission/annotations.ts';
import { describeProblem, readManifests } from '../../injector/manifests.ts';
import { createOutput } from '../can/output.ts';
import { CHECK_HELP, type CheckCommand, readCheckCommand } from './check_options.ts';
import { type NamespaceContent, namespacesOf } from './files.ts';
import { error, type Finding, findingText, warning } from './finding.ts';
import { checkLabel, checkNamespace, isMislabelled } from './namespace_check.ts';
import { checkServices } from './service_check.ts';

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
  const findings = command.kind === 'files' ? await checkFiles(command) : await checkCluster(command);
  await stdout.write(
    command.output === 'json'
      ? `${JSON.stringify({ findings }, null, 2)}\n`
      : findings.map(findingText).join(''),
  );
  return findings.some(({ level }) => level === 'error') ? EXIT.found : EXIT.fine;
}

async function checkFiles({ paths, namespace }: Extract<CheckCommand, { kind: 'files' }>) {
  const manifests = await readManifests(paths);
  const problems = manifests.problems
    .filter(({ severity }) => severity === 'error')
    .map((problem) => error('manifests', describeProblem(problem)));
  return [...problems, ...checkNamespaces(namespacesOf(manifests), namespace)];
}

async function checkCluster({ kind: _, output: __, ...choice }: Extract<CheckCommand, { kind: 'cluster' }>) {
  // The Kubernetes client takes half a second to load: only where it is used.
  const [{ readClusterState }, { checkInstallation, clusterIPs }] = await Promise.all([
    import('./cluster.ts'),
    import('./installation_check.ts'),
  ]);
  const { installation, namespaces } = await readClusterState(choice);
  return [
    ...checkInstallation(installation, Date.now()),
    ...checkNamespaces(namespaces, choice.namespace, clusterIPs(installation)),
  ];
}

function checkNamespaces(
  contents: readonly NamespaceContent[],
  only: string | undefined,
  injectorIPs: readonly string[] = [],
): readonly Finding[] {
  if (only !== undefined) {
    const named = contents.find(({ namespace }) => namespace.name === only);
    return named === undefined
      ? [error(`namespace ${only}`, 'is not there')]
      : checkContent(named, injectorIPs);
  }
  const misspelt = contents
    .filter(({ namespace }) => isMislabelled(namespace))
    .flatMap(({ namespace }) => checkLabel(namespace));
  const enabled = contents.filter(({ namespace }) => isEnabled(namespace));
  if (enabled.length === 0)
    return [
      ...misspelt,
      warning('namespaces', 'none is labelled sluice.dev/inject=enabled: no pod is injected'),
    ];
  return [...misspelt, ...enabled.flatMap((content) => checkContent(content, injectorIPs))];
}

function checkContent(
  { namespace, pods, services, policies }: NamespaceContent,
  injectorIPs: readonly string[],
): readonly Finding[] {
  return [
    ...checkNamespace(namespace, pods, injectorIPs),
    ...checkServices(namespace, pods, services, policies),
  ];
}
