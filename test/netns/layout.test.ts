import { expect, test } from 'vitest';
import { planNetwork } from '../../lab/network/network_plan.ts';
import { DEFAULT_EXTERNAL_ADDRESSES, layOut } from '../../lab/network/topology.ts';
import type { Cluster, Node, Pod } from '../../policy/model.ts';
import { readDocument } from '../../sources/objects/document.ts';
import { type Manifest, node, pod } from '../builders/manifests.ts';

function cluster(...objects: readonly Manifest[]): Cluster {
  const pods = new Map<string, Pod>();
  const nodes = new Map<string, Node>();
  for (const loaded of objects.flatMap((manifest) => readDocument(JSON.stringify(manifest), 1).objects)) {
    if (loaded.kind === 'Pod') pods.set(loaded.key, loaded.object);
    if (loaded.kind === 'Node') nodes.set(loaded.key, loaded.object);
  }
  return {
    pods,
    nodes,
    namespaces: new Map(),
    policies: new Map(),
    services: new Map(),
    endpointSlices: new Map(),
  };
}

function barePod(name: string, ip: string, fields: { nodeName?: string; hostIP?: string }): Manifest {
  const { nodeName, hostIP } = fields;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'a', name },
    spec: { containers: [{ name: 'app', image: 'app' }], ...(nodeName === undefined ? {} : { nodeName }) },
    status: { podIP: ip, ...(hostIP === undefined ? {} : { hostIP }) },
  };
}

test('pods find their node by name, else by its address, else get one of their own', () => {
  const topology = layOut(
    'x',
    cluster(
      node(1),
      barePod('named', '10.1.0.1', { nodeName: 'node-1' }),
      barePod('addressed', '10.1.0.2', { hostIP: '10.0.0.1' }),
      barePod('elsewhere', '10.1.0.3', { hostIP: '10.0.0.9' }),
      barePod('nowhere', '10.1.0.4', {}),
    ),
    undefined,
  );
  expect(topology.pods.map(({ name, node: own }) => [name, own])).toEqual([
    ['named', 'node-1'],
    ['addressed', 'node-1'],
    ['elsewhere', '10.0.0.9'],
    ['nowhere', 'node'],
  ]);
  expect(topology.nodes.map(({ name, addresses }) => [name, addresses])).toEqual([
    ['node-1', ['10.0.0.1', 'fd00:10::1']],
    ['10.0.0.9', ['10.0.0.9']],
    ['node', []],
  ]);
});

test('finished pods have no place, so that their address is free', () => {
  const objects = ['Succeeded', 'Failed', 'Running'].map((phase) =>
    pod(`a/${phase.toLowerCase()}`, { ips: ['10.1.0.1'], phase }),
  );
  expect(layOut('x', cluster(...objects), undefined).pods.map(({ key }) => key)).toEqual(['a/running']);
});

test('default addresses of the outside give way, asked ones do not', () => {
  const [first = ''] = DEFAULT_EXTERNAL_ADDRESSES;
  const taken = cluster(pod('a/x', { ips: [first] }));
  expect(layOut('x', taken, undefined).outside.addresses).toEqual(DEFAULT_EXTERNAL_ADDRESSES.slice(1));
  expect(() => layOut('x', taken, [first])).toThrow(
    expect.objectContaining({ code: 'LAB_ADDRESS_CONFLICT' }),
  );
});

test('nothing is planned where nothing has changed', () => {
  const objects = cluster(
    node(1),
    pod('a/x', { ips: ['10.1.0.1'] }),
    pod('a/y', { ips: ['10.1.0.2'], node: 2 }),
  );
  const topology = layOut('x', objects, undefined);
  expect(planNetwork(topology, layOut('x', objects, undefined, topology))).toEqual({
    detach: new Map(),
    removeNamespaces: [],
    addNamespaces: [],
    links: [],
    setup: new Map(),
  });
});

test('a pod at another address starts from an empty namespace', () => {
  const before = layOut('x', cluster(pod('a/x', { ips: ['10.1.0.1'] })), undefined);
  const after = layOut('x', cluster(pod('a/x', { ips: ['10.1.0.9'] })), undefined, before);
  const plan = planNetwork(before, after);
  expect(plan.removeNamespaces).toEqual(['sluice-x.pod.a.x']);
  expect(plan.addNamespaces).toEqual(['sluice-x.pod.a.x']);
  expect(plan.detach.get('sluice-x.node.node-1')).toContain('route del 10.1.0.1');
  expect(plan.setup.get('sluice-x.node.node-1')).toContain('route replace 10.1.0.9 dev br0 src 10.0.0.1');
});
