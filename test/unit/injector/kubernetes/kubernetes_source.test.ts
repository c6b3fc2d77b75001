/** The cluster that the injector sees is the one that the API server has, trimmed to what policy needs. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KubernetesSource } from '../../../../injector/kubernetes/kubernetes_source.ts';
import type { ClusterChange } from '../../../../policy/compile/cluster_change.ts';
import { allowApps, endpointSlice, namespace, node, pod, service } from '../../../builders/manifests.ts';
import { ApiServer } from '../../../support/api_server/api_server.ts';
import { captureLog, type LogLine } from '../captured_log.ts';
import { waitFor } from '../wait_for.ts';
import { configOf } from './reflected_pods.ts';

let server: ApiServer;
let source: KubernetesSource;
let lines: LogLine[];
let changes: ClusterChange[];

beforeEach(async () => {
  server = await ApiServer.start();
  await server.apply(namespace('shop', { team: 'a' }));
  await server.apply(node(1));
  await server.apply(pod('shop/api', { labels: { app: 'api' }, ips: ['10.1.1.10'], ports: ['http=TCP/80'] }));
  await server.apply(allowApps('shop/allow', 'api', ['front']));
  await server.apply(service('shop/api', { ips: ['10.96.0.1'], app: 'api' }));
  await server.apply(endpointSlice('shop/api-1', 'api', ['10.1.1.10']));
  const captured = captureLog();
  lines = captured.lines;
  changes = [];
  source = new KubernetesSource(configOf(server), captured.log);
  source.onChange({ clusterChanged: (some) => void changes.push(...some) });
  await source.synced;
});

afterEach(async () => {
  await source.close();
  await server.close();
});

const apiPod = () => pod('shop/api', { ips: [] });

test('all six kinds are there once it has synced', () => {
  const { cluster } = source;
  expect(cluster.namespaces.get('shop')?.labels).toEqual({
    team: 'a',
    'kubernetes.io/metadata.name': 'shop',
  });
  expect(cluster.nodes.get('node-1')?.addresses).toEqual(['10.0.0.1', 'fd00:10::1']);
  expect(cluster.pods.get('shop/api')).toMatchObject({
    ips: ['10.1.1.10'],
    uid: server.find(apiPod())?.metadata.uid,
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
  });
  expect(cluster.policies.get('shop/allow')?.policyTypes).toEqual(['ingress']);
  expect(cluster.services.get('shop/api')).toBeDefined();
  expect(cluster.endpointSlices.get('shop/api-1')).toBeDefined();
  expect(source.reflectors.every(({ synced }) => synced)).toBe(true);
  expect(source.problems).toEqual([]);
});

test('before every kind has been listed it is not synced', async () => {
  const other = await ApiServer.start();
  other.faults.add({ on: { plural: 'services' }, action: { do: 'hang' } });
  const half = new KubernetesSource(configOf(other), captureLog().log);
  let done = false;
  void half.synced.then(() => {
    done = true;
  });
  await waitFor(() => half.reflectors.filter(({ synced }) => synced).length === 5);
  expect(done).toBe(false);
  await half.close();
  await other.close();
});

test('a change is passed on object by object', async () => {
  changes.length = 0;
  await server.patch(apiPod(), { metadata: { labels: { app: 'web' } } });
  await waitFor(() => changes.length === 1);
  expect(changes[0]).toMatchObject({ kind: 'Pod', key: 'shop/api', object: { labels: { app: 'web' } } });
  await server.delete(allowApps('shop/allow', 'api', []));
  await waitFor(() => changes.length === 2);
  expect(changes[1]).toEqual({ kind: 'NetworkPolicy', key: 'shop/allow', object: undefined });
});

test('what policy does not look at is no change', async () => {
  const before = source.cluster.pods.get('shop/api');
  changes.length = 0;
  const condition = { type: 'Ready', status: 'True' };
  await server.patch(apiPod(), { status: { conditions: [condition] } }, 'status');
  await server.patch(namespace('shop'), { metadata: { labels: { team: 'b' } } });
  await waitFor(() => changes.length === 1);
  await source.refresh();
  expect(changes.map(({ kind }) => kind)).toEqual(['Namespace']);
  expect(source.cluster.pods.get('shop/api')).toBe(before);
});

test('a pod made again under its name is another pod', async () => {
  const before = source.cluster.pods.get('shop/api')?.uid;
  changes.length = 0;
  await server.recreate(pod('shop/api', { ips: ['10.1.1.10'] }));
  // The old one is marked as ending first.
  await waitFor(() => changes.length === 3);
  expect(changes.map(({ object }) => object === undefined)).toEqual([false, true, false]);
  expect(source.cluster.pods.get('shop/api')?.uid).not.toBe(before);
});

test('a policy that does not pass validation isolates, admits nothing, and is a problem until it is mended', async () => {
  const broken = allowApps('shop/allow', 'api', []);
  // Such as one from before the API server checked this.
  await server.patch(broken, { spec: { ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/99' } }] }] } });
  await waitFor(() => source.problems.length > 0);
  expect(source.cluster.policies.get('shop/allow')).toMatchObject({ policyTypes: ['ingress'], ingress: [] });
  expect(source.problems[0]).toMatchObject({
    object: 'NetworkPolicy shop/allow',
    path: 'spec.ingress[0].from[0].ipBlock.cidr',
    severity: 'error',
  });
  expect(lines.some(({ level, msg }) => level === 'error' && msg.includes('shop/allow'))).toBe(true);
  await server.apply(allowApps('shop/allow', 'api', ['front']));
  await waitFor(() => source.problems.length === 0);
  expect(source.cluster.policies.get('shop/allow')?.ingress).toHaveLength(1);
});

test('after refresh all that was written before is there', async () => {
  for (const watch of server.watches()) watch.stall();
  await server.apply(namespace('other'));
  await source.refresh();
  expect(source.cluster.namespaces.has('other')).toBe(true);
});

test('the server is away: what it said last stays', async () => {
  await server.goAway();
  await waitFor(() => lines.filter(({ msg }) => msg.includes('the last state stays')).length >= 6);
  expect(source.cluster.pods.size).toBe(1);
});
