/** What words of a command line may become: from the table of commands, and from what the flags name. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { COMMANDS } from '../../../../cli/commands.ts';
import { expectedAt } from '../../../../cli/completion/expected.ts';
import { deployment, manifestDirectory, pod, temporaryDirectory } from '../../../builders/cli_manifests.ts';
import { namespace } from '../../../builders/manifests.ts';
import { runSluice } from '../support/sluice_process.ts';

const at = (...words: string[]) => expectedAt(COMMANDS, words);
const offered = async (...words: string[]) => {
  const { kind } = await at(...words);
  return typeof kind === 'string' ? kind : kind.map(({ value }) => value);
};

test('all commands are offered, and those below one', async () => {
  const names = COMMANDS.map(({ name }) => name);
  expect(await offered('')).toEqual([...names, 'help']);
  expect(await offered('help', '')).toEqual(names);
  expect(await offered('lab', '')).toContain('status');
  expect(await offered('help', 'lab', '')).toContain('status');
});

test.each(COMMANDS.map(({ name }) => [name]))('%s offers its flags, the common ones too', async (name) => {
  const [first] = ((await COMMANDS.find((one) => one.name === name)?.load())?.shape?.commands ?? []).map(
    (command) => command.name,
  );
  const words = first === undefined ? [name] : [name, first];
  expect(await offered(...words, '--')).toEqual(expect.arrayContaining(['--help', '--timeout', '--color']));
});

test.each([
  [
    ['lint', '-o', ''],
    ['text', 'json', 'sarif', 'github'],
  ],
  [
    ['lint', '--output='],
    ['text', 'json', 'sarif', 'github'],
  ],
  [
    ['graph', '-o', ''],
    ['text', 'wide', 'mermaid', 'dot', 'json', 'svg'],
  ],
  [
    ['diff', 'a', 'b', '--fail-on', ''],
    ['wider', 'narrower', 'any', 'none'],
  ],
  [['diff', ''], 'file'],
  [['diff', 'a', 'b', ''], 'nothing'],
  [['check', '-f', ''], 'file'],
  [['check', '-n', ''], 'namespace'],
  [['observe', '--injector-namespace', ''], 'namespace'],
  [['check', '--context', ''], 'context'],
  [['can', ''], 'endpoint'],
  [['describe', ''], 'pod'],
  [['can', 'web', '-n', 'shop', ''], 'endpoint'],
  [['can', 'web', 'db', ''], 'nothing'],
  [['lab', 'exec', ''], 'target'],
  [['lab', 'exec', 'shop/web', '--', ''], 'command'],
  [
    ['lab', 'logs', 'shop/web', ''],
    ['sidecar', 'app'],
  ],
  [['lab', 'status', '--name', ''], 'lab'],
  [
    ['completion', ''],
    ['bash', 'zsh', 'fish'],
  ],
  [['nosuch', ''], 'nothing'],
] as const)('after %j comes %j', async (words, wanted) => {
  expect(await offered(...words)).toEqual(wanted);
});

test('values of flags before count, in each way to write them', async () => {
  const { values } = await at('can', '-f', 'a', '--file=b', '-A', '');
  expect([...values]).toEqual([
    ['file', ['a', 'b']],
    ['all-namespaces', ['']],
  ]);
});

test('names come from the manifests that -f names, and nothing goes wrong aloud', async () => {
  const folder = manifestDirectory(namespace('shop'), pod('shop/api'), deployment('shop/web', {}));
  const namespaces = await runSluice(['__complete', 'can', '-f', folder, '-n', '']);
  expect(namespaces.stdout).toBe('shop\n:4\n');
  const ends = await runSluice(['__complete', 'can', '-f', folder, '-n', 'shop', '']);
  expect(ends.stdout.split('\n')).toEqual(expect.arrayContaining(['pod/api', 'deploy/web', ':4']));
  const wrong = await runSluice(['__complete', 'can', '-f', '/nowhere', '']);
  expect([wrong.code, wrong.stdout, wrong.stderr]).toEqual([0, ':4\n', '']);
});

test('a name that a shell would run is never put on the line', async () => {
  const folder = manifestDirectory(
    deployment('shop/$(id)', {}),
    deployment('shop/a;b', {}),
    deployment('shop/web', {}),
  );
  const { stdout } = await runSluice(['__complete', 'can', '-f', folder, '-n', 'shop', '']);
  expect(stdout).toBe('deploy/web\n:4\n');
});

test('contexts come from the kubeconfig that --kubeconfig names', async () => {
  const file = join(temporaryDirectory(), 'config');
  const contexts = ['prod', 'stage'].map((name) => ({ name, context: { cluster: 'c', user: 'u' } }));
  writeFileSync(file, JSON.stringify({ contexts, clusters: [], users: [] }));
  const { stdout } = await runSluice(['__complete', 'check', '--kubeconfig', file, '--context', 'p']);
  expect(stdout).toBe('prod\n:4\n');
});

test('a program that gives no token in time is not waited for', async () => {
  const file = join(temporaryDirectory(), 'config');
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'sleep', args: ['20'] };
  const config = {
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }],
    users: [{ name: 'u', user: { exec } }],
  };
  writeFileSync(file, JSON.stringify(config));
  const start = performance.now();
  const { stdout } = await runSluice(['__complete', 'check', '--kubeconfig', file, '-n', '']);
  expect(stdout).toBe(':4\n');
  expect(performance.now() - start).toBeLessThan(15_000);
}, 20_000);
