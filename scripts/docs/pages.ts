/** The pages with generated regions, and how they are filled. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { INJECTOR_OPTIONS } from '../../injector/config.ts';
import { createInjectorMetrics } from '../../injector/metrics.ts';
import { SIDECAR_OPTIONS } from '../../sidecar/config.ts';
import { NOTHING_IN_FORCE } from '../../sidecar/in_force/index.ts';
import { SidecarMetrics } from '../../sidecar/records/index.ts';
import { ALL_PROXY } from '../../sidecar/redirect/index.ts';
import { checkCodes } from './check_codes.ts';
import { helpTexts } from './help_texts.ts';
import { inputLimits } from './input_limits.ts';
import { namespaceAnnotations, podAnnotations, rbacTable } from './kubernetes.ts';
import { lintRules } from './lint_rules.ts';
import { podRuleRegions } from './pod_rules/tables.ts';
import { fillRegions } from './regions.ts';
import { errorTable, metricTable, optionTable } from './tables.ts';

/** The project's folder. */
export const PROJECT = join(import.meta.dirname, '../..');

/** Paths from the project's folder. */
const GENERATED_PAGES: readonly string[] = [
  'docs/internals/rules-of-a-pod.md',
  'docs/kubernetes.md',
  'docs/reference/check.md',
  'docs/reference/cli.md',
  'docs/reference/configuration.md',
  'docs/reference/errors.md',
  'docs/reference/lint.md',
  'docs/reference/metrics.md',
];

/** A page as it is, and as it should be. */
export interface GeneratedPage {
  readonly path: string;
  readonly committed: string;
  readonly generated: string;
}

/** Reads the pages and returns what they should be; writes nothing. */
export async function generatePages(): Promise<readonly GeneratedPage[]> {
  const texts = await regionTexts();
  return await Promise.all(
    GENERATED_PAGES.map(async (path) => {
      const committed = await readFile(join(PROJECT, path), 'utf8');
      return { path, committed, generated: fillRegions(committed, texts) };
    }),
  );
}

/** The text of every region, by name. */
export async function regionTexts(): Promise<ReadonlyMap<string, string>> {
  const sidecarMetrics = new SidecarMetrics('');
  sidecarMetrics.readFrom({
    connectionsOpen: () => 0,
    paths: () => ({ paths: ALL_PROXY, reason: 'set' }),
    connectionsLimit: () => 0,
    tableRevision: () => 0,
    tableAgeSeconds: () => 0,
    servicesPartlyAllowed: () => 0,
    partialGroups: () => 0,
    metAddresses: () => 0,
    inForce: () => NOTHING_IN_FORCE,
    ownNodeAddresses: () => 0,
  });
  return new Map([
    ...(await helpTexts()),
    ['annotations-pod', podAnnotations()],
    ['annotations-namespace', namespaceAnnotations()],
    ['rbac', rbacTable()],
    ...podRuleRegions(),
    ['errors', errorTable()],
    ['input-limits', inputLimits()],
    ['check-codes', checkCodes()],
    ['lint-rules', lintRules()],
    ['options-sidecar', optionTable(SIDECAR_OPTIONS)],
    ['options-injector', optionTable(INJECTOR_OPTIONS)],
    ['metrics-sidecar', await metricTable(sidecarMetrics.registry)],
    ['metrics-injector', await metricTable(createInjectorMetrics().registry)],
  ]);
}
