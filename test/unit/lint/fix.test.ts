import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mendFiles } from '../../../lint/index.ts';
import { fileOf, lintFiles, SHOP } from './linting.ts';

const CORPUS = join(import.meta.dirname, 'corpus');

/** Where one thing only can be meant. */
const MENDED = [
  'np001-typo',
  'np002-namespace-key',
  'np002-pods-elsewhere',
  'np002-value-typo',
  'np003-elsewhere',
  'np003-inside',
  'np004-egress-service-port',
  'np004-service-port',
  'np005-no-such-name',
  'np014-from-at-egress',
  'np014-match-label',
  'np014-misspelt',
  'np015-empty-egress',
  'np015-not-listed',
  'np018-metadata',
  'np018-private-taken-out',
];

async function mend(file: string, base: string) {
  const { findings, manifests } = await lintFiles([base, file]);
  return mendFiles(findings, manifests.files).find((one) => one.file === file);
}

function baseOf(folder: string): string {
  const own = join(CORPUS, folder, 'base.yaml');
  return existsSync(own) ? own : SHOP;
}

test.each(MENDED)('what is wrong in %s is mended, and nothing is found any more', async (folder) => {
  const text = readFileSync(join(CORPUS, folder, 'fault.yaml'), 'utf8');
  const mended = await mend(fileOf(text), baseOf(folder));
  const after = mended?.text ?? '';
  expect(after).not.toBe(text);
  // Lines that are not touched stay, and so do comments.
  expect(after).toContain('# fault');
  const kept = new Set(after.split('\n'));
  expect(text.split('\n').filter((line) => !kept.has(line)).length).toBeLessThanOrEqual(1);
  expect((await lintFiles([baseOf(folder), fileOf(after)])).findings.map(({ message }) => message)).toEqual(
    [],
  );
});

test('where more than one thing may be meant, nothing is changed', async () => {
  const folders = readdirSync(CORPUS, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !MENDED.includes(entry.name))
    .map(({ name }) => name);
  for (const folder of folders) {
    const file = join(CORPUS, folder, 'fault.yaml');
    const mended = await mend(file, baseOf(folder));
    if (mended !== undefined)
      expect([folder, mended.text]).toEqual(['np003-two-that-are-meant', expect.anything()]);
  }
});

test('a label of another version is offered, and not written: it is no slip of the pen', async () => {
  const text = readFileSync(join(CORPUS, 'np001-typo/fault.yaml'), 'utf8').replace(/app: \w+/, 'app: web2');
  const file = fileOf(text);
  const { findings } = await lintFiles([SHOP, file]);
  expect(findings.find(({ code }) => code === 'NP001')).toMatchObject({ fix: { text: 'app: web' } });
  expect((await mend(file, SHOP))?.text).toBeUndefined();
});

test.each([
  ['windows line ends', (text: string) => text.replaceAll('\n', '\r\n')],
  ['a second document, before', (text: string) => `# nothing\n---\n${text}`],
  ['no line end at the end', (text: string) => text.trimEnd()],
])('with %s all other bytes stay', async (_, change) => {
  const text = change(readFileSync(join(CORPUS, 'np004-service-port/fault.yaml'), 'utf8'));
  const mended = await mend(fileOf(text), SHOP);
  expect(mended?.text).toBe(text.replace('port: 80 ', 'port: http '));
});

test('an item of a list in a List of JSON is mended in its place', async () => {
  const policy = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'web', namespace: 'shop' },
    spec: {
      podSelector: { matchLabels: { app: 'web' } },
      ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 80 }] }],
    },
  };
  const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [policy] }, null, 1);
  const mended = await mend(fileOf(text, 'list.json'), SHOP);
  expect(JSON.parse(mended?.text ?? '')).toMatchObject({
    items: [{ spec: { ingress: [{ ports: [{ port: 'http' }] }] } }],
  });
});
