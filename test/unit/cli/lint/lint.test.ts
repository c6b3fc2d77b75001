import { spawnSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../../../builders/cli_manifests.ts';

const PROJECT = join(import.meta.dirname, '../../../..');
const CORPUS = join(PROJECT, 'test/unit/lint/corpus');
const SHOP = join(CORPUS, 'shop.yaml');
const FAULT = join(CORPUS, 'np004-service-port/fault.yaml');
const CLEAN = join(CORPUS, 'np004-service-port/clean.yaml');
const WARNING = join(CORPUS, 'np006-scrape/fault.yaml');

function sluiceLint(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(PROJECT, 'cli/main.ts'), 'lint', ...args],
    { encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } },
  );
  return { status, stdout, stderr };
}

test('an error is exit code 1, a clean set 0', () => {
  const found = sluiceLint('-f', SHOP, FAULT);
  expect(found).toMatchObject({ status: 1, stderr: '' });
  expect(found.stdout).toMatch(/^\S+:13:13 {2}error {4}NP004 {2}shop\/web: .*\n1 error in 2 policies\. /);
  expect(sluiceLint('-f', SHOP, CLEAN)).toEqual({
    status: 0,
    stdout: 'nothing found in 2 policies\n',
    stderr: '',
  });
});

test('--color always colours the severity, and nothing that a file names', () => {
  const file = join(temporaryDirectory(), 'policy\u001b[31m.yaml');
  writeFileSync(file, readFileSync(FAULT, 'utf8'));
  const { stdout } = sluiceLint('-f', SHOP, file, '--color', 'always');
  expect(stdout).toContain('policy\\u001b[31m.yaml:13:13  \u001b[31merror  \u001b[39m  NP004  shop/web: ');
});

test('--fail-on sets from which severity on', () => {
  expect(sluiceLint('-f', SHOP, WARNING).status).toBe(0);
  expect(sluiceLint('-f', SHOP, WARNING, '--fail-on', 'warning').status).toBe(1);
});

test('an earlier json is a baseline', () => {
  const file = join(temporaryDirectory(), 'baseline.json');
  writeFileSync(file, sluiceLint('-f', SHOP, FAULT, '-o', 'json').stdout);
  const { status, stdout } = sluiceLint('-f', SHOP, FAULT, '--baseline', file);
  expect([status, stdout]).toEqual([0, 'nothing found in 2 policies\n1 suppressed\n']);
});

test('--fix changes the one word, keeps a byte order mark, and what is left is printed', () => {
  const file = join(temporaryDirectory(), 'policy.yaml');
  const text = `\uFEFF${readFileSync(FAULT, 'utf8')}`;
  writeFileSync(file, text);
  const { status, stdout, stderr } = sluiceLint('-f', SHOP, file, '--fix');
  expect([status, stdout]).toEqual([0, 'nothing found in 2 policies\n']);
  expect(stderr).toContain('NP004: port: http');
  expect(readFileSync(file, 'utf8')).toBe(text.replace('port: 80 ', 'port: http '));
});

test('what is wrong on the command line is exit code 2', () => {
  for (const args of [
    ['-f', SHOP, '-o', 'xml'],
    ['--explain', 'NP999'],
    ['-f', '-', '--fix'],
  ])
    expect(sluiceLint(...args)).toMatchObject({ status: 2, stdout: '' });
});

test('--explain says more', () => {
  expect(sluiceLint('--explain', 'np003').stdout).toMatch(/^NP003 \(error\): /);
});

test('a manifest that cannot be read is exit code 2: nothing found in it says nothing', () => {
  const file = join(temporaryDirectory(), 'broken.yaml');
  writeFileSync(file, 'kind: NetworkPolicy\nmetadata: {name: web\nspec: {}\n');
  const { status, stdout, stderr } = sluiceLint('-f', SHOP, CLEAN, file);
  expect(stderr).toMatch(/^sluice: not read: \S+broken\.yaml, document 1: [^\n]+\n$/);
  expect([status, stdout]).toEqual([2, 'nothing found in 2 policies\n']);
  const found = sluiceLint('-f', SHOP, FAULT, file);
  expect(found.stdout).toContain('  error  ');
  expect(found.status).toBe(2);
  expect(sluiceLint('-f', SHOP, FAULT, file, '--ignore-errors').status).toBe(1);
});

test('--fix says of what it cannot change why, and keeps mode and link of what it changes', () => {
  const dir = temporaryDirectory();
  const file = join(dir, 'real.txt');
  const link = join(dir, 'policies.yaml');
  const block =
    '{"podSelector":{},"policyTypes":["Egress"],"egress":[{"to":[{"ipBlock":{"cidr":"0.0.0.0/0"}}]}]}';
  const head = 'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n';
  const json = `{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"a","namespace":"x"},"spec":${block}}`;
  const yaml = `${head}metadata: {name: b, namespace: x}\nspec:\n  podSelector: {}\n  egress:\n  - to:\n    - ipBlock:\n        cidr: 0.0.0.0/0   # all\n`;
  writeFileSync(file, `${json}\n---\n${yaml}`, { mode: 0o640 });
  symlinkSync(file, link);
  const { stderr } = sluiceLint('-f', link, '--fix');
  expect(stderr).toMatch(/^sluice: fixed \S+policies\.yaml:\d+:\d+ NP018: /m);
  expect(stderr).toMatch(/^sluice: not fixed \S+policies\.yaml:1:\d+ NP018: .*JSON.* by hand$/m);
  expect(readFileSync(file, 'utf8')).toContain(
    'cidr: 0.0.0.0/0   # all\n        except: [169.254.169.254/32]\n',
  );
  expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(readdirSync(dir).sort()).toEqual(['policies.yaml', 'real.txt']);
});
