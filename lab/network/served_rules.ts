/** The rules by which nodes serve Services, as they were last put in force: a file for each node. */

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileSlug, type LabPaths } from '../names/index.ts';

/** The rules that a node was last given to serve Services by; undefined: none yet. */
export function readServedRules(paths: LabPaths, node: string): string | undefined {
  try {
    return readFileSync(servedRulesFile(paths, node), 'utf8');
  } catch {
    return undefined;
  }
}

/** Remembers the rules that a node serves Services by. */
export function writeServedRules(paths: LabPaths, node: string, rules: string): void {
  writeFileSync(servedRulesFile(paths, node), rules, { mode: 0o600 });
}

/** Forgets the rules of a node that is gone. */
export function removeServedRules(paths: LabPaths, node: string): void {
  rmSync(servedRulesFile(paths, node), { force: true });
}

function servedRulesFile(paths: LabPaths, node: string): string {
  return join(paths.services, `${fileSlug(node)}.nft`);
}
