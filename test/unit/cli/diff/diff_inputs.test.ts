/** Two revisions of a real git repository, and files over a lab or a cluster. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { applied } from '../../../../cli/diff/overlay.ts';
import { runTool } from '../../../../common/run_tool.ts';
import { readManifests } from '../../../../sources/index.ts';
import { deployment, manifestDirectory, pod, temporaryDirectory } from '../../../builders/cli_manifests.ts';
import { type Manifest, namespace, policy } from '../../../builders/manifests.ts';
import { MAIN } from '../support/sluice_process.ts';

const closed = policy('shop/closed', { podSelector: {}, policyTypes: ['Ingress'] });
const open = policy('shop/open', { podSelector: {}, ingress: [{ ports: [{ port: 80 }] }] });

/** A repository with two commits, `one` and `main`, and a change that is not committed. */
function repository(): string {
  const dir = temporaryDirectory();
  const git = (...args: string[]) =>
    execFileSync(
      'git',
      ['-c', 'user.name=t', '-c', 'user.email=t@example', '-c', 'commit.gpgsign=false', ...args],
      { cwd: dir },
    );
  const write = (file: string, ...items: readonly Manifest[]) =>
    writeFileSync(join(dir, 'k8s', file), JSON.stringify({ apiVersion: 'v1', kind: 'List', items }, null, 2));
  git('init', '-q', '-b', 'main');
  mkdirSync(join(dir, 'k8s'));
  write('pods.json', namespace('shop'), deployment('shop/web', { app: 'web' }));
  write('policy.json', closed);
  git('add', '.');
  git('commit', '-q', '-m', 'closed');
  git('tag', 'one');
  write('policy.json', closed, open);
  git('commit', '-q', '-a', '-m', 'open');
  write('policy.json');
  return dir;
}

test('revisions are compared with each other and with the working tree', async () => {
  const cwd = repository();
  const diff = async (...args: string[]) =>
    (
      await runTool(['sh', '-c', 'cd "$0" && exec "$@"', cwd, process.execPath, MAIN, 'diff', ...args], {
        timeMs: 60_000,
      })
    ).stdout;
  expect(await diff('one:k8s/', 'main:k8s/')).toBe(
    '+ wider  * -> shop/deploy/web  none -> TCP/80  shop/open ingress[0] added\n= 3 pairs wider, 2 unchanged\n',
  );
  expect(await diff('main:k8s/', 'k8s/')).toBe(
    '+ wider  * -> shop/deploy/web  TCP/80 -> all ports  ingress no longer isolated by shop/closed (removed); ' +
      'ingress no longer isolated by shop/open (removed)\n= 3 pairs wider, 2 unchanged\n',
  );
});

test('what is applied takes the place of what has its name, and pods get the new template', async () => {
  const owner = 'ReplicaSet/web-5d4f8c7b9d';
  const running = await readManifests([
    manifestDirectory(
      deployment('shop/web', { app: 'web' }),
      deployment('shop/api', { app: 'api' }),
      pod('shop/web-5d4f8c7b9d-x', {
        ip: '10.0.0.1',
        owner,
        labels: { app: 'web', 'pod-template-hash': '5d4f8c7b9d', injected: 'yes' },
      }),
      closed,
    ),
  ]);
  const same = await readManifests([manifestDirectory(deployment('shop/web', { app: 'web' }), open)]);
  const before = applied(running, same);
  expect(before.problems).toEqual([]);
  expect(before.cluster.pods).toEqual(running.cluster.pods);
  expect([...before.cluster.policies.keys()].sort()).toEqual(['shop/closed', 'shop/open']);
  expect(before.others).toHaveLength(2);

  const changed = await readManifests([manifestDirectory(deployment('shop/web', { app: 'www' }))]);
  expect(applied(running, changed).cluster.pods.get('shop/web-5d4f8c7b9d-x')).toMatchObject({
    ips: ['10.0.0.1'],
    labels: { app: 'www', 'pod-template-hash': '5d4f8c7b9d' },
  });
});
