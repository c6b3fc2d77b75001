/**
 * The double with many pods, as a process of its own: for measurements. Pods are as a cluster has them, most of each in
 * `managedFields`, and share what is the same in all, so that many fit into memory. Its first message says where it is; it ends
 * with the channel to its parent.
 *
 *     large_cluster.ts '{"pods":100000,"podsPerNamespace":200,"podBytes":7000,"watchLists":"served"}'
 */
import { ApiServer } from './api_server.ts';
import { resourceOfKind } from './resources.ts';
import type { WatchLists } from './watch.ts';

interface LargeCluster {
  readonly pods: number;
  readonly podsPerNamespace: number;
  /** Of a pod as JSON, about. */
  readonly podBytes: number;
  readonly watchLists: WatchLists;
}

const APPS = ['web', 'api', 'db', 'cache', 'jobs'];
const BYTE = 256;

const { pods, podsPerNamespace, podBytes, watchLists } = JSON.parse(process.argv[2] ?? '{}') as LargeCluster;
const server = await ApiServer.start({ watchLists });
const podResource = served('v1', 'Pod');
const padding = paddingTo(podBytes);

await server.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'sluice-system' } });
await server.create({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'sluice-system', name: 'sluice-injector' },
  spec: { clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9'], ports: [{ port: 15_010, protocol: 'TCP' }] },
});
for (let index = 0; index * podsPerNamespace < pods; index += 1) {
  const namespace = `team-${index}`;
  const labels = { 'kubernetes.io/metadata.name': namespace };
  await server.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } });
  for (const app of APPS) await server.create(policyOf(namespace, app));
  const first = index * podsPerNamespace;
  for (let number = first; number < Math.min(pods, first + podsPerNamespace); number += 1)
    server.api.store.create(podResource, podOf(namespace, number, padding));
}
process.on('disconnect', () => process.exit());
process.send?.({
  kubeconfig: server.kubeconfig(),
  podBytes: JSON.stringify(server.api.store.list(podResource, 'team-0')[0]).length,
});

function served(apiVersion: string, kind: string) {
  const resource = resourceOfKind(apiVersion, kind);
  if (resource === undefined) throw new Error(`the double does not serve ${kind}`);
  return resource;
}

/** Pods of one app are open to those of the next one. */
function policyOf(namespace: string, app: string) {
  const peer = APPS[(APPS.indexOf(app) + 1) % APPS.length];
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace, name: app },
    spec: {
      podSelector: { matchLabels: { app } },
      policyTypes: ['Ingress'],
      ingress: [{ from: [{ podSelector: { matchLabels: { app: peer } } }] }],
    },
  };
}

/** Managed fields that bring a pod to about so many bytes. */
function paddingTo(bytes: number): readonly unknown[] {
  const fields: unknown[] = [];
  const length = () => JSON.stringify(podOf('team-0', 0, fields)).length;
  while (length() < bytes) {
    const name = `f:field-${fields.length}`;
    fields.push({
      apiVersion: 'v1',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:spec': { [name]: { '.': {}, 'k:{"name":"app"}': { '.': {}, 'f:image': {} } } } },
      manager: 'kubelet',
      operation: 'Update',
    });
  }
  return Object.freeze(fields);
}

function podOf(namespace: string, number: number, managedFields: readonly unknown[]) {
  const app = APPS[number % APPS.length] ?? '';
  const ip = `10.${Math.floor(number / BYTE / BYTE)}.${Math.floor(number / BYTE) % BYTE}.${number % BYTE}`;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace,
      name: `${app}-6d4cf56db6-${number.toString(36).padStart(5, '0')}`,
      labels: { app, 'pod-template-hash': '6d4cf56db6' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${app}-6d4cf56db6`, uid: 'u' }],
      managedFields,
    },
    spec: {
      nodeName: `node-${number % 100}`,
      containers: [
        { name: 'app', image: 'app', ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }] },
      ],
    },
    status: {
      phase: 'Running',
      podIP: ip,
      podIPs: [{ ip }],
      hostIP: '192.168.0.1',
      hostIPs: [{ ip: '192.168.0.1' }],
      startTime: '2026-11-29T12:00:00Z',
    },
  };
}
