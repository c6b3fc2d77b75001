/** Who gets into a pod that runs, or changes it: what the API server lets by, the node does. */
import { PassThrough } from 'node:stream';
import { Attach, CoreV1Api, PatchStrategy, setHeaderOptions, type V1Pod } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { idlePod, settled, TestCluster } from '../../support/kubernetes/test_cluster.ts';
import { realCluster } from '../access.ts';
import { Installation } from './installation.ts';
import { Pods } from './pods.ts';

const ENABLED = { 'sluice.dev/inject': 'enabled' };
/** Of the namespace that allows nothing, and of the one that allows all. */
const PLACES = ['guarded', 'lenient'] as const;
type Place = (typeof PLACES)[number];

let cluster: TestCluster;
let core: CoreV1Api;
const namespaces = {} as Record<Place, string>;
const pods = {} as Record<Place, Pods>;

beforeAll(async () => {
  cluster = new TestCluster(await realCluster());
  core = cluster.config.makeApiClient(CoreV1Api);
  await Installation.create(cluster);
  for (const place of PLACES) {
    const allowed: Record<string, string> =
      place === 'lenient' ? { 'sluice.dev/allow-privileged': 'true' } : {};
    const namespace = await cluster.namespace(ENABLED, allowed);
    // The injector is ready a moment before its Service leads to it.
    await settled(() => create(namespace, {}));
    namespaces[place] = namespace;
    pods[place] = new Pods(cluster, namespace);
  }
  await Promise.all(PLACES.map((place) => pods[place].client('app')));
}, 180_000);

afterAll(() => cluster.close(), 60_000);

/** Rehearses the creation of a pod. */
function create(namespace: string, spec: object): Promise<V1Pod> {
  const idle = idlePod(namespace, 'probe');
  const body = { ...idle, spec: { ...idle.spec, ...spec } } as V1Pod;
  return core.createNamespacedPod({ namespace, body, dryRun: 'All' });
}

/** What the API server says to who wants to get in without a connection that could carry it. */
function ask(how: 'exec' | 'attach', place: Place, container: string): Promise<string> {
  const request = { name: 'app', namespace: namespaces[place], container, stdout: true };
  return how === 'exec'
    ? core.connectPostNamespacedPodExec({ ...request, command: 'true' })
    : core.connectPostNamespacedPodAttach(request);
}

/** What a program in a container prints. */
async function printed(place: Place, container: string): Promise<readonly string[]> {
  const { lines, over } = await pods[place].exec('app', ['node', '-p', '6 * 7'], container);
  await over;
  return lines;
}

/** Asks for another memory limit of a container; returns what its pod has then. */
async function resize(place: Place, list: 'containers' | 'initContainers', name: string) {
  const namespace = namespaces[place];
  const { spec } = await core.readNamespacedPod({ name: 'app', namespace });
  const index = (spec?.[list] ?? []).findIndex((container) => container.name === name);
  const path = `/spec/${list}/${index}/resources/limits/memory`;
  const resized = await core.patchNamespacedPodResize(
    { name: 'app', namespace, body: [{ op: 'replace', path, value: '700Mi' }] },
    setHeaderOptions('Content-Type', PatchStrategy.JsonPatch),
  );
  return resized.spec?.[list]?.[index]?.resources?.limits;
}

describe.each(['exec', 'attach'] as const)('%s', (how) => {
  test('does not lead into the sidecar', async () => {
    await settled(() =>
      expect(ask(how, 'guarded', 'sluice-sidecar')).rejects.toThrow(/who gets into sluice-sidecar/),
    );
  });
});

test('exec leads into the app, and into the sidecar where its namespace allows that', async () => {
  expect(await printed('guarded', 'app')).toEqual(['42']);
  await expect(printed('guarded', 'sluice-sidecar')).rejects.toThrow();
  expect(await printed('lenient', 'sluice-sidecar')).toEqual(['42']);
});

test('attach leads to the app, and to the sidecar where its namespace allows that', async () => {
  const attach = async (place: Place, container: string) => {
    const output = new PassThrough().resume();
    const socket = await new Attach(cluster.config).attach(
      namespaces[place],
      'app',
      container,
      output,
      null,
      null,
      false,
    );
    socket.close();
  };
  await attach('guarded', 'app');
  await expect(attach('guarded', 'sluice-sidecar')).rejects.toThrow();
  await attach('lenient', 'sluice-sidecar');
});

test('an app may be resized, and the sidecar where its namespace allows that', async () => {
  await resize('guarded', 'containers', 'app');
  await settled(async () => {
    const { status } = await core.readNamespacedPod({ name: 'app', namespace: namespaces.guarded });
    expect(status?.containerStatuses?.[0]?.resources?.limits).toMatchObject({ memory: '700Mi' });
  });
  await expect(resize('guarded', 'initContainers', 'sluice-sidecar')).rejects.toThrow(/resources .* stay/);
  expect(await resize('lenient', 'initContainers', 'sluice-sidecar')).toMatchObject({ memory: '700Mi' });
});

test('pods on the host network, and others beyond Pod Security baseline, are refused', async () => {
  const volumes = [{ name: 'node', hostPath: { path: '/' } }];
  await expect(create(namespaces.guarded, { hostNetwork: true })).rejects.toThrow(/hostNetwork/);
  await expect(create(namespaces.guarded, { hostPID: true })).rejects.toThrow(/hostPID/);
  await expect(create(namespaces.guarded, { volumes })).rejects.toThrow(/host ?path/i);
  await create(namespaces.lenient, { hostNetwork: true });
});
