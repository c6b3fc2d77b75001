/** A revision of a real git repository as input, and time limits. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { outcomeOf, runTool } from '../../../../common/run_tool.ts';
import { pod, temporaryDirectory } from '../../../builders/cli_manifests.ts';
import { namespace, policy } from '../../../builders/manifests.ts';
import { MAIN, runSluice, startSluice } from '../support/sluice_process.ts';

/** A repository whose `main` isolates the api, and whose working tree no longer does. */
function repository(): string {
  const dir = temporaryDirectory();
  const git = (...args: string[]) =>
    execFileSync(
      'git',
      ['-c', 'user.name=t', '-c', 'user.email=t@example', '-c', 'commit.gpgsign=false', ...args],
      { cwd: dir },
    );
  git('init', '-q', '-b', 'main');
  mkdirSync(join(dir, 'k8s/.hidden'), { recursive: true });
  const list = (...items: object[]) => JSON.stringify({ apiVersion: 'v1', kind: 'List', items }, null, 2);
  writeFileSync(
    join(dir, 'k8s/pods.json'),
    list(namespace('shop'), pod('shop/web', { ip: '10.0.0.1' }), pod('shop/api', { ip: '10.0.0.2' })),
  );
  writeFileSync(
    join(dir, 'k8s/policy.json'),
    list(
      policy('shop/closed', {
        podSelector: {},
        ingress: [{ from: [{ podSelector: { matchLabels: { app: 'x' } } }] }],
      }),
    ),
  );
  writeFileSync(join(dir, 'k8s/.hidden/no.yaml'), 'no: object');
  writeFileSync(join(dir, 'k8s/notes.txt'), 'no manifest');
  git('add', '.');
  git('commit', '-q', '-m', 'closed');
  writeFileSync(join(dir, 'k8s/policy.json'), list());
  return dir;
}

async function canIn(cwd: string, ...args: string[]) {
  const command = [
    'sh',
    '-c',
    'cd "$0" && exec "$@"',
    cwd,
    process.execPath,
    MAIN,
    'can',
    'shop/web',
    'shop/api',
    '80',
  ];
  return await runTool([...command, ...args], { timeMs: 60_000 });
}

test('-f REVISION:PATH reads what the revision has, and not the working tree', async () => {
  const dir = repository();
  const before = await canIn(dir, '-f', 'main:k8s/', '-o', 'json');
  expect(before.stderr).toBe('');
  expect(JSON.parse(before.stdout)).toMatchObject({
    verdict: 'deny',
    near: [{ file: 'main:k8s/policy.json' }],
  });
  const now = await canIn(dir, '-f', 'k8s/');
  expect(now.stdout).toBe('allowed: shop/web -> shop/api TCP/80\n');
  const files = await canIn(dir, '-f', 'HEAD:k8s/pods.json', '-f', 'main:k8s/policy.json');
  expect(files.status).toBe(1);
});

test('-f REVISION:PATH is the same in a subfolder of the repository', async () => {
  const dir = join(repository(), 'k8s');
  for (const path of ['main:k8s/', 'main:./', 'main:.', 'main:..']) {
    const { status, stdout, stderr } = await canIn(dir, '-f', path);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^denied: /);
    expect(status).toBe(1);
  }
});

test.each([
  ['a revision that is not there', 'nope:k8s/', 'there is no such revision, or no such path in it'],
  ['a path that is not there', 'main:nope/', 'there is no such revision, or no such path in it'],
])('%s is one line on stderr and exit 2', async (_, path, message) => {
  const { status, stderr } = await canIn(repository(), '-f', path);
  expect(stderr).toContain(message);
  expect(stderr).toMatch(/^sluice: [^\n]+\n$/);
  expect(status).toBe(2);
});

test('outside of a repository git says so', async () => {
  const { status, stderr } = await canIn(temporaryDirectory(), '-f', 'main:k8s/');
  expect(stderr).toMatch(/main:k8s\/ is no file, and cannot be read from git/);
  expect(status).toBe(2);
});

test('--timeout ends a command that waits, with 124', async () => {
  const { code, stderr } = await runSluice([
    'can',
    '10.0.0.1',
    '10.0.0.2',
    '80',
    '--timeout',
    'nonsense',
    '-f',
    '.',
  ]);
  expect(stderr).toContain("--timeout is 'nonsense': wants a time");
  expect(code).toBe(2);
  // Its standard input stays open, and nothing comes.
  const child = startSluice(['can', '10.0.0.1', '10.0.0.2', '80', '-f', '-', '--timeout', '300ms']);
  const waiting = await outcomeOf(child, { timeMs: 30_000 });
  expect(waiting.stderr).toContain('not done after 0.3 s (--timeout)');
  expect(waiting.status).toBe(124);
});

test.each([
  ['can', 'shop/web', 'shop/api', '80', '-f'],
  ['lint', '-f'],
  ['can', '-f', '/dev/null', '--batch'],
])('a named pipe that nobody writes to does not hold up --timeout: %s', async (...args) => {
  const pipe = join(temporaryDirectory(), 'policies.yaml');
  execFileSync('mkfifo', [pipe]);
  const { status, stderr } = await runTool([process.execPath, MAIN, ...args, pipe, '--timeout', '1s'], {
    timeMs: 30_000,
  });
  expect(stderr).toBe('sluice: not done after 1 s (--timeout)\n');
  expect(status).toBe(124);
});

test('a named pipe is read when a writer comes, to its end', async () => {
  const dir = temporaryDirectory();
  const pipe = join(dir, 'pods.json');
  execFileSync('mkfifo', [pipe]);
  const pods = JSON.stringify({
    apiVersion: 'v1',
    kind: 'List',
    items: [pod('shop/web', { ip: '10.0.0.1' }), pod('shop/api', { ip: '10.0.0.2' })],
  });
  writeFileSync(join(dir, 'written'), pods);
  const script = 'cat "$1" > "$2" & shift; exec "$0" "$2" can shop/web shop/api 80 -f "$1"';
  const { stdout, stderr, status } = await runTool(
    ['sh', '-c', script, process.execPath, join(dir, 'written'), pipe, MAIN],
    { timeMs: 60_000 },
  );
  expect({ stdout, stderr, status }).toEqual({
    stdout: 'allowed: shop/web -> shop/api TCP/80\n',
    stderr: '',
    status: 0,
  });
});
