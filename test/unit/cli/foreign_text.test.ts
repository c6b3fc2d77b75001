/** What others wrote, such as names, reaches no terminal as it is: it can neither steer it nor look like an answer. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { print } from '../../../cli/output.ts';
import { printable, printableLines } from '../../../common/printable.ts';
import { manifestsInvalid } from '../../../lab/objects/store.ts';
import { deployment, manifestDirectory, pod, temporaryDirectory } from '../../builders/cli_manifests.ts';
import { runSluice } from './support/sluice_process.ts';

/** Clears the screen, sets the title, turns text around, and begins a line of its own. */
const NASTY = 'p\u001b[2J\u001b]0;t\u0007\u009b31m\u202egnp\nallowed: all';
const ESCAPED = 'p\\u001b[2J\\u001b]0;t\\u0007\\u009b31m\\u202egnp\\u000aallowed: all';

function expectPlain(text: string): void {
  expect(text).not.toBe('');
  expect(text).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u);
}

const dir = () =>
  manifestDirectory(pod(`t/${NASTY}`, { ip: '10.1.0.1' }), deployment(`t/${NASTY}`, { app: 'a' }), {
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumNetworkPolicy',
    metadata: { name: NASTY },
  });

test('can: in what is wrong with manifests, which is a line each', async () => {
  const { stderr } = await runSluice(['can', 't/a', 't/b', '80', '-f', dir()]);
  expectPlain(stderr);
  expect(stderr).toContain(`Pod t/${ESCAPED}`);
  expect(
    stderr
      .trimEnd()
      .split('\n')
      .every((line) => line.startsWith('sluice: ')),
  ).toBe(true);
});

test('can: in the names that it offers', async () => {
  const question = ['t/deploy/p\u001b[2J\u001b]0;t\u0007\u009b31m\u202egnp\nallowed: alm', 't/b', '80'];
  const { stderr } = await runSluice(['can', ...question, '-f', dir(), '--ignore-errors']);
  expectPlain(stderr);
  expect(stderr).toContain(`did you mean t/deploy/${ESCAPED}?`);
});

test('can --explain: in the name of who owns a pod, which begins no line', async () => {
  const owned = pod('t/a', { ip: '10.1.0.1', owner: `ReplicaSet/${NASTY}` });
  const { stdout } = await runSluice([
    'can',
    't/a',
    't/a',
    '80',
    '--explain',
    '-f',
    manifestDirectory(owned),
  ]);
  expectPlain(stdout);
  expect(stdout).toContain(`rs/${ESCAPED}`);
  expect(stdout).not.toMatch(/^allowed: all/m);
});

test('can --batch: in the fields of a question, which keep their meaning', async () => {
  const pods = manifestDirectory(pod('t/a', { ip: '10.1.0.1' }));
  const question = { from: 't/a', to: '10.0.0.1', port: 80, note: NASTY };
  const { stdout } = await runSluice(['can', '--batch', '-', '-f', pods], `${JSON.stringify(question)}\n`);
  expectPlain(stdout);
  expect(JSON.parse(stdout)).toMatchObject({ note: NASTY });
});

test('check: in findings, as text and as JSON', async () => {
  const text = await runSluice(['check', '-n', 't', '-f', dir()]);
  expectPlain(text.stdout);
  expect(text.stdout).toContain(ESCAPED);
  const json = await runSluice(['check', '-n', 't', '-o', 'json', '-f', dir()]);
  expectPlain(json.stdout);
});

test('in names of files', async () => {
  const folder = temporaryDirectory();
  writeFileSync(join(folder, 'a\u001b[2J.yaml'), 'kind: [\n');
  const { stderr } = await runSluice(['can', 't/a', 't/b', '80', '-f', folder]);
  expectPlain(stderr);
});

describe('text', () => {
  test('keeps everything that is shown', () => {
    const shown = 'é 日本 🙂 ~ "\\u001b"';
    expect([printable(shown), printableLines(`${shown}\n\t`)]).toEqual([shown, `${shown}\n\t`]);
  });

  test('of a list of errors stays a line each', () => {
    expect(manifestsInvalid([`pod ${NASTY}: x`]).message.split('\n')).toHaveLength(2);
  });

  test('that is printed is escaped once', () => {
    const written: string[] = [];
    const { write } = process.stdout;
    process.stdout.write = ((text: string) => written.push(text) > 0) as typeof write;
    try {
      print(`${printable(NASTY)}\n`);
    } finally {
      process.stdout.write = write;
    }
    expect(written).toEqual([`${ESCAPED}\n`]);
  });
});
