/** The commands as one file, the manifest for krew, and the action: each as it is used. */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { runTool } from '../../../common/run_tool.ts';
import { VERSION } from '../../../common/version.ts';
import { CLI_FILE, CLI_NAMES, packageCli } from '../../../scripts/cli_package/cli_package.ts';
import { krewManifest } from '../../../scripts/krew/krew_manifest.ts';
import { deployment } from '../../builders/cli_manifests.ts';
import { policy } from '../../builders/manifests.ts';
import { SLUICE } from '../../netns/harness.ts';

const ROOT = join(import.meta.dirname, '../../..');

let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-cli-package-'));
  await packageCli(join(folder, 'made'));
  // Away from node_modules, under each of its names, as npm links it.
  cpSync(join(folder, 'made'), join(folder, 'package'), { recursive: true });
  mkdirSync(join(folder, 'bin'));
  for (const name of CLI_NAMES) symlinkSync(`../package/${CLI_FILE}`, join(folder, 'bin', name));
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (name: (typeof CLI_NAMES)[number], ...args: string[]) =>
  runTool([process.execPath, join(folder, 'bin', name), ...args], { timeMs: 60_000 });

test('answers from one file, away from the sources', async () => {
  const { stdout } = await run('sluice', '--version');
  expect(stdout).toBe(`sluice ${VERSION}\n`);
  const examples = join(ROOT, 'examples/bookstore');
  const linted = await run('kubectl-sluice', 'lint', '-f', examples, '-o', 'json');
  expect(JSON.parse(linted.stdout)).toMatchObject({ schema: 'sluice.dev/lint/v1', policies: 1 });
});

test('completes for kubectl under the name that kubectl looks for', async () => {
  expect((await run('kubectl_complete-sluice', 'chec')).stdout).toMatch(/^check\t.*\n:4\n$/);
});

test('has the page of the dashboard in itself', async () => {
  const shop = join(ROOT, 'examples/shop/flows.ndjson');
  const child = spawn(process.execPath, [join(folder, 'bin/sluice'), 'dashboard', '-i', shop], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [printed] = await once(child.stdout, 'data');
    const [origin] = /http:\/\/127\.0\.0\.1:\d+/.exec(String(printed)) ?? [];
    for (const path of ['/', '/page.js', '/worker.js', '/style.css'])
      expect((await fetch(`${origin}${path}`)).status, path).toBe(200);
  } finally {
    child.kill('SIGKILL');
  }
});

test('says that it has no lab', async () => {
  const { status, stderr } = await run('sluice', 'lab', 'up');
  expect([status, stderr]).toEqual([2, expect.stringContaining('need a clone of the repository')]);
});

test('names each of its programs, and has the licences of what is in it', () => {
  const { bin, dependencies } = JSON.parse(readFileSync(join(folder, 'package/package.json'), 'utf8'));
  expect(Object.keys(bin)).toEqual([...CLI_NAMES]);
  expect(dependencies).toBeUndefined();
  const licences = readFileSync(join(folder, 'package/LICENSES-third-party.txt'), 'utf8');
  for (const name of ['yaml', '@kubernetes/client-node', 'preact', '@dagrejs/dagre'])
    expect(licences).toContain(name);
});

test('the manifest for krew has the hash of each archive', async () => {
  const archives = join(folder, 'archives');
  mkdirSync(archives);
  writeFileSync(join(archives, 'kubectl-sluice_linux_amd64.tar.gz'), 'an archive');
  writeFileSync(join(archives, 'notes.txt'), 'none');
  const manifest = parse(await krewManifest('https://example.com/v1/', archives));
  expect(manifest.spec.version).toBe(`v${VERSION}`);
  expect(manifest.spec.platforms).toEqual([
    {
      selector: { matchLabels: { os: 'linux', arch: 'amd64' } },
      uri: 'https://example.com/v1/kubectl-sluice_linux_amd64.tar.gz',
      sha256: createHash('sha256').update('an archive').digest('hex'),
      bin: 'kubectl-sluice',
    },
  ]);
  await expect(krewManifest('https://example.com', join(folder, 'bin'))).rejects.toThrow('has no archive');
});

describe('the action', () => {
  const { runs, inputs } = parse(readFileSync(join(ROOT, 'action/action.yml'), 'utf8'));
  const [, lint, diff] = runs.steps;
  const runStep = ({ run }: { readonly run: string }, given: Readonly<Record<string, string>>) =>
    runTool(['bash', '-c', `cd ${ROOT} && ${run}`], {
      timeMs: 60_000,
      env: { ...process.env, SLUICE, FILES: 'examples/bookstore', ...given },
    });

  test('takes no input for a part of a script', () => {
    const used = [lint, diff].flatMap(({ env }) => Object.values(env).slice(1));
    expect(new Set(used)).toEqual(new Set(Object.keys(inputs).map((name) => `\${{ inputs.${name} }}`)));
    expect(`${lint.run}${diff.run}`).not.toContain('${{');
  });

  test('lints what it is given', async () => {
    const { status, stdout } = await runStep(lint, { FAIL_ON: 'warning', BASELINE: '', AGAINST: '' });
    expect([status, stdout]).toEqual([1, expect.stringMatching(/^::warning file=examples\/bookstore\//m)]);
  });

  test('lints what is left where a folder is gone, and without a revision says that it is not there', async () => {
    const given = { FAIL_ON: 'error', BASELINE: '', AGAINST: 'HEAD' };
    const FILES = 'examples/gone examples/bookstore';
    expect(await runStep(lint, { ...given, FILES })).toMatchObject({ status: 0, stderr: '' });
    expect(await runStep(lint, { ...given, FILES: 'examples/gone' })).toMatchObject({
      status: 0,
      stdout: 'nothing of examples/gone is there: nothing to lint\n',
    });
    expect(await runStep(lint, { ...given, FILES, AGAINST: '' })).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('examples/gone cannot be read'),
    });
  });

  test('says in the summary of the job what has changed', async () => {
    const summary = join(folder, 'summary.md');
    const given = { AGAINST: 'HEAD', DIFF_FAIL_ON: 'any', GITHUB_STEP_SUMMARY: summary };
    expect((await runStep(diff, given)).status).toBe(0);
    expect(readFileSync(summary, 'utf8')).toContain('unchanged');
    expect((await runStep(diff, { ...given, AGAINST: 'no-such-revision' })).status).toBe(2);
  });

  test('compares all folders as one set, new ones and those that are gone too', async () => {
    const clone = join(folder, 'clone');
    const put = (name: string, ...manifests: object[]) => {
      mkdirSync(join(clone, dirname(name)), { recursive: true });
      writeFileSync(
        join(clone, name),
        JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests }, null, 2),
      );
    };
    const git = (...args: string[]) =>
      execFileSync(
        'git',
        ['-c', 'user.name=t', '-c', 'user.email=t@example', '-c', 'commit.gpgsign=false', ...args],
        { cwd: clone },
      );
    const closed = (name: string) => policy(`shop/${name}`, { podSelector: {}, policyTypes: ['Ingress'] });
    put('apps/web.json', deployment('shop/web', { app: 'web' }), deployment('shop/api', { app: 'api' }));
    put('old/closed.json', closed('closed'));
    git('init', '-q', '-b', 'main');
    git('add', '.');
    git('commit', '-q', '-m', 'before');
    rmSync(join(clone, 'old'), { recursive: true });
    put('new/closed.json', closed('renamed'));
    const summary = join(folder, 'folders.md');
    const given = { AGAINST: 'HEAD', DIFF_FAIL_ON: 'any', GITHUB_STEP_SUMMARY: summary };
    const stepOf = (files: string) =>
      runTool(['bash', '-c', `cd ${clone} && ${diff.run}`], {
        timeMs: 60_000,
        env: { ...process.env, ...given, SLUICE, FILES: files },
      });
    // The policy has gone from one folder to the other, and the workloads are in a third.
    expect(await stepOf('apps new old/')).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(summary, 'utf8')).toContain('`HEAD: apps, new, old/` → `apps, new, old/`');
    expect(await stepOf('apps new')).toMatchObject({ status: 1 });
    expect(await stepOf('apps nowhere')).toMatchObject({ status: 2 });
    expect(await stepOf('nowhere')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('nowhere cannot be read: neither there nor in HEAD'),
    });
  });
});
