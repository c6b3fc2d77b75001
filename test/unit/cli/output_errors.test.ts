/** What the command does when nobody takes what it prints. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { shop } from '../../builders/cli_manifests.ts';
import { MAIN, startSluice } from './support/sluice_process.ts';

/** 128 + SIGPIPE: what a shell reports of a program whose reader went away. */
const EXIT_READER_GONE = 141;

const QUESTION = '{"from":"shop/web","to":"shop/api","port":8080}\n';

const COMMANDS: readonly [string, readonly string[]][] = [
  ['a single answer', ['can', 'shop/web', 'shop/api', '8080']],
  ['an explained answer', ['can', 'shop/web', 'shop/api', '8080', '--explain']],
  ['a JSON answer', ['can', 'shop/web', 'shop/api', '8080', '-o', 'json']],
  ['a batch', ['can', '--batch', '-']],
  ['the help', ['--help']],
  ['the version', ['--version']],
  ['the help of can', ['can', '--help']],
  ['the help of lab', ['lab', '--help']],
];

/** Runs a command whose standard output, or standard error, is a full disk. */
async function runFull(which: 1 | 2, args: readonly string[]) {
  const full = openSync('/dev/full', 'w');
  onTestFinished(() => closeSync(full));
  const stdio = which === 1 ? (['pipe', full, 'pipe'] as const) : (['pipe', 'pipe', full] as const);
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: [...stdio] });
  let text = '';
  (which === 1 ? child.stderr : child.stdout)?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  child.stdin?.on('error', () => {});
  child.stdin?.end(QUESTION.repeat(100));
  const [code] = await once(child, 'close');
  return { code, text };
}

const withManifests = (args: readonly string[]) =>
  args.includes('--help') || args[0] !== 'can' ? args : [...args, '-f', shop()];

test.each(COMMANDS)('%s on a full disk is one line on stderr and exit 2', async (_, args) => {
  const { code, text } = await runFull(1, withManifests(args));
  expect(text).toMatch(/^sluice: standard output cannot be written: ENOSPC[^\n]*\n$/);
  expect(code).toBe(2);
});

test.each(COMMANDS)('%s whose reader has gone away ends quietly, as SIGPIPE ends others', async (_, args) => {
  const child = startSluice(withManifests(args));
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdout.destroy();
  child.stdin.on('error', () => {});
  child.stdin.end(QUESTION.repeat(100));
  const [code] = await once(child, 'close');
  expect(stderr).toBe('');
  expect(code).toBe(EXIT_READER_GONE);
});

test('a batch whose reader has gone away does not wait for more questions', async () => {
  const child = startSluice(['can', '--batch', '-', '-f', shop()]);
  child.stdin.on('error', () => {});
  child.stdin.write(QUESTION);
  await once(child.stdout, 'data');
  child.stdout.destroy();
  child.stdin.write(QUESTION);
  const [code] = await once(child, 'exit'); // its input is still open
  child.stdin.end();
  expect(code).toBe(EXIT_READER_GONE);
});

test('messages that nobody takes do not change the exit code', async () => {
  const denied = await runFull(2, ['can', 'other/client', 'shop/api', '8080', '-f', shop()]);
  expect(denied.code).toBe(1);
  const invalid = await runFull(2, ['can', 'shop/nobody', 'shop/api', '8080', '-f', shop()]);
  expect(invalid.code).toBe(2);
});
