/** Manifests as files, for programs that read them from there. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RawManifest } from '../../sources/index.ts';

/** Writes manifests into a new folder; the caller removes it. */
export function writeManifests(objects: readonly RawManifest[]): {
  readonly folder: string;
  readonly remove: () => void;
} {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  writeFileSync(
    join(folder, 'objects.json'),
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
  );
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
