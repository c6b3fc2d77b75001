/** Pods that a lab makes for workloads that come without pods, and addresses for pods that nobody has given any. */
import { expect, test } from 'vitest';
import { completeForLab, madePodsOf } from '../../../lab/objects/made_pods.ts';
import type { DocumentObject } from '../../../sources/index.ts';
import { readManifests } from '../../../sources/manifests.ts';
import { deployment, manifestDirectory, pod } from '../../builders/cli_manifests.ts';

type Manifest = Readonly<Record<string, unknown>>;

const node = (name: string, spec: Manifest = {}): Manifest => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  spec,
});

const workload = (kind: string, name: string, spec: Manifest = {}): Manifest => {
  const made = deployment(`shop/${name}`, { app: name });
  return { ...made, kind, spec: { ...(made.spec as Manifest), ...spec } };
};

async function complete(manifests: readonly Manifest[], known: readonly DocumentObject[] = []) {
  const warnings: string[] = [];
  const read = await readManifests([manifestDirectory(...manifests)]);
  expect(read.problems).toEqual([]);
  const change = completeForLab(read, known, ['10.244.0.3'], (line) => warnings.push(line));
  const pods = change.put.flatMap((object) => (object.kind === 'Pod' ? [object.object] : []));
  const places = pods.map(({ name, ips, nodeName }) => [name, ips, nodeName]);
  return { ...change, read, pods, places, removed: change.remove.map(({ key }) => key), warnings };
}

test('each pod is on a node, with an address of its range and the labels of its controller', async () => {
  const { places, pods } = await complete([
    node('a', { podCIDRs: ['10.1.0.0/24', 'fd00:1::/64'] }),
    node('b', { podCIDR: '10.2.0.0/24' }),
    pod('shop/there', { ip: '10.1.0.2' }),
    workload('Deployment', 'web', { replicas: 2 }),
    workload('StatefulSet', 'db', { replicas: 2 }),
    workload('DaemonSet', 'agent'),
    workload('Deployment', 'off', { replicas: 0 }),
  ]);
  expect(places).toEqual([
    ['there', ['10.1.0.2'], undefined],
    ['web-template', ['10.1.0.3', 'fd00:1::2'], 'a'],
    ['web-template-2', ['10.2.0.2'], 'b'],
    ['db-0', ['10.1.0.4', 'fd00:1::3'], 'a'],
    ['db-1', ['10.2.0.3'], 'b'],
    ['agent-template', ['10.1.0.5', 'fd00:1::4'], 'a'],
    ['agent-template-2', ['10.2.0.4'], 'b'],
  ]);
  const second = pods.find(({ name }) => name === 'db-1');
  expect(second).toMatchObject({
    workload: 'sts/db',
    labels: { app: 'db', 'apps.kubernetes.io/pod-index': '1' },
  });
});

test('pods as people write them get addresses; those that a dump calls pending do not', async () => {
  const { status: _, ...plain } = pod('shop/plain');
  const { places } = await complete([plain, pod('shop/stuck', { phase: 'Pending' })]);
  // The first address is the node's, another is outside already.
  expect(places).toEqual([
    ['plain', ['10.244.0.2'], undefined],
    ['stuck', [], undefined],
  ]);
  const { places: next } = await complete([plain, workload('Job', 'mig')]);
  expect(next[1]).toEqual(['mig-template', ['10.244.0.4'], undefined]);
});

test('a workload with pods makes none, and one with many makes a few', async () => {
  const { places, warnings } = await complete([
    workload('StatefulSet', 'db', { replicas: 3 }),
    pod('shop/db-7', { ip: '10.1.0.9', owner: 'StatefulSet/db' }),
    workload('Deployment', 'web', { replicas: 1000 }),
    workload('Deployment', 'one', { replicas: null }),
  ]);
  expect(places).toHaveLength(7);
  expect(warnings).toEqual(['shop/deploy/web has 1000 pods: the lab makes 5 of them']);
});

test('in a lab its pods keep their addresses, and go when their workload makes them no more', async () => {
  const up = await complete([workload('Deployment', 'web', { replicas: 3 })]);
  const more = await complete([workload('Deployment', 'other')], up.put);
  expect(more.places).toEqual([['other-template', ['10.244.0.6'], undefined]]);
  const fewer = await complete([workload('Deployment', 'web', { replicas: 2 })], up.put);
  expect(fewer.places).toEqual(up.places.slice(0, 2));
  expect(fewer.removed).toEqual(['shop/web-template-3']);
  const real = await complete(
    [workload('Deployment', 'web'), pod('shop/web-1', { ip: '10.1.0.9', owner: 'Deployment/web' })],
    up.put,
  );
  expect(real.removed).toHaveLength(3);
  expect(madePodsOf(up.read, up.put).map(({ key }) => key)).toHaveLength(3);
});

test('in a lab a pod stays on its node, whatever it is applied with', async () => {
  const nodes = [node('a', { podCIDR: '10.1.0.0/24' }), node('b', { podCIDR: '10.2.0.0/24' })];
  const { status: _, ...plain } = pod('shop/plain');
  const up = await complete([...nodes, plain]);
  expect(up.places).toEqual([['plain', ['10.1.0.2'], 'a']]);
  const again = await complete([pod('shop/other', { ip: '10.2.0.9' }), plain], up.put);
  expect(again.places[1]).toEqual(['plain', ['10.1.0.2'], 'a']);
});

test('a broken template is an error that names it', async () => {
  const broken = workload('Deployment', 'web', { template: { spec: { containers: [{ ports: [{}] }] } } });
  await expect(complete([broken])).rejects.toMatchObject({
    code: 'OBJECT_INVALID',
    message: expect.stringMatching(/Deployment shop\/web, spec\.template\.spec\.containers\[0\]/),
  });
});
