/** Workloads that others have made: a ReplicaSet of a Deployment, a Job of a CronJob. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createWorkloads, readManifests } from '../../../sources/index.ts';
import { deployment, pod, temporaryDirectory } from '../../builders/cli_manifests.ts';
import type { Manifest } from '../../builders/manifests.ts';

const TEMPLATE = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };

function made(
  kind: string,
  name: string,
  owner?: { readonly kind: string; readonly name: string },
): Manifest {
  const jobTemplate = { spec: { template: TEMPLATE } };
  return {
    apiVersion: kind === 'ReplicaSet' ? 'apps/v1' : 'batch/v1',
    kind,
    metadata: {
      namespace: 'shop',
      name,
      ...(owner && { ownerReferences: [{ apiVersion: 'v1', ...owner, uid: 'u', controller: true }] }),
    },
    spec: kind === 'CronJob' ? { schedule: '@daily', jobTemplate } : { template: TEMPLATE },
  };
}

async function withoutPods(...items: readonly Manifest[]): Promise<readonly string[]> {
  const dir = temporaryDirectory();
  writeFileSync(join(dir, 'dump.json'), JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  const { cluster, others } = await readManifests([dir]);
  return createWorkloads(cluster, others)
    .withoutPods()
    .map(({ owner }) => owner.text);
}

test('what a Deployment or a CronJob of the same manifests has made is no workload of its own', async () => {
  const web = deployment('shop/web', { app: 'web' });
  const old = made('ReplicaSet', 'web-6c8f7', { kind: 'Deployment', name: 'web' });
  const backup = made('CronJob', 'backup');
  const last = made('Job', 'backup-28901000', { kind: 'CronJob', name: 'backup' });
  expect(await withoutPods(web, old, backup, last)).toEqual(['deploy/web', 'cj/backup']);
  const running = pod('shop/web-5d4f8-x', { ip: '10.0.0.1', owner: 'ReplicaSet/web-5d4f8' });
  expect(await withoutPods(web, old, running)).toEqual([]);
});

test('without its owner, or without one, it is', async () => {
  const old = made('ReplicaSet', 'web-6c8f7', { kind: 'Deployment', name: 'web' });
  const own = made('ReplicaSet', 'api');
  const odd = made('Job', 'import', { kind: 'Import', name: 'import' });
  expect(await withoutPods(old, own, odd)).toEqual(['rs/web-6c8f7', 'rs/api', 'job/import']);
});
