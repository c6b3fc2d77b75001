import { execFileSync } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { generatePages, regionTexts } from '../../scripts/docs/pages.ts';
import { regionNames } from '../../scripts/docs/regions.ts';
import { serveAdmin } from '../../sidecar/admin/admin.ts';
import { FLOW_LOG_FIELDS } from '../../sidecar/records/flow_record.ts';
import { EMPTY_ADMIN_PAGES } from '../support/empty_admin_pages.ts';
import { codeBlocks, firstColumn, PROJECT, readPage } from './markdown.ts';

/** Help texts are asked of five programs, each a process. */
const HELP_TIMEOUT_MS = 30_000;

test('generated reference pages are up to date (npm run docs)', { timeout: HELP_TIMEOUT_MS }, async () => {
  const pages = await generatePages();
  for (const { path, committed, generated } of pages) expect(committed, path).toBe(generated);
  const used = pages.flatMap((page) => regionNames(page.generated)).sort();
  const made = [...(await regionTexts()).keys()].sort();
  expect(used).toEqual(made);
});

test('log-fields.md explains every field of a flow record, in order', () => {
  expect(firstColumn(readPage('docs/reference/log-fields.md'), 'field')).toEqual(FLOW_LOG_FIELDS);
});

test('admin.md lists every page of the admin port', async () => {
  const server = await serveAdmin(0, [], EMPTY_ADMIN_PAGES);
  onTestFinished(() => {
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const response = await fetch(`http://127.0.0.1:${port}/no-such-page`);
  const { error } = (await response.json()) as { error: string };
  const served = error.match(/\/\w+/g);
  const documented = firstColumn(readPage('docs/reference/admin.md'), 'path');
  expect(documented.slice(0, served?.length)).toEqual(served);
});

test('the JSON example of cli.md is what the command prints', () => {
  const [example = ''] = codeBlocks(readPage('docs/reference/cli.md'), 'json');
  const args = 'cli/main.ts can shop/coupons shop/api 8080 -f examples/bookstore -o json'.split(' ');
  let printed = '';
  try {
    execFileSync(process.execPath, args, { cwd: PROJECT, encoding: 'utf8' });
  } catch (error) {
    // Denied is exit code 1, which execFileSync reports as an error that carries the output.
    printed = (error as { stdout: string }).stdout;
  }
  expect(JSON.parse(printed)).toEqual(JSON.parse(example));
});
