/** The list of commands, their help, and what is like a word that is none. */
import { expect, test } from 'vitest';
import { runSluice } from './support/sluice_process.ts';

test('an unknown command is answered with the one that it is like', async () => {
  const { code, stderr } = await runSluice(['chekc']);
  expect(stderr).toBe('sluice: "chekc" is no command; did you mean check?\n');
  expect(code).toBe(2);
});

test('a word like none is answered with where to look', async () => {
  const { stderr } = await runSluice(['frobnicate']);
  expect(stderr).toBe('sluice: "frobnicate" is no command: see `sluice --help`\n');
});

test('help COMMAND is what COMMAND --help is', async () => {
  const [help, flag] = await Promise.all([runSluice(['help', 'can']), runSluice(['can', '--help'])]);
  expect(help.stdout).toBe(flag.stdout);
  expect(help.stdout).toMatch(/^usage: sluice can /);
});

test('help COMMAND goes on to a command below it', async () => {
  const [help, below] = await Promise.all([
    runSluice(['help', 'lab', 'up']),
    runSluice(['lab', 'help', 'up']),
  ]);
  expect(help.stdout).toMatch(/^usage: sluice lab up /);
  expect(below.stdout).toBe(help.stdout);
});

test.each(['-v', '--version', 'version'])('%s is the version', async (word) => {
  const { code, stdout } = await runSluice([word]);
  expect(stdout).toMatch(/^sluice \d+\.\d+\.\d+\n$/);
  expect(code).toBe(0);
});

test.each([
  [['can', 'a', 'b', '1', '--namspace', 'x'], 'did you mean --namespace?'],
  [['check', '--contxt', 'x'], 'did you mean --context?'],
])('an unknown flag of %s', async (args, hint) => {
  const { code, stderr } = await runSluice(args);
  expect(stderr).toContain(hint);
  expect(code).toBe(2);
});

test('--color always colours the verdict in a pipe too', async () => {
  const { stdout } = await runSluice([
    'can',
    '203.0.113.1',
    '203.0.113.2',
    '80',
    '-f',
    '-',
    '--color',
    'always',
  ]);
  expect(stdout).toContain('\u001b[32mallowed\u001b[39m: 203.0.113.1');
});
