import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Finding, lint, RULES } from '../../../lint/index.ts';
import { createPlaces, readManifests } from '../../../sources/index.ts';

/**
 * Folders named after a rule. `fault.yaml` has one fault, and its place is the line with the comment `# fault`; `clean.yaml`
 * is the same without it. Both are looked at together with `base.yaml`, or with the shop.
 */
const CORPUS = join(import.meta.dirname, 'corpus');

const FOLDERS = readdirSync(CORPUS, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

async function findingsIn(folder: string, file: string): Promise<readonly Finding[]> {
  const own = join(CORPUS, folder, 'base.yaml');
  const paths = [existsSync(own) ? own : join(CORPUS, 'shop.yaml'), join(CORPUS, folder, file)];
  const manifests = await readManifests(paths);
  const places = createPlaces(manifests.files);
  return lint({
    manifests,
    places,
    extent: folder.includes('-live') ? 'cluster' : 'files',
    now: Date.parse('2026-11-30T00:00:00Z'),
    namespaceGiven: false,
  });
}

describe.each(FOLDERS)('%s', (folder) => {
  const code = folder.slice(0, 'np000'.length).toUpperCase();

  test('the fault is found, where it is, and nothing else', async () => {
    const findings = await findingsIn(folder, 'fault.yaml');
    expect(findings.map((finding) => `${finding.code} ${finding.message}`)).toEqual([
      expect.stringContaining(code),
    ]);
    const lines = readFileSync(join(CORPUS, folder, 'fault.yaml'), 'utf8').split('\n');
    const line = lines.findIndex((text) => text.endsWith('# fault')) + 1;
    expect(findings[0]?.place?.line, findings[0]?.message).toBe(line);
  });

  test('the clean twin has no finding', async () => {
    expect(await findingsIn(folder, 'clean.yaml')).toEqual([]);
  });
});

test('each rule has a folder, and there are at least 40', () => {
  const codes = new Set(FOLDERS.map((name) => name.slice(0, 'np000'.length).toUpperCase()));
  expect([...codes].sort()).toEqual(RULES.map(({ code }) => code));
  expect(FOLDERS.length).toBeGreaterThanOrEqual(40);
});
