/** The program by which a kubeconfig gets a credential, when a shell wants names: nobody is asked, and nobody waits for long. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../../../builders/cli_manifests.ts';
import { namespace } from '../../../builders/manifests.ts';
import type { ApiServer } from '../../../support/api_server/api_server.ts';
import { liveCluster } from '../support/live_cluster.ts';
import { runSluice } from '../support/sluice_process.ts';

/** A kubeconfig whose user's program is a shell script; the file that the script may write is its first argument. */
function withProgram(api: ApiServer, script: string, more: object = {}) {
  const folder = temporaryDirectory();
  const seen = join(folder, 'seen');
  const kubeconfig = join(folder, 'kubeconfig');
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: 'sh',
    args: ['-c', script, 'sh', seen],
    env: [{ name: 'OWN', value: 'own' }],
    ...more,
  };
  writeFileSync(
    kubeconfig,
    JSON.stringify({ ...api.kubeconfig(), users: [{ name: 'user', user: { exec } }] }),
  );
  return { seen, kubeconfig };
}

const giving = (status: object): string =>
  `echo '${JSON.stringify({ kind: 'ExecCredential', apiVersion: 'client.authentication.k8s.io/v1', status })}'`;

const namesBy = (kubeconfig: string) =>
  runSluice(['__complete', 'check', '--kubeconfig', kubeconfig, '-n', 'sh']);

/** Session and state of a process; undefined where it has ended. Source: proc_pid_stat(5). */
function processState(pid: number): { readonly state: string; readonly session: number } | undefined {
  if (!existsSync(`/proc/${pid}/stat`)) return undefined;
  const [state = '', , , session] = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return { state, session: Number(session) };
}

test('it gives its credential without a terminal, an input or a word on standard error', async () => {
  const { api } = await liveCluster();
  await api.create(namespace('shop'));
  const script = `
    { readlink /proc/$$/fd/0; cut -d' ' -f6 /proc/$$/stat; echo $$; echo $OWN; echo "$KUBERNETES_EXEC_INFO"; } > "$1"
    cat; echo 'log in at https://login.example' >&2
    ${giving({ token: api.adminToken })}`;
  const { seen, kubeconfig } = withProgram(api, script, { interactiveMode: 'IfAvailable' });
  // A busy machine may need more than the time that is waited.
  const ended = async () => {
    const { code, stdout, stderr } = await namesBy(kubeconfig);
    return [code, stdout, stderr];
  };
  await expect.poll(ended, { timeout: 60_000 }).toEqual([0, 'shop\n:4\n', '']);
  const [stdin, session, pid, own, info = ''] = readFileSync(seen, 'utf8').split('\n');
  expect([stdin, own]).toEqual(['/dev/null', 'own']);
  // A session that it leads itself has no terminal.
  expect(session).toBe(pid);
  expect(JSON.parse(info)).toEqual({
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    spec: { interactive: false },
  });
}, 90_000);

test('one that takes long is ended, with what it has started, and there are no names', async () => {
  const { api } = await liveCluster();
  const { seen, kubeconfig } = withProgram(api, 'sleep 300 & echo $$ $! > "$1"; wait');
  const start = performance.now();
  const { code, stdout, stderr } = await namesBy(kubeconfig);
  expect([code, stdout, stderr]).toEqual([0, ':4\n', '']);
  expect(performance.now() - start).toBeLessThan(30_000);
  const pids = readFileSync(seen, 'utf8').trim().split(' ').map(Number);
  expect(pids).toHaveLength(2);
  const running = () => pids.filter((pid) => !['Z', undefined].includes(processState(pid)?.state));
  await expect.poll(running).toEqual([]);
}, 60_000);

test.each([
  ['one that has to ask is not run', 'touch "$1"', { interactiveMode: 'Always' }, false],
  ['one that fails gives no names', 'touch "$1"; echo no >&2; exit 1', {}, true],
  ['one that gives nonsense gives no names', 'touch "$1"; echo nonsense', {}, true],
  ['one that is not there gives no names', '', { command: '/nonexistent' }, false],
])('%s', async (_, script, more, runs) => {
  const { api } = await liveCluster();
  await api.create(namespace('shop'));
  const { seen, kubeconfig } = withProgram(api, script, more);
  const { code, stdout, stderr } = await namesBy(kubeconfig);
  expect([code, stdout, stderr, existsSync(seen)]).toEqual([0, ':4\n', '', runs]);
});

test('a program of an auth-provider is not run', async () => {
  const { api, kubeconfig } = await liveCluster();
  await api.create(namespace('shop'));
  const seen = join(temporaryDirectory(), 'seen');
  const config = { 'cmd-path': 'touch', 'cmd-args': seen };
  const users = [{ name: 'user', user: { 'auth-provider': { name: 'gcp', config } } }];
  writeFileSync(kubeconfig, JSON.stringify({ ...api.kubeconfig(), users }));
  const { code, stdout, stderr } = await namesBy(kubeconfig);
  expect([code, stdout, stderr, existsSync(seen)]).toEqual([0, ':4\n', '', false]);
});
