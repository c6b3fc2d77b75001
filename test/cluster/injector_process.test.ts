/** The injector as a process outside of the cluster, with the rights of its service account, for pods that nobody runs. */
import { connect } from 'node:tls';
import { CoreV1Api, type KubernetesObject, NetworkingV1Api, type V1Pod } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TABLE_SCHEMA } from '../../policy/table/form.ts';
import { kustomize, type Rendered } from '../manifests/render.ts';
import { idlePod, settled, TestCluster } from '../support/kubernetes/test_cluster.ts';
import { InjectorProcess } from '../unit/injector/kubernetes/injector_process.ts';
import { TestSidecar } from '../unit/injector/test_sidecar.ts';
import { realCluster } from './access.ts';

const NAME = 'sluice-injector';
const NAMESPACE = 'sluice-system';

let cluster: TestCluster;
let core: CoreV1Api;
let network: NetworkingV1Api;
let injector: InjectorProcess;
let namespace: string;
const sidecars: TestSidecar[] = [];

beforeAll(async () => {
  cluster = new TestCluster(await realCluster());
  core = cluster.config.makeApiClient(CoreV1Api);
  network = cluster.config.makeApiClient(NetworkingV1Api);
  // The namespace comes first: it fails where Sluice is installed already.
  const installed = (await kustomize('manifests/overlays/default')).filter(
    ({ kind }) => kind !== 'Deployment',
  );
  for (const object of installed.filter(({ kind }) => kind === 'Namespace')) await make(object);
  for (const object of installed.filter(({ kind }) => kind !== 'Namespace')) await make(object);
  const token = await tokenOf(NAMESPACE, NAME, {});
  injector = await InjectorProcess.start({ kubeconfig: () => kubeconfigOf(token) });
  await make({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: NAME, namespace: NAMESPACE, labels: { 'kubernetes.io/service-name': NAME } },
    addressType: 'IPv4',
    ports: [
      { name: 'webhook', port: injector.ports.webhook, protocol: 'TCP' },
      { name: 'tables', port: injector.ports.tables, protocol: 'TCP' },
    ],
    endpoints: [{ addresses: [cluster.host], conditions: { ready: true } }],
  });
  await settled(async () => expect(await injector.get('/readyz')).toMatchObject({ code: 200 }));
  namespace = await cluster.namespace({ 'sluice.dev/inject': 'enabled' });
  await settled(() =>
    core.createNamespacedPod({ namespace, body: idlePod(namespace, 'probe'), dryRun: 'All' }),
  );
}, 120_000);

afterAll(async () => {
  for (const sidecar of sidecars) sidecar.close();
  await injector?.stop();
  await cluster.close();
});

/** Creates an object of the installation; its Service leads to the process instead of to pods. */
function make(object: Rendered): Promise<unknown> {
  const spec = object.kind === 'Service' ? { ...(object.spec as object), selector: undefined } : object.spec;
  return settled(() =>
    cluster.create({ ...object, ...(spec === undefined ? {} : { spec }) } as KubernetesObject),
  );
}

/** A token of a service account; of a pod's, and for Sluice, when the request says so. */
async function tokenOf(place: string, name: string, request: object): Promise<string> {
  const body = { spec: { audiences: [], ...request } };
  const made = await core.createNamespacedServiceAccountToken({ name, namespace: place, body });
  return made.status?.token ?? '';
}

function kubeconfigOf(token: string): unknown {
  const { server, caData } = cluster.config.getCurrentCluster() ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server, 'certificate-authority-data': caData } }],
    users: [{ name: 'u', user: { token } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'c',
  };
}

/** Creates a pod, and says of it what a node would say that runs it. */
async function running(name: string, podIP: string): Promise<V1Pod> {
  const created = await core.createNamespacedPod({
    namespace,
    body: idlePod(namespace, name, { app: name }),
  });
  const status = { phase: 'Running', podIP, podIPs: [{ ip: podIP }] };
  return core.replaceNamespacedPodStatus({ name, namespace, body: { ...created, status } });
}

/** Connects as the sidecar of a pod. */
async function sidecarOf(pod: V1Pod, audiences = ['sluice.dev']): Promise<TestSidecar> {
  const { name = '', uid = '' } = pod.metadata ?? {};
  const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name, uid };
  const token = await tokenOf(namespace, 'default', { audiences, boundObjectRef });
  const { data } = await core.readNamespacedConfigMap({ name: 'sluice-ca', namespace });
  const ca = data?.['ca.crt'] ?? '';
  const servername = `${NAME}.${NAMESPACE}.svc`;
  const sidecar = new TestSidecar({
    connect: () => connect({ host: cluster.host, port: injector.ports.tables, servername, ca }),
    hello: () => ({ type: 'token-hello', schema: TABLE_SCHEMA, token }),
  });
  sidecars.push(sidecar);
  sidecar.hello(name);
  return sidecar;
}

test('a pod of a labelled namespace gets the sidecar, and its namespace the CA', async () => {
  const { spec } = await core.createNamespacedPod({ namespace, body: idlePod(namespace, 'a') });
  expect(spec?.initContainers?.map(({ name }) => name)).toEqual(['sluice-sidecar']);
  const mounts = (spec?.initContainers ?? []).flatMap(({ volumeMounts = [] }) => volumeMounts);
  expect(mounts.map(({ name }) => name)).toEqual(['sluice-state', 'sluice-identity']);
  await core.readNamespacedConfigMap({ name: 'sluice-ca', namespace });
});

test('what cannot be enforced is refused with its reasons', async () => {
  const bad = idlePod(namespace, 'bad');
  const securityContext = { privileged: true };
  const body = {
    ...bad,
    spec: { ...bad.spec, containers: [{ name: 'app', image: 'app', securityContext }] },
  };
  await expect(core.createNamespacedPod({ namespace, body })).rejects.toThrow(/container app is privileged/);
});

test('a client that shows a token of its pod gets the table, and each change of a policy', async () => {
  const sidecar = await sidecarOf(await running('server', '10.250.0.1'));
  const isolating = () => sidecar.table?.ingress.isolating.length;
  await settled(async () => expect(isolating()).toBe(0));
  const spec = { podSelector: { matchLabels: { app: 'server' } }, policyTypes: ['Ingress'] };
  await network.createNamespacedNetworkPolicy({ namespace, body: { metadata: { name: 'p' }, spec } });
  await settled(async () => expect(isolating()).toBe(1));
  await settled(async () => {
    const { metadata } = await network.readNamespacedNetworkPolicy({ name: 'p', namespace });
    const status = JSON.parse(metadata?.annotations?.['sluice.dev/status'] ?? '{}');
    expect(status).toMatchObject({ state: 'enforced', selected: 1, enforcing: 1 });
  });
  await network.deleteNamespacedNetworkPolicy({ name: 'p', namespace });
  await settled(async () => expect(isolating()).toBe(0));
});

test('a token for the API server opens no table, and a session ends with its pod', async () => {
  const pod = await running('client', '10.250.0.2');
  const foreign = await sidecarOf(pod, []);
  await settled(async () => expect(foreign.types).toEqual(['refused']));
  const sidecar = await sidecarOf(pod);
  await settled(async () => expect(sidecar.types).toContain('snapshot'));
  await core.deleteNamespacedPod({ name: 'client', namespace, gracePeriodSeconds: 0 });
  await settled(async () => expect(sidecar.closed).toBe(true));
});

test('the rights of the service account are all that it needs', () => {
  expect(injector.output).not.toMatch(/forbidden/);
});
