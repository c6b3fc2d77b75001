/** A lab of workloads without pods: the lab makes them, real sidecars and all, and keeps them in step. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type Manifest, namespace, node, policy, service } from '../builders/manifests.ts';
import { runSluice } from '../unit/cli/support/sluice_process.ts';
import { SILENCE, useLab } from './harness.ts';

const VIRTUAL = '10.97.0.1';

const workload = (kind: string, name: string, replicas: number, port: number): Manifest => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { namespace: 'shop', name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'app', image: 'app', ports: [{ containerPort: port }] }] },
    },
  },
});

const net = useLab({
  objects: [
    node(1),
    namespace('shop'),
    workload('Deployment', 'web', 1, 80),
    workload('StatefulSet', 'db', 2, 6379),
    service('shop/db', { ips: [VIRTUAL], ports: ['80:6379'], app: 'db' }),
    policy('shop/first', {
      podSelector: { matchLabels: { 'apps.kubernetes.io/pod-index': '0' } },
      ingress: [],
    }),
  ],
});

const addressOf = (key: string) => net.lab.pod(key).ips[0] ?? '';

function folder(...manifests: readonly Manifest[]): string {
  const path = mkdtempSync(join(tmpdir(), 'sluice-workloads-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  for (const [index, manifest] of manifests.entries())
    writeFileSync(join(path, `${index}.json`), JSON.stringify(manifest));
  return path;
}

test('its pods are judged by the labels that their controllers add', async () => {
  const denied = await net.connect('shop/web-template', addressOf('shop/db-0'), 6379, SILENCE);
  expect(denied).toMatchObject({ allowed: false });
  const allowed = await net.connect('shop/web-template', addressOf('shop/db-1'), 6379);
  expect(allowed).toMatchObject({ allowed: true, seenAddress: addressOf('shop/web-template') });
});

test.each(['shop/db-0', 'shop/db-1'])(
  'sluice can asks the lab by its name, and says what packets get: %s',
  async (to) => {
    const question = ['can', 'web-template', to, '6379', '-n', 'shop', '--lab', net.lab.name];
    const { code, stderr } = await runSluice(question);
    const packet = await net.connect('shop/web-template', addressOf(to), 6379, SILENCE);
    expect(stderr).toBe('');
    expect(code).toBe(packet.allowed ? 0 : 1);
  },
);

test('they come and go with their workload, and the others keep their addresses', async () => {
  const before = addressOf('shop/db-1');
  const grown = await net.lab.apply([folder(workload('StatefulSet', 'db', 3, 6379))]);
  expect(grown.started).toEqual(['shop/db-2']);
  expect(addressOf('shop/db-1')).toBe(before);
  expect(await net.connect('shop/db-2', before, 6379)).toMatchObject({ allowed: true });

  await net.lab.apply([folder(workload('StatefulSet', 'db', 1, 6379))]);
  await net.lab.delete([folder(workload('Deployment', 'web', 1, 80))]);
  expect(net.lab.topology.pods.map(({ key }) => key)).toEqual(['shop/db-0']);
});
