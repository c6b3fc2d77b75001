/** NP025 names a command that kubectl has for the kind of workload. */
import { expect, test } from 'vitest';
import { pod } from '../../builders/cli_manifests.ts';
import { namespace, policy } from '../../builders/manifests.ts';
import { fileOf, lintFiles } from './linting.ts';

test.each([
  ['a pod', ['bare'], 'kubectl -n shop get pod/bare -o yaml | kubectl replace --force -f -'],
  ['a StatefulSet beside a pod', ['bare', 'StatefulSet/db'], 'kubectl -n shop rollout restart sts/db'],
  ['a Job: its next run has a sidecar', ['Job/backup'], undefined],
])('%s', async (_, owners, text) => {
  const pods = owners.map((owner, at) =>
    pod(`shop/${owner.includes('/') ? `pod-${at}` : owner}`, {
      labels: { app: 'web' },
      ip: `10.1.0.${at + 1}`,
      ...(owner.includes('/') ? { owner } : {}),
    }),
  );
  const items = [namespace('shop'), policy('shop/web', { podSelector: {} }), ...pods];
  const { findings } = await lintFiles(
    [fileOf(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }), 'cluster.json')],
    'cluster',
  );
  const [found, ...more] = findings.filter(({ code }) => code === 'NP025');
  expect([found?.fix?.text, more]).toEqual([text, []]);
  expect(found?.message).toContain('no sidecar');
});
