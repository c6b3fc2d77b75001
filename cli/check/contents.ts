/** Judges namespaces with what is in them, wherever they come from. */
import { type InjectionConfig, isEnabled } from '../../injector/admission/index.ts';
import type { Cluster } from '../../policy/index.ts';
import { didYouMean } from '../likeness.ts';
import { checkDns } from './dns_check.ts';
import type { NamespaceContent } from './files.ts';
import { error, type Finding, shellWord, warning } from './finding.ts';
import { checkLabel, checkNamespace, type InjectorFacts, isMislabelled } from './namespace_check.ts';
import { checkServices } from './service_check.ts';

/** What namespaces are judged with. */
export interface Surroundings {
  readonly settings: InjectionConfig;
  /** For the name servers, and whom policies may mean by them. */
  readonly cluster: Cluster;
  readonly injector: InjectorFacts;
  /** Whether all namespaces could be read. One that could not may be labelled. */
  readonly isWhole: boolean;
  /** Names of all namespaces that are known. */
  readonly known: readonly string[];
}

/** Those that are to be looked at: one, or all that are enabled. */
export function chosenContents(
  contents: readonly NamespaceContent[],
  only: string | undefined,
): readonly NamespaceContent[] {
  return contents.filter(({ namespace }) =>
    only === undefined ? isEnabled(namespace) : namespace.name === only,
  );
}

/** @param only the one that was asked about, labelled or not */
export function checkContents(
  contents: readonly NamespaceContent[],
  only: string | undefined,
  surroundings: Surroundings,
): readonly Finding[] {
  const chosen = chosenContents(contents, only);
  const found = chosen.flatMap((content) => checkContent(content, surroundings));
  if (only !== undefined)
    return chosen.length > 0
      ? found
      : [error('CK201', `namespace ${only}`, `is not there${didYouMean(only, surroundings.known)}`)];
  const misspelt = contents
    .filter(({ namespace }) => isMislabelled(namespace, surroundings.injector.namespace))
    .flatMap(({ namespace }) => checkLabel(namespace));
  if (chosen.length === 0 && surroundings.isWhole)
    return [
      ...misspelt,
      warning('CK204', 'namespaces', 'none is labelled sluice.dev/inject=enabled: no pod is injected'),
    ];
  return [...misspelt, ...found];
}

function checkContent(
  { namespace, pods, services, policies, unenforced }: NamespaceContent,
  { settings, cluster, injector }: Surroundings,
): readonly Finding[] {
  return [
    ...checkNamespace(namespace, pods, settings, injector),
    ...checkServices(namespace, pods, services, policies),
    ...checkDns(namespace, pods, policies, cluster),
    ...unenforced.map(({ policy, message }) =>
      error(
        'CK401',
        `networkpolicy ${namespace.name}/${policy}`,
        message,
        `sluice lint -n ${shellWord(namespace.name)}`,
      ),
    ),
  ];
}
