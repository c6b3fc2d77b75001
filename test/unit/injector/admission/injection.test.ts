import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  config,
  decide,
  earlierForm,
  injected,
  pod,
  type TestContainer,
} from '../../../builders/admitted_pods.ts';

const names = (list: readonly { readonly name: string }[] | undefined) =>
  (list ?? []).map(({ name }) => name);

describe('injection', () => {
  it('puts the sidecar before every other init container', () => {
    const { spec } = injected(pod({ initContainers: [{ name: 'migrate' }] }));

    expect(names(spec.initContainers)).toEqual(['sluice-sidecar', 'migrate']);
    expect(names(spec.containers)).toEqual(['app']);
  });

  it('makes the app wait for the first table: a native sidecar whose startup probe is readiness', () => {
    const sidecar = injected(pod()).spec.initContainers?.[0];

    expect(sidecar?.restartPolicy).toBe('Always');
    expect(sidecar?.startupProbe).toMatchObject({ httpGet: { path: '/readyz', port: 15021 } });
  });

  it('has a native sidecar put the redirect in force itself, and an image that cannot do that by a step before it', () => {
    const sidecar = injected(pod()).spec.initContainers?.[0];

    expect(sidecar?.env).toContainEqual({ name: 'SLUICE_REDIRECT', value: 'run' });
    expect(sidecar).not.toHaveProperty('args');
    expect(sidecar?.command).toEqual([
      'sh',
      '-c',
      expect.stringMatching(
        /^grep -qs SLUICE_REDIRECT \/sluice\/sidecar.mjs \|\| node .* redirect apply \|\| exit; exec node .* run$/,
      ),
    ]);
  });

  it('gives each container exactly the rights that it needs', () => {
    const object = pod({ securityContext: { runAsUser: 1000, runAsNonRoot: true } });
    const [sidecar] = injected(object).spec.initContainers ?? [];
    const [redirect] = injected(object, { config: config({ mode: 'classic' }) }).spec.initContainers ?? [];

    const common = {
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsUser: 0,
      runAsNonRoot: false,
      seccompProfile: { type: 'RuntimeDefault' },
    };
    expect(redirect?.securityContext).toMatchObject({
      ...common,
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] },
    });
    expect(sidecar?.securityContext).toMatchObject({
      ...common,
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] },
    });
  });

  it('takes from all other containers the raw sockets that runtimes give them, and nothing else', () => {
    const own = { runAsUser: 0, capabilities: { add: ['CHOWN'], drop: ['MKNOD'] } };
    const given = {
      initContainers: [{ name: 'migrate' }],
      containers: [
        { name: 'app', securityContext: own },
        { name: 'none', securityContext: { capabilities: { drop: ['ALL'] } } },
        { name: 'raw', securityContext: { capabilities: { drop: ['CAP_NET_RAW'] } } },
      ],
    };
    const { spec } = injected(pod(given));
    const rights = (list: typeof spec.containers | undefined) =>
      Object.fromEntries((list ?? []).map(({ name, securityContext }) => [name, securityContext]));

    expect(rights(spec.containers)).toEqual({
      app: { runAsUser: 0, capabilities: { add: ['CHOWN'], drop: ['MKNOD', 'NET_RAW'] } },
      none: { capabilities: { drop: ['ALL'] } },
      raw: { capabilities: { drop: ['CAP_NET_RAW', 'NET_RAW'] } }, // runtimes know no such name
    });
    expect(rights(spec.initContainers).migrate).toEqual({ capabilities: { drop: ['NET_RAW'] } });
    expect(decide(pod({ containers: [null, { name: 'app' }] as never }))).toMatchObject({ kind: 'injected' }); // the API server refuses it
    const allowed = injected(pod(given), { namespace: { 'sluice.dev/allow-privileged': 'true' } });
    expect(allowed.spec.containers).toEqual(given.containers);
  });

  it.each([
    [{ type: 'Unconfined' }, { type: 'spc_t', level: 's0:c1,c2' }],
    [
      { type: 'Localhost', localhostProfile: 'deny-net' },
      { type: 'spc_t', level: 's0:c1,c2', user: 'u' },
    ],
  ])(
    'confines its containers as the runtime does by default, whatever the pod says: %j',
    (appArmorProfile, seLinuxOptions) => {
      const confined = pod({ securityContext: { appArmorProfile, seLinuxOptions } });
      const namespace = { 'sluice.dev/allow-privileged': 'true' };

      for (const { securityContext } of injected(confined, { namespace }).spec.initContainers ?? [])
        expect(securityContext).toMatchObject({
          appArmorProfile: { type: 'RuntimeDefault' },
          seLinuxOptions: { type: 'container_t', level: 's0:c1,c2' },
        });
    },
  );

  it('asks for no AppArmor and no SELinux where the pod does not: nodes may have neither', () => {
    for (const { securityContext } of injected(pod({ securityContext: {} })).spec.initContainers ?? []) {
      expect(securityContext).not.toHaveProperty('appArmorProfile');
      expect(securityContext).not.toHaveProperty('seLinuxOptions');
    }
  });

  it('takes no AppArmor profile for its containers from annotations, and leaves those of others', () => {
    const key = (container: string) => `container.apparmor.security.beta.kubernetes.io/${container}`;
    const confined = pod(
      {},
      { [key('sluice-sidecar')]: 'localhost/deny-net', [key('app')]: 'runtime/default' },
    );

    const { annotations } = injected(confined).metadata;
    expect(annotations).not.toHaveProperty([key('sluice-sidecar')]);
    expect(annotations).toHaveProperty([key('app')], 'runtime/default');
  });

  it('gives iptables-legacy its raw sockets and a lock that can be written', () => {
    for (const mode of ['native', 'classic'] as const) {
      const { initContainers = [] } = injected(pod(), { config: config({ iptables: 'legacy', mode }) }).spec;
      const [first] = initContainers;

      expect(first?.securityContext).toMatchObject({ capabilities: { add: ['NET_ADMIN', 'NET_RAW'] } });
      expect(first?.env).toContainEqual({ name: 'XTABLES_LOCKFILE', value: '/var/lib/sluice/xtables.lock' });
      expect(first?.volumeMounts).toContainEqual({ name: 'sluice-state', mountPath: '/var/lib/sluice' });
    }
  });

  it('mounts a token for the injector alone, the CA, and room for the last table', () => {
    const { spec } = injected(pod({ volumes: [{ name: 'data', emptyDir: {} }] }));

    expect(spec.volumes).toMatchObject([
      { name: 'data' },
      { name: 'sluice-state', emptyDir: {} },
      {
        name: 'sluice-identity',
        projected: {
          sources: [
            { serviceAccountToken: { audience: 'sluice.dev', path: 'token' } },
            { configMap: { name: 'sluice-ca' } },
          ],
        },
      },
    ]);
    expect(spec.containers[0]?.volumeMounts).toBeUndefined();
  });

  it('gives the containers requests and limits, as quotas and autoscalers want them', () => {
    for (const container of injected(pod()).spec.initContainers ?? []) {
      expect(container.resources).toMatchObject({
        requests: { cpu: expect.any(String), memory: expect.any(String) },
        limits: { cpu: expect.any(String), memory: expect.any(String) },
      });
    }
  });

  it('says in an annotation what was injected, and keeps the others', () => {
    const { metadata } = injected(pod({}, { team: 'shop' }));

    expect(metadata.annotations?.team).toBe('shop');
    expect(JSON.parse(metadata.annotations?.['sluice.dev/status'] ?? '')).toEqual({
      version: '9.9.9',
      mode: 'native',
      initContainers: ['sluice-sidecar'],
      containers: [],
      volumes: ['sluice-state', 'sluice-identity'],
    });
  });

  it.each([
    ['nothing', undefined, 'sluice-state'],
    ['the empty text', '', 'sluice-state'],
    ['other volumes', 'scratch,cache', 'scratch,cache,sluice-state'],
    ['ours too', 'sluice-state,scratch', 'sluice-state,scratch'],
    ['a name that only has ours in it', 'my-sluice-state', 'my-sluice-state,sluice-state'],
  ])(
    'lets cluster-autoscaler evict its volume beside what the pod says, which is %s',
    (_what, own, value) => {
      const annotation = 'cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes';
      const once = injected(pod({}, own === undefined ? {} : { [annotation]: own }));

      expect(once.metadata.annotations?.[annotation]).toBe(value);
      expect(decide(once)).toMatchObject({ kind: 'injected', patch: [] });
    },
  );

  it('injects a pod that is as bare as the API allows', () => {
    const { spec, metadata } = injected({ spec: { containers: [{ name: 'app' }] } } as never);

    expect(names(spec.initContainers)).toEqual(['sluice-sidecar']);
    expect(metadata.annotations).toHaveProperty('sluice.dev/status');
  });

  it('runs the sidecar as the first ordinary container in classic mode', () => {
    const { spec } = injected(pod({ initContainers: [{ name: 'migrate' }] }), {
      config: config({ mode: 'classic' }),
    });

    expect(names(spec.initContainers)).toEqual(['sluice-redirect', 'migrate']);
    expect(names(spec.containers)).toEqual(['sluice-sidecar', 'app']);
    expect(spec.containers[0]?.restartPolicy).toBeUndefined();
    expect(spec.containers[0]?.env).toContainEqual(
      expect.objectContaining({
        name: 'SLUICE_NODE_IPS',
        valueFrom: { fieldRef: expect.objectContaining({ fieldPath: 'status.hostIP' }) },
      }),
    );
  });

  it("sets the sidecar by the pod's annotations", () => {
    const sidecar = injected(
      pod(
        {},
        {
          'sluice.dev/deny': 'reset',
          'sluice.dev/other-protocols': 'accept',
          'sluice.dev/log-level': 'debug',
          'sluice.dev/memory-limit': '1Gi',
          'sluice.dev/cpu-request': '250m',
        },
      ),
    ).spec.initContainers?.[0];

    expect(sidecar?.env).toEqual(
      expect.arrayContaining([
        { name: 'SLUICE_DENY', value: 'reset' },
        { name: 'SLUICE_OTHER_PROTOCOLS', value: 'accept' },
        { name: 'SLUICE_LOG_LEVEL', value: 'debug' },
      ]),
    );
    expect(sidecar?.resources).toEqual({
      requests: { cpu: '250m', memory: '64Mi' },
      limits: { cpu: '1', memory: '1Gi' },
    });
  });

  it('starts the sidecar and the redirect step with the flags and the environment that keep them small', () => {
    const command = [
      'node',
      '--disable-sigusr1',
      '--max-semi-space-size=1',
      '--max-old-space-size-percentage=50',
      '--v8-pool-size=1',
      '/sluice/sidecar.mjs',
    ];
    const [native] = injected(pod()).spec.initContainers ?? [];
    const classic = injected(pod(), { config: config({ mode: 'classic' }) }).spec;
    const [redirect, ordinary] = [classic.initContainers?.[0], classic.containers[0]];

    expect(redirect).toMatchObject({ command, args: ['redirect', 'apply'] });
    expect(ordinary).toMatchObject({ command, args: ['run'] });
    expect(JSON.stringify(native?.command)).toContain(`exec ${command.join(' ')} run`);
    for (const container of [native, redirect, ordinary] as TestContainer[]) {
      expect(container.env).toContainEqual({ name: 'MALLOC_ARENA_MAX', value: '1' });
      expect(container.env).toContainEqual({ name: 'NODE_OPTIONS', value: '' });
    }
  });

  it.each([
    ['the usual grace period', undefined, '25'],
    ['a long one', 600, '595'],
    ['one that is too short to drain in', 3, '0'],
    ['one beyond what the sidecar takes', 10_000, '3600'],
  ])('lets flows go on until 5 s before SIGKILL: %s', (_what, terminationGracePeriodSeconds, value) => {
    const spec = terminationGracePeriodSeconds === undefined ? {} : { terminationGracePeriodSeconds };
    const sidecar = injected(pod(spec)).spec.initContainers?.[0];

    expect(sidecar?.env).toContainEqual({ name: 'SLUICE_DRAIN_SECONDS', value });
  });

  it('has a native sidecar note when termination begins: its SIGTERM comes when the app has ended', () => {
    const [sidecar] = injected(pod()).spec.initContainers ?? [];

    const command = ['sh', '-c', expect.stringContaining('"$SLUICE_STATE_DIR/terminating"')];
    expect(sidecar?.lifecycle).toEqual({ preStop: { exec: { command } } });
    expect(sidecar?.env).toContainEqual({ name: 'SLUICE_STATE_DIR', value: '/var/lib/sluice' });
  });

  it('gives an ordinary sidecar no hook: it gets SIGTERM together with the app', () => {
    const { spec } = injected(pod(), { config: config({ mode: 'classic' }) });

    expect(spec.containers[0]).not.toHaveProperty('lifecycle');
    expect(spec.initContainers?.[0]).not.toHaveProperty('lifecycle'); // the API takes none of an init container that ends
  });

  it('passes how a denied SYN is answered to the redirect too, which makes the closed gate', () => {
    const object = pod({}, { 'sluice.dev/deny': 'reset' });
    const redirect = injected(object, { config: config({ mode: 'classic' }) }).spec.initContainers?.[0];

    expect(redirect?.env).toContainEqual({ name: 'SLUICE_DENY', value: 'reset' });
  });
});

describe('injection of a pod that is injected', () => {
  it('changes nothing the second time', () => {
    expect(decide(injected(pod()))).toEqual({ kind: 'injected', patch: [], warnings: [], privileges: [] });
  });

  it('says which annotations mean nothing, and takes the pod all the same', () => {
    expect(decide(pod({}, { 'sluice.dev/denny': 'reset', 'sluice.dev/deny': 'reset' }))).toMatchObject({
      kind: 'injected',
      warnings: ['annotation sluice.dev/denny means nothing to sluice: look at its spelling'],
    });
  });

  it('changes nothing the second time, whatever containers, volumes and annotations there are', () => {
    const name = fc.constantFrom(
      'app',
      'web',
      'sluice-sidecar',
      'sluice-redirect',
      'sluice-state',
      'istio-proxy',
    );
    const list = fc.uniqueArray(name, { maxLength: 4 }).map((items) => items.map((item) => ({ name: item })));
    fc.assert(
      fc.property(
        list,
        list,
        list,
        fc.constantFrom('native', 'classic'),
        (containers, initContainers, volumes, mode) => {
          const options = { config: config({ mode }) };
          const own = { name: 'its-own' }; // without one it is refused
          const once = injected(pod({ containers: [...containers, own], initContainers, volumes }), options);
          expect(decide(once, options)).toEqual({
            kind: 'injected',
            patch: [],
            warnings: [],
            privileges: [],
          });
          const all = [...(once.spec.initContainers ?? []), ...once.spec.containers];
          expect(names(all).filter((item) => item === 'sluice-sidecar')).toHaveLength(1);
          const first = mode === 'native' ? 'sluice-sidecar' : 'sluice-redirect';
          for (const ours of [first, 'sluice-state', 'sluice-identity'])
            expect(names([...all, ...((once.spec.volumes ?? []) as { name: string }[])])).toContain(ours);
        },
      ),
    );
  });

  it('replaces containers that only look like ours', () => {
    const fake = { name: 'sluice-sidecar', image: 'evil', restartPolicy: 'Always' };
    const { spec } = injected(
      pod({ containers: [{ name: 'app' }, { ...fake }], initContainers: [{ ...fake }] }),
    );

    expect(names(spec.containers)).toEqual(['app']);
    expect(names(spec.initContainers)).toEqual(['sluice-sidecar']);
    expect(JSON.stringify(spec)).not.toContain('evil');
  });

  it('replaces volumes that only look like ours', () => {
    const { spec } = injected(pod({ volumes: [{ name: 'sluice-identity', hostPath: { path: '/' } }] }));

    expect(JSON.stringify(spec.volumes)).not.toContain('hostPath');
  });

  it('moves the sidecar to the front again when something was put before it', () => {
    const once = injected(pod());
    const moved = {
      ...once,
      spec: { ...once.spec, initContainers: [{ name: 'mesh' }, ...(once.spec.initContainers ?? [])] },
    };

    expect(names(injected(moved).spec.initContainers)).toEqual(['sluice-sidecar', 'mesh']);
  });

  it('takes the new version when the installation was upgraded', () => {
    const old = injected(pod());
    const { spec } = injected(old, { config: config({ image: 'registry.example/sluice:10' }) });

    expect(spec.initContainers?.map(({ image }) => image)).toEqual(['registry.example/sluice:10']);
  });

  it('takes the form of today: the step of earlier injectors is gone', () => {
    const { spec } = injected(earlierForm(injected(pod({ initContainers: [{ name: 'migrate' }] }))));

    expect(names(spec.initContainers)).toEqual(['sluice-sidecar', 'migrate']);
  });

  it('takes away the API token that is mounted into every container it finds', () => {
    const once = injected(pod());
    const mount = { name: 'kube-api-access', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' };
    const mounted = {
      ...once,
      spec: {
        ...once.spec,
        initContainers: once.spec.initContainers?.map((container) => ({
          ...container,
          volumeMounts: [...((container.volumeMounts ?? []) as object[]), mount],
        })),
      },
    };

    expect(JSON.stringify(injected(mounted as never).spec.initContainers)).not.toContain('kube-api-access');
  });
});
