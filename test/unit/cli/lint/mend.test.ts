import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { writeMends } from '../../../../cli/lint/mend.ts';
import type { Finding } from '../../../../lint/index.ts';
import { fileOf, lintFiles, SHOP } from '../../lint/linting.ts';

const FAULT = readFileSync(
  join(import.meta.dirname, '../../lint/corpus/np004-service-port/fault.yaml'),
  'utf8',
);

afterEach(() => {
  vi.restoreAllMocks();
});

async function oneFault() {
  const file = fileOf(FAULT);
  const { findings, manifests } = await lintFiles([SHOP, file]);
  const found = findings.find(({ fix }) => fix?.edits !== undefined);
  if (found === undefined) throw new Error('nothing to mend');
  return { file, found, files: manifests.files };
}

function mended(findings: readonly Finding[], files: Parameters<typeof writeMends>[1]) {
  const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const changed = writeMends(findings, files);
  return { changed, said: written.mock.calls.map(([text]) => String(text)) };
}

test('of a file that has changed meanwhile only that is said', async () => {
  const { file, found, files } = await oneFault();
  appendFileSync(file, '# mine\n');
  const { changed, said } = mended([found], files);
  expect(changed).toBe(false);
  expect(said).toEqual([`sluice: ${file} has changed meanwhile: nothing of it is fixed\n`]);
  expect(readFileSync(file, 'utf8')).toBe(`${FAULT}# mine\n`);
});

test('of two findings whose texts overlap one is fixed, and the reason is said of the other', async () => {
  const { file, found, files } = await oneFault();
  const edits = found.fix?.edits?.map((edit) => (edit.kind === 'set' ? { ...edit, value: 'other' } : edit));
  const other: Finding = { ...found, code: 'NP900', fix: { text: 'port: other', edits: edits ?? [] } };
  const { changed, said } = mended([found, other], files);
  expect(changed).toBe(true);
  expect(said).toEqual([
    expect.stringMatching(/^sluice: fixed \S+ NP004: port: http\n$/),
    expect.stringMatching(/^sluice: not fixed \S+ NP900: the text overlaps that of another finding, /),
  ]);
  expect(readFileSync(file, 'utf8')).toContain('port: http');
});
