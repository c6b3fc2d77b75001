import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type LintInput, lint, suppress } from '../../../lint/index.ts';
import { createPlaces, readManifests } from '../../../sources/index.ts';
import { temporaryDirectory } from '../../builders/cli_manifests.ts';

/** The shop of the corpus. */
export const SHOP = join(import.meta.dirname, 'corpus/shop.yaml');

/** A file with this text. */
export function fileOf(text: string, name = 'policies.yaml'): string {
  const file = join(temporaryDirectory(), name);
  writeFileSync(file, text);
  return file;
}

/** What lint finds in files, by the rules and after suppression. */
export async function lintFiles(paths: readonly string[], extent: LintInput['extent'] = 'files') {
  const manifests = await readManifests(paths);
  const findings = lint({
    manifests,
    places: createPlaces(manifests.files),
    extent,
    now: Date.parse('2026-11-30T00:00:00Z'),
    namespaceGiven: false,
  });
  return { manifests, findings, parted: suppress(findings, manifests.files) };
}
