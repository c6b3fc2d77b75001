/** One rule for broken manifests, in every command that reads files. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { deployment, manifestDirectory } from '../../builders/cli_manifests.ts';
import { namespace } from '../../builders/manifests.ts';
import { runSluice } from './support/sluice_process.ts';

/** A folder with a file of it that is no YAML. */
function broken(): string {
  const dir = manifestDirectory(
    namespace('shop', { 'sluice.dev/inject': 'enabled' }),
    deployment('shop/web', { app: 'web' }),
    deployment('shop/api', { app: 'api' }),
  );
  writeFileSync(join(dir, 'broken.yaml'), 'kind: Pod\nmetadata: {name: x\nspec: {}\n');
  return dir;
}

const CASES = '{"tests": [{"from": "shop/deploy/web", "to": "shop/deploy/api:80", "expect": "allow"}]}';

/** The commands, and what they end with, where they end with nothing printed. */
const COMMANDS: readonly (readonly [string, (dir: string) => readonly string[], number, boolean])[] = [
  ['can', (dir) => ['shop/deploy/web', 'shop/deploy/api', '80', '-f', dir], 2, true],
  ['diff', (dir) => [dir, dir], 2, true],
  ['graph', (dir) => ['-f', dir], 2, true],
  ['test', (dir) => ['-f', '-', '-f', dir], 2, true],
  ['lint', (dir) => ['-f', dir], 2, false],
  ['describe', (dir) => ['shop/deploy/web', '-f', dir], 2, false],
  ['check', (dir) => ['-f', dir], 1, false],
];

test.each(COMMANDS)('%s says what is broken, and --ignore-errors makes it a warning', async (...row) => {
  const [command, argsOf, expected, isSilent] = row;
  const args = [command, ...argsOf(broken())];
  const { code, stdout, stderr } = await runSluice(args, CASES);
  expect(`${stdout}${stderr}`).toMatch(/broken\.yaml, document 1/);
  expect(code).toBe(expected);
  expect(stdout === '').toBe(isSilent);
  const ignored = await runSluice([...args, '--ignore-errors'], CASES);
  expect(`${ignored.stdout}${ignored.stderr}`).toMatch(/warning.*broken\.yaml, document 1/);
  expect(ignored.code).toBe(0);
  expect(ignored.stdout).not.toBe('');
});
