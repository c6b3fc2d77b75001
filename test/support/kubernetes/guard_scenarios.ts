/** What the admission policies of an installation guard, asked of any API server that has them in force. */
import {
  CoreV1Api,
  PatchStrategy,
  setHeaderOptions,
  type V1Container,
  type V1Pod,
} from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { config, injected, pod, type TestPod } from '../../unit/injector/admission/pod_builder.ts';
import { type Access, idlePod, settled, TestCluster } from './test_cluster.ts';

/** What a pod without sidecar is refused with. */
const UNGUARDED = /only take pods that Sluice enforces/;

type Place = 'shop' | 'lenient' | 'former' | 'plain' | 'kube-system';

/** Registers the scenarios. `open` leaves the policies in force, or about to be. */
export function guardScenarios(open: () => Promise<Access>): void {
  let cluster: TestCluster;
  let core: CoreV1Api;
  const namespaces = new Map<Place, string>([['kube-system', 'kube-system']]);
  let count = 0;

  beforeAll(async () => {
    cluster = new TestCluster(await open());
    core = cluster.config.makeApiClient(CoreV1Api);
    const enabled = { 'sluice.dev/inject': 'enabled' };
    const allowing = { 'sluice.dev/allow-opt-out': 'true', 'sluice.dev/allow-privileged': 'true' };
    namespaces.set('shop', await cluster.namespace(enabled));
    namespaces.set('lenient', await cluster.namespace(enabled, allowing));
    namespaces.set('plain', await cluster.namespace());
    // Both policies: that the first is in force says nothing of the second.
    await settled(() => expect(create('shop', pod())).rejects.toThrow(UNGUARDED));
    const guarded = await create('shop', injected(pod()));
    await settled(() => expect(debug(guarded, { privileged: true })).rejects.toThrow(/ephemeral container/));
  });

  afterAll(() => cluster.close());

  /** Rehearses the creation of a pod under a name of its own, in kube-system; else creates it. */
  function create(place: Place, { metadata, spec }: TestPod): Promise<V1Pod> {
    count += 1;
    const namespace = namespaces.get(place) ?? '';
    const idle = idlePod(namespace, `p${count}-${cluster.id}`);
    const body = { ...idle, metadata: { ...metadata, ...idle.metadata }, spec: { ...idle.spec, ...spec } };
    const dryRun = place === 'kube-system' ? { dryRun: 'All' } : {};
    return core.createNamespacedPod({ namespace, body: body as unknown as V1Pod, ...dryRun });
  }

  const whereOf = ({ metadata }: V1Pod) => ({
    name: metadata?.name ?? '',
    namespace: metadata?.namespace ?? '',
  });
  const asJsonPatch = setHeaderOptions('Content-Type', PatchStrategy.JsonPatch);

  function debug(running: V1Pod, securityContext?: object, more: object = {}): Promise<V1Pod> {
    const container = {
      name: 'debug',
      image: 'busybox',
      ...(securityContext && { securityContext }),
      ...more,
    };
    const body = [{ op: 'add', path: '/spec/ephemeralContainers', value: [container] }];
    return core.patchNamespacedPodEphemeralcontainers({ ...whereOf(running), body }, asJsonPatch);
  }

  const replaceImages = (running: V1Pod, list: 'containers' | 'initContainers', image: string) =>
    core.patchNamespacedPod(
      {
        ...whereOf(running),
        body: (running.spec?.[list] ?? []).map((_: V1Container, index: number) => ({
          op: 'replace',
          path: `/spec/${list}/${index}/image`,
          value: image,
        })),
      },
      asJsonPatch,
    );

  describe('a pod of an enabled namespace', () => {
    test('is refused without the sidecar', async () => {
      await expect(create('shop', pod())).rejects.toThrow(UNGUARDED);
    });

    test('is taken as injection makes it, natively and classically', async () => {
      await create('shop', injected(pod({ initContainers: [{ name: 'migrate', image: 'm' }] })));
      await create('shop', injected(pod(), { config: config({ mode: 'classic' }) }));
    });

    test('is refused when another container comes before the redirect', async () => {
      const good = injected(pod());
      const initContainers = [{ name: 'first', image: 'f' }, ...(good.spec.initContainers ?? [])];
      const wrong = { ...good, spec: { ...good.spec, initContainers } };
      await expect(create('shop', wrong)).rejects.toThrow(/another webhook put containers before them/);
    });

    test.each(['shareProcessNamespace', 'hostPID'])(
      'is refused with %s, unless its namespace allows it',
      async (field) => {
        const sharing = injected(pod(), { namespace: { 'sluice.dev/allow-privileged': 'true' } });
        const object = { ...sharing, spec: { ...sharing.spec, [field]: true } };
        await expect(create('shop', object)).rejects.toThrow(/show the sidecar's process/);
        await create('lenient', object);
      },
    );

    test('is refused when the sidecar is an init container that ends', async () => {
      const good = injected(pod());
      const initContainers = (good.spec.initContainers ?? []).map((container) => {
        // What belongs to a sidecar only would be refused by its own.
        const {
          restartPolicy: _r,
          startupProbe: _s,
          livenessProbe: _l,
          readinessProbe: _y,
          ...rest
        } = container;
        return rest;
      });
      await expect(create('shop', { ...good, spec: { ...good.spec, initContainers } })).rejects.toThrow(
        UNGUARDED,
      );
    });

    test('may be on the host network, which policy never selects, only where its namespace allows it', async () => {
      await create('lenient', pod({ hostNetwork: true }));
      await expect(create('shop', pod({ hostNetwork: true }))).rejects.toThrow(/hostNetwork gives a pod/);
    });

    test('may leave itself out only where its namespace allows it', async () => {
      const leftOut = pod({}, { 'sluice.dev/inject': 'disabled' });
      await create('lenient', leftOut);
      await expect(create('shop', leftOut)).rejects.toThrow(UNGUARDED);
      await expect(create('lenient', pod())).rejects.toThrow(UNGUARDED);
    });
  });

  test('pods of other namespaces, and of kube-system, are no matter', async () => {
    await create('plain', pod());
    await create('kube-system', pod());
  });

  describe('a running pod', () => {
    test.each([
      ['privileged', { privileged: true }],
      ['NET_ADMIN', { capabilities: { add: ['NET_ADMIN'] } }],
      ['CAP_NET_RAW in small letters', { capabilities: { add: ['SYS_PTRACE', 'cap_net_raw'] } }],
    ])('takes no ephemeral container with %s', async (_, securityContext) => {
      const running = await create('shop', injected(pod()));
      await expect(debug(running, securityContext)).rejects.toThrow(
        /ephemeral container that is privileged or adds NET_ADMIN/,
      );
    });

    test('takes an ephemeral container that can do no harm', async () => {
      const running = await create('shop', injected(pod()));
      await debug(running, { capabilities: { add: ['SYS_PTRACE'] } });
    });

    test('takes any ephemeral container where its namespace allows it', async () => {
      const running = await create('lenient', injected(pod()));
      await debug(running, { privileged: true });
    });

    test('takes no ephemeral container that could take the process of the sidecar over', async () => {
      const running = await create('shop', injected(pod()));
      await expect(debug(running, {}, { targetContainerName: 'sluice-sidecar' })).rejects.toThrow(
        /take it over/,
      );
      await debug(running, {}, { targetContainerName: 'app' });
    });

    test('takes no SYS_PTRACE where it sees the sidecar, by a permission that its namespace had once', async () => {
      const allowing = { 'sluice.dev/allow-privileged': 'true' };
      namespaces.set('former', await cluster.namespace({ 'sluice.dev/inject': 'enabled' }, allowing));
      const good = injected(pod());
      const running = await create('former', {
        ...good,
        spec: { ...good.spec, shareProcessNamespace: true },
      });
      await core.patchNamespace(
        {
          name: namespaces.get('former') ?? '',
          body: { metadata: { annotations: { 'sluice.dev/allow-privileged': null } } },
        },
        setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
      );
      const add = ['SYS_PTRACE'];
      await settled(() => expect(debug(running, { capabilities: { add } })).rejects.toThrow(/take it over/));
      await debug(running, {}, { targetContainerName: 'app' });
    });

    test("takes no ephemeral container that mounts the sidecar's volumes", async () => {
      const running = await create('lenient', injected(pod()));
      const volumeMounts = [{ name: 'sluice-state', mountPath: '/mnt' }];
      await expect(debug(running, {}, { volumeMounts })).rejects.toThrow(/sidecar's own/);
    });

    test('keeps the images of the sidecar, and may change others and its labels', async () => {
      const running = await create('shop', injected(pod()));
      await expect(replaceImages(running, 'initContainers', 'mine')).rejects.toThrow(/images .* stay/);
      await replaceImages(running, 'containers', 'app:2');
      const labelled = core.patchNamespacedPod(
        { ...whereOf(running), body: { metadata: { labels: { a: 'b' } } } },
        setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
      );
      expect((await labelled).metadata?.labels).toMatchObject({ a: 'b' });
    });
  });
}
