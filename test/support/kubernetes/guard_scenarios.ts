/** What the admission policies of an installation guard, asked of any API server that has them in force. */
import {
  CoreV1Api,
  PatchStrategy,
  setHeaderOptions,
  type V1Container,
  type V1Pod,
} from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  config,
  earlierForm,
  injected,
  pod,
  redirectedTwice,
  type TestPod,
} from '../../builders/admitted_pods.ts';
import { BEYOND_BASELINE, BEYOND_RESTRICTED, type PodSecurityCase, TIDY_PODS } from './pod_security_cases.ts';
import { type Access, idlePod, settled, TestCluster } from './test_cluster.ts';

/** What a pod without sidecar is refused with. */
const UNGUARDED = /only take pods that Sluice enforces/;

/** What a connection fails with that admission lets by: nobody runs the pod. */
const NOT_RUN = /does not have a host assigned/;

const PRIVILEGED = { namespace: { 'sluice.dev/allow-privileged': 'true' } };

type Place = 'shop' | 'strict' | 'lenient' | 'former' | 'plain' | 'kube-system';

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
    namespaces.set(
      'strict',
      await cluster.namespace({ ...enabled, 'sluice.dev/pod-security': 'restricted' }),
    );
    namespaces.set('lenient', await cluster.namespace(enabled, allowing));
    namespaces.set('plain', await cluster.namespace());
    // Every policy: that one is in force says nothing of the others.
    await settled(() => expect(create('shop', pod())).rejects.toThrow(UNGUARDED));
    await settled(() => expect(create('shop', withHostIPC())).rejects.toThrow(/hostIPC/));
    const guarded = await create('shop', injected(pod()));
    await settled(() =>
      expect(debug(guarded, { targetContainerName: 'sluice-sidecar' })).rejects.toThrow(/take it over/),
    );
    await settled(() => expect(enter('exec', guarded, 'sluice-sidecar')).rejects.toThrow(/who gets into/));
  });

  afterAll(() => cluster.close());

  /** Rehearses the creation of a pod under a name of its own, in kube-system; else creates it. */
  function create(
    place: Place,
    { metadata, spec }: TestPod,
    options: { dryRun?: string } = {},
  ): Promise<V1Pod> {
    count += 1;
    const namespace = namespaces.get(place) ?? '';
    const idle = idlePod(namespace, `p${count}-${cluster.id}`);
    const body = { ...idle, metadata: { ...metadata, ...idle.metadata }, spec: { ...idle.spec, ...spec } };
    const dryRun = place === 'kube-system' ? { dryRun: 'All' } : {};
    return core.createNamespacedPod({ namespace, body: body as unknown as V1Pod, ...dryRun, ...options });
  }

  const withHostIPC = () => injected(pod({ hostIPC: true }), PRIVILEGED);

  /** Rehearses the creation of a pod that is injected, whatever the webhook would say of it. */
  function rehearse(place: Place, { spec, annotations }: Pick<PodSecurityCase, 'spec' | 'annotations'>) {
    const body = injected(pod(spec, annotations), PRIVILEGED);
    return create(place, body, { dryRun: 'All' });
  }

  /** Opens a shell or a terminal; rejects in any case, as nobody runs the pod. */
  function enter(how: 'exec' | 'attach', running: V1Pod, container?: string): Promise<string> {
    const request = { ...whereOf(running), stdout: true, ...(container && { container }) };
    return how === 'exec'
      ? core.connectPostNamespacedPodExec({ ...request, command: 'id' })
      : core.connectPostNamespacedPodAttach(request);
  }

  /** Gives a container, by its place, another memory limit. */
  function resize(running: V1Pod, place: 'containers/0' | 'initContainers/0'): Promise<V1Pod> {
    const path = `/spec/${place}/resources/limits/memory`;
    const body = [{ op: 'replace', path, value: '300Mi' }];
    return core.patchNamespacedPodResize({ ...whereOf(running), body }, asJsonPatch);
  }

  const whereOf = ({ metadata }: V1Pod) => ({
    name: metadata?.name ?? '',
    namespace: metadata?.namespace ?? '',
  });
  const asJsonPatch = setHeaderOptions('Content-Type', PatchStrategy.JsonPatch);

  /** Gives it an ephemeral container, by default one that can do no harm. */
  function debug(running: V1Pod, more: object = {}): Promise<V1Pod> {
    const securityContext = { capabilities: { drop: ['NET_RAW'] } };
    const container = { name: 'debug', image: 'busybox', securityContext, ...more };
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

    test('is taken as earlier injectors make it: a step of its own puts the redirect in force', async () => {
      await create('shop', earlierForm(injected(pod())));
    });

    test('is refused with a sidecar first that leaves the redirect to somebody else', async () => {
      const [, ...initContainers] = earlierForm(injected(pod())).spec.initContainers ?? [];
      const good = injected(pod());
      const wrong = { ...good, spec: { ...good.spec, initContainers } };
      await expect(create('shop', wrong)).rejects.toThrow(UNGUARDED);
    });

    test.each([
      [{ value: 'init' }, 'after'],
      [{ value: 'init' }, 'before'],
      [{}, 'after'],
    ] as const)(
      'is refused when a second setting, %o %s the first, leaves the redirect to somebody else',
      async (other, place) => {
        const wrong = redirectedTwice(injected(pod()), other, place);
        await expect(create('shop', wrong)).rejects.toThrow(UNGUARDED);
      },
    );

    test('is taken as injection makes it, natively and classically', async () => {
      await create('shop', injected(pod({ initContainers: [{ name: 'migrate', image: 'm' }] })));
      await create('shop', injected(pod(), { config: config({ mode: 'classic' }) }));
    });

    test('is refused when another container comes before the sidecar', async () => {
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
        await expect(create('shop', object)).rejects.toThrow(/show the sidecar's process|has hostPID/);
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
          lifecycle: _c,
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
      await expect(create('shop', pod({ hostNetwork: true }))).rejects.toThrow(
        /hostNetwork gives a pod|has hostNetwork/,
      );
    });

    test('may leave itself out only where its namespace allows it', async () => {
      const leftOut = pod({}, { 'sluice.dev/inject': 'disabled' });
      await create('lenient', leftOut);
      await expect(create('shop', leftOut)).rejects.toThrow(UNGUARDED);
      await expect(create('lenient', pod())).rejects.toThrow(UNGUARDED);
    });
  });

  describe('Pod Security', () => {
    test.each(BEYOND_BASELINE)(
      'of enabled namespaces refuses $what, unless they allow it',
      async (wanted) => {
        for (const place of ['shop', 'strict'] as const)
          await expect(rehearse(place, wanted)).rejects.toThrow(wanted.said);
        await rehearse('lenient', wanted);
      },
    );

    test.each(BEYOND_RESTRICTED)('refuses $what only where the label says restricted', async (wanted) => {
      await rehearse('shop', wanted);
      await expect(rehearse('strict', wanted)).rejects.toThrow(wanted.said);
    });

    test.each(TIDY_PODS)('at its strictest takes $what', async (wanted) => {
      await rehearse('strict', wanted);
    });

    test('holds a pod that leaves itself out to the same', async () => {
      const enabled = { 'sluice.dev/inject': 'enabled' };
      namespaces.set('former', await cluster.namespace(enabled, { 'sluice.dev/allow-opt-out': 'true' }));
      const leftOut = (spec: object) => pod({ ...spec }, { 'sluice.dev/inject': 'disabled' });
      await create('former', leftOut({}));
      await expect(create('former', leftOut({ hostIPC: true }))).rejects.toThrow(/hostIPC/);
    });

    test('gives a pod that leaves itself out nothing by the names of our containers', async () => {
      const enabled = { 'sluice.dev/inject': 'enabled' };
      namespaces.set('former', await cluster.namespace(enabled, { 'sluice.dev/allow-opt-out': 'true' }));
      const rights = (securityContext: object) =>
        pod(
          { containers: [{ name: 'sluice-sidecar', image: 'mine', securityContext }] },
          { 'sluice.dev/inject': 'disabled' },
        );
      await create('former', rights({}));
      await expect(create('former', rights({ capabilities: { add: ['NET_ADMIN'] } }))).rejects.toThrow(
        /sluice-sidecar:? adds NET_ADMIN/,
      );
    });

    test('names everything, and says what to do', async () => {
      const containers = [
        { name: 'a', image: 'a', securityContext: { capabilities: { add: ['BPF', 'SYS_TIME'] } } },
        { name: 'b', image: 'b', ports: [{ containerPort: 80, hostPort: 80 }] },
      ];
      await expect(rehearse('shop', { spec: { hostIPC: true, containers } })).rejects.toThrow(
        /pod has hostIPC; container a adds BPF, adds SYS_TIME; container b has a hostPort: more than Pod Security baseline allows .*sluice.dev\/allow-privileged=true/,
      );
    });
  });

  test('pods of other namespaces, and of kube-system, are no matter', async () => {
    await create('plain', pod());
    await create('kube-system', pod());
  });

  describe('a running pod', () => {
    test.each([
      ['is privileged', { privileged: true }],
      ['adds NET_ADMIN', { capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] } }],
      ['adds cap_net_raw', { capabilities: { add: ['cap_net_raw'], drop: ['ALL'] } }],
      ['adds SYS_MODULE', { capabilities: { add: ['SYS_MODULE'], drop: ['ALL'] } }],
    ])('takes no ephemeral container that %s', async (_, securityContext) => {
      const running = await create('shop', injected(pod()));
      await expect(debug(running, { securityContext })).rejects.toThrow(
        /container debug (is|adds) .*Pod Security baseline|keeps NET_RAW/,
      );
    });

    test.each([
      ['says nothing of capabilities', {}],
      ['drops others', { capabilities: { drop: ['CHOWN'] } }],
      ['drops it by a name that no runtime knows', { capabilities: { drop: ['CAP_NET_RAW'] } }],
    ])('takes no ephemeral container that keeps NET_RAW: one that %s', async (_, securityContext) => {
      const running = await create('shop', injected(pod()));
      await expect(debug(running, { securityContext })).rejects.toThrow(/keeps NET_RAW/);
    });

    test('takes an ephemeral container that can do no harm', async () => {
      await debug(await create('shop', injected(pod())));
      const securityContext = { capabilities: { add: ['CHOWN'], drop: ['ALL'] } };
      await debug(await create('shop', injected(pod())), { securityContext });
    });

    test('takes any ephemeral container where its namespace allows it', async () => {
      const running = await create('lenient', injected(pod()));
      await debug(running, { securityContext: { privileged: true } });
    });

    test('takes no ephemeral container that could take the process of the sidecar over', async () => {
      const running = await create('shop', injected(pod()));
      await expect(debug(running, { targetContainerName: 'sluice-sidecar' })).rejects.toThrow(/take it over/);
      await debug(running, { targetContainerName: 'app' });
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
      const securityContext = { capabilities: { add: ['SYS_PTRACE'], drop: ['ALL'] } };
      await settled(() => expect(debug(running, { securityContext })).rejects.toThrow(/adds SYS_PTRACE/));
      await debug(running, { targetContainerName: 'app' });
    });

    test("takes no ephemeral container that mounts the sidecar's volumes", async () => {
      const running = await create('lenient', injected(pod()));
      const volumeMounts = [{ name: 'sluice-state', mountPath: '/mnt' }];
      await expect(debug(running, { volumeMounts })).rejects.toThrow(/sidecar's own/);
    });

    test.each(['exec', 'attach'] as const)(
      'lets nobody into the sidecar by %s, unless its namespace allows it',
      async (how) => {
        const running = await create('shop', injected(pod()));
        for (const container of ['sluice-sidecar', 'sluice-redirect'])
          await expect(enter(how, running, container)).rejects.toThrow(/who gets into sluice-sidecar/);
        await expect(enter(how, running, 'app')).rejects.toThrow(NOT_RUN);
        const allowed = await create('lenient', injected(pod()));
        await expect(enter(how, allowed, 'sluice-sidecar')).rejects.toThrow(NOT_RUN);
      },
    );

    test('keeps the resources of the sidecar, unless its namespace allows others, and may change those of its app', async () => {
      const resources = { limits: { memory: '200Mi' }, requests: { memory: '100Mi' } };
      const sized = injected(pod({ containers: [{ name: 'app', image: 'app', resources }] }));
      const running = await create('shop', sized);
      await expect(resize(running, 'initContainers/0')).rejects.toThrow(/resources .* stay/);
      await resize(running, 'containers/0');
      await resize(await create('lenient', sized), 'initContainers/0');
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
