/** The ValidatingAdmissionPolicies of the default overlay, in force in an API server without any webhook. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiServer } from '../support/api_server/api_server.ts';
import { config, injected, pod, type TestPod } from '../unit/injector/admission/pod_builder.ts';
import { kustomize } from './render.ts';

let api: ApiServer;

beforeAll(async () => {
  api = await ApiServer.start();
  const objects = await kustomize('manifests/overlays/default');
  for (const object of objects.filter(({ kind }) => kind.startsWith('ValidatingAdmission')))
    await api.create({ ...object });
  const enabled = { 'sluice.dev/inject': 'enabled' };
  const allowing = { 'sluice.dev/allow-opt-out': 'true', 'sluice.dev/allow-privileged': 'true' };
  for (const [name, labels, annotations] of [
    ['shop', enabled, {}],
    ['lenient', enabled, allowing],
    ['plain', {}, {}],
    ['kube-system', enabled, {}],
  ] as const)
    await api.create({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { ...labels, 'kubernetes.io/metadata.name': name }, annotations },
    });
});
afterAll(() => api.close());

let count = 0;
/** Creates a pod under a name of its own. */
async function create(namespace: string, object: TestPod) {
  count += 1;
  const named = { ...object.metadata, name: `p${count}`, namespace };
  return api.create({ apiVersion: 'v1', kind: 'Pod', ...object, metadata: named });
}

describe('a pod of an enabled namespace', () => {
  test('is refused without the sidecar', async () => {
    await expect(create('shop', pod())).rejects.toThrow(/only take pods that Sluice enforces/);
  });

  test('is taken as injection makes it, natively and classically', async () => {
    await create('shop', injected(pod({ initContainers: [{ name: 'migrate', image: 'm' }] })));
    await create('shop', injected(pod(), { config: config({ mode: 'classic' }) }));
  });

  test('is refused when another container comes before the redirect', async () => {
    const good = injected(pod());
    const init = [{ name: 'first', image: 'f' }, ...(good.spec.initContainers ?? [])];

    await expect(create('shop', { ...good, spec: { ...good.spec, initContainers: init } })).rejects.toThrow(
      /another webhook put containers before them/,
    );
  });

  test('is refused when the sidecar is an init container that ends', async () => {
    const good = injected(pod());
    const init = (good.spec.initContainers ?? []).map(({ restartPolicy: _, ...container }) => container);

    await expect(create('shop', { ...good, spec: { ...good.spec, initContainers: init } })).rejects.toThrow(
      /only take pods that Sluice enforces/,
    );
  });

  test('may be on the host network, which policy never selects', async () => {
    await create('shop', pod({ hostNetwork: true }));
  });

  test('may leave itself out only where its namespace allows it', async () => {
    const leftOut = pod({}, { 'sluice.dev/inject': 'disabled' });

    await create('lenient', leftOut);
    await expect(create('shop', leftOut)).rejects.toThrow(/only take pods/);
    await expect(create('lenient', pod())).rejects.toThrow(/only take pods/);
  });
});

test('pods of other namespaces, and of kube-system whatever its label, are no matter', async () => {
  await create('plain', pod());
  await create('kube-system', pod());
});

describe('a running pod', () => {
  const debug = (securityContext?: object, volumeMounts?: object) => ({
    spec: {
      ephemeralContainers: [
        {
          name: 'debug',
          image: 'busybox',
          ...(securityContext && { securityContext }),
          ...(volumeMounts && { volumeMounts }),
        },
      ],
    },
  });

  test.each([
    ['privileged', { privileged: true }],
    ['NET_ADMIN', { capabilities: { add: ['NET_ADMIN'] } }],
    ['CAP_NET_RAW in small letters', { capabilities: { add: ['SYS_PTRACE', 'cap_net_raw'] } }],
  ])('takes no ephemeral container with %s', async (_, securityContext) => {
    const running = await create('shop', injected(pod()));

    await expect(api.patch(running, debug(securityContext), 'ephemeralcontainers')).rejects.toThrow(
      /ephemeral container that is privileged or adds NET_ADMIN/,
    );
  });

  test('takes an ephemeral container that can do no harm', async () => {
    const running = await create('shop', injected(pod()));

    await api.patch(running, debug({ capabilities: { add: ['SYS_PTRACE'] } }), 'ephemeralcontainers');
  });

  test('takes any ephemeral container where its namespace allows it', async () => {
    const running = await create('lenient', injected(pod()));

    await api.patch(running, debug({ privileged: true }), 'ephemeralcontainers');
  });

  test("takes no ephemeral container that mounts the sidecar's volumes", async () => {
    const running = await create('lenient', injected(pod()));
    const mounts = [{ name: 'sluice-state', mountPath: '/mnt' }];

    await expect(api.patch(running, debug({}, mounts), 'ephemeralcontainers')).rejects.toThrow(
      /sidecar's own/,
    );
  });

  test('keeps the images of the sidecar, and may change others and its labels', async () => {
    const running = await create('shop', injected(pod()));
    const { initContainers = [], containers } = running.spec as TestPod['spec'];

    const swapped = initContainers.map((container) => ({ ...container, image: 'mine' }));
    await expect(api.patch(running, { spec: { initContainers: swapped } })).rejects.toThrow(/images .* stay/);
    await api.patch(running, {
      metadata: { labels: { a: 'b' } },
      spec: { containers: containers.map((container) => ({ ...container, image: 'app:2' })) },
    });
  });
});
