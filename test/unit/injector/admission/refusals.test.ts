import { describe, expect, it } from 'vitest';
import { SIDECAR_PORTS } from '../../../../common/contract.ts';
import {
  NAMESPACE_ANNOTATIONS,
  RESOURCE_ANNOTATIONS,
  SIDECAR_ANNOTATIONS,
} from '../../../../injector/admission/annotations/annotations.ts';
import { parseAdmittedPod } from '../../../../injector/admission/pod/pod_object.ts';
import { SIDECAR_OPTIONS } from '../../../../sidecar/config.ts';
import { decide, injected, pod, reasons } from '../../../builders/admitted_pods.ts';

const PRIVILEGED_ALLOWED = { namespace: { [NAMESPACE_ANNOTATIONS.allowPrivileged.annotation]: 'true' } };
const OPT_OUT_ALLOWED = { namespace: { [NAMESPACE_ANNOTATIONS.allowOptOut.annotation]: 'true' } };

const powers = [
  ['is privileged', { privileged: true }],
  ['adds NET_ADMIN', { capabilities: { add: ['NET_ADMIN'] } }],
  ['adds NET_RAW', { capabilities: { add: ['CHOWN', 'NET_RAW'] } }],
  ['adds NET_ADMIN', { capabilities: { add: ['cap_net_admin'] } }],
  ['adds SYS_ADMIN', { capabilities: { add: ['SYS_ADMIN'] } }],
  ['adds ALL', { capabilities: { add: ['ALL'] } }],
] as const;

describe('a pod that could take its own enforcement out', () => {
  for (const [what, securityContext] of powers) {
    for (const list of ['containers', 'initContainers', 'ephemeralContainers']) {
      it(`is refused when one of its ${list} ${what}`, () => {
        expect(reasons(pod({ [list]: [{ name: 'mighty', securityContext }] }))).toEqual([
          expect.stringMatching(new RegExp(`container mighty ${what}.*sluice.dev/allow-privileged=true`)),
        ]);
      });
    }
  }

  it.each(['shareProcessNamespace', 'hostPID'])(
    'is refused when its containers see the sidecar by %s',
    (field) => {
      expect(reasons(pod({ [field]: true }))).toEqual([
        expect.stringMatching(new RegExp(`^${field} shows .*sluice.dev/allow-privileged=true`)),
      ]);
      expect(decide(pod({ [field]: true }), PRIVILEGED_ALLOWED).kind).toBe('injected');
      expect(decide(pod({ [field]: false })).kind).toBe('injected');
    },
  );

  it('is injected where its namespace allows it', () => {
    const mighty = pod({ containers: [{ name: 'mighty', securityContext: { privileged: true } }] });

    expect(decide(mighty, PRIVILEGED_ALLOWED).kind).toBe('injected');
  });

  it('is refused under a value that is not exactly true', () => {
    const mighty = pod({ containers: [{ name: 'mighty', securityContext: { privileged: true } }] });
    const namespace = { [NAMESPACE_ANNOTATIONS.allowPrivileged.annotation]: 'True' };

    expect(decide(mighty, { namespace }).kind).toBe('refused');
  });

  it('is refused when it mounts what the sidecar keeps, wherever that is allowed', () => {
    const thief = pod({
      containers: [{ name: 'thief', volumeMounts: [{ name: 'sluice-state', mountPath: '/mnt' }] }],
    });

    expect(reasons(thief, PRIVILEGED_ALLOWED)).toEqual([
      expect.stringContaining('thief mounts sluice-state'),
    ]);
  });
});

describe('a pod with a token of its own', () => {
  const withToken = (audience: string) =>
    pod({
      volumes: [
        { name: 'config', projected: { sources: [{ configMap: { name: 'config' } }] } },
        { name: 'identity', projected: { sources: [{ serviceAccountToken: { audience, path: 'token' } }] } },
      ],
    });

  it('is refused where the injector would take it for the sidecar', () => {
    expect(reasons(withToken('sluice.dev'), PRIVILEGED_ALLOWED)).toEqual([
      expect.stringContaining('volume identity has a token for the audience sluice.dev'),
    ]);
  });

  it('may have it for anybody else', () => {
    expect(decide(withToken('vault')).kind).toBe('injected');
  });

  it('may come back from the API server with what injection added', () => {
    expect(reasons(injected(pod()))).toEqual([]);
  });
});

describe('a pod that cannot be enforced', () => {
  it('is refused when it is for Windows', () => {
    expect(reasons(pod({ os: { name: 'windows' } }))).toEqual([expect.stringContaining('Windows')]);
    expect(reasons(pod({ nodeSelector: { 'kubernetes.io/os': 'windows' } }))).toHaveLength(1);
  });

  it('is refused on the host network, but left alone there where its namespace allows privileged pods', () => {
    const host = pod({
      hostNetwork: true,
      containers: [{ name: 'a', securityContext: { privileged: true } }],
    });

    expect(reasons(host)).toEqual([
      expect.stringMatching(/^hostNetwork .*sluice.dev\/allow-privileged=true/),
      expect.stringMatching(/^container a is privileged/),
    ]);
    expect(decide(host, PRIVILEGED_ALLOWED)).toMatchObject({
      kind: 'skipped',
      optOut: false,
      privileges: ['pod has hostNetwork', 'container a is privileged'],
    });
  });

  it('is refused when it wants a port of the sidecar', () => {
    const ports = [
      { containerPort: 15021 },
      { containerPort: 15029 },
      { containerPort: 15006, protocol: 'UDP' },
    ];

    expect(reasons(pod({ containers: [{ name: 'app', ports }] }))).toEqual([
      expect.stringContaining('container app has port 15021'),
      expect.stringContaining('container app has port 15029'),
    ]);
  });

  it('is refused when its containers all have names of the sidecar: nothing of it would be left', () => {
    expect(reasons(pod({ containers: [{ name: 'sluice-sidecar', image: 'mine' }] }))).toEqual([
      'it has no container of its own: give it one that is named neither sluice-redirect nor sluice-sidecar',
    ]);
  });

  it('names everything at once', () => {
    const bad = pod(
      { os: { name: 'windows' }, containers: [{ name: 'a', securityContext: { privileged: true } }] },
      { 'sluice.dev/deny': 'maybe' },
    );

    expect(reasons(bad)).toHaveLength(3);
  });
});

describe('a pod that wants ports to bypass the proxy', () => {
  const EXCLUSION_ALLOWED = { namespace: { [NAMESPACE_ANNOTATIONS.allowExcludedPorts.annotation]: 'true' } };
  const wants = (ports: string) => pod({}, { 'sluice.dev/excluded-ports': ports });

  it('gets that where its namespace allows it', () => {
    const decision = decide(wants('9090,9091'), EXCLUSION_ALLOWED);
    expect(JSON.stringify(decision)).toContain('{"name":"SLUICE_EXCLUDED_PORTS","value":"9090,9091"}');
  });

  it('is refused where its namespace does not', () => {
    expect(reasons(wants('9090'))).toEqual([expect.stringContaining('sluice.dev/allow-excluded-ports=true')]);
  });

  const tooMany = Array.from({ length: 16 }, (_, i) => i + 1).join(',');
  for (const ports of ['', '0', '65536', '80,', '80-90', 'http', tooMany, '15021', '15022']) {
    it(`is refused by the annotation's name when it wants '${ports}'`, () => {
      expect(reasons(wants(ports), EXCLUSION_ALLOWED)).toEqual([
        expect.stringMatching(/^annotation sluice.dev\/excluded-ports is '/),
      ]);
    });
  }
});

describe('a pod that wants to be left out', () => {
  const leftOut = pod({}, { 'sluice.dev/inject': 'disabled' });

  it('is left alone where its namespace allows it', () => {
    expect(decide(leftOut, OPT_OUT_ALLOWED)).toMatchObject({ kind: 'skipped', optOut: true });
  });

  it('gets nothing by the names of our containers and volumes, which nobody replaces there', () => {
    const { metadata } = leftOut;
    const spec = {
      containers: [{ name: 'sluice-sidecar', securityContext: { privileged: true } }],
      volumes: [{ name: 'sluice-state', hostPath: { path: '/' } }],
    };

    expect(reasons({ metadata, spec }, OPT_OUT_ALLOWED)).toEqual([
      expect.stringContaining('hostPath volume sluice-state'),
      expect.stringContaining('container sluice-sidecar is privileged'),
    ]);
  });

  it('may share processes: no sidecar is among them', () => {
    const sharing = pod({ shareProcessNamespace: true }, { 'sluice.dev/inject': 'disabled' });

    expect(decide(sharing, OPT_OUT_ALLOWED)).toMatchObject({ kind: 'skipped', privileges: [] });
  });

  it('is refused where its namespace does not', () => {
    expect(reasons(leftOut)).toEqual([expect.stringContaining('sluice.dev/allow-opt-out=true')]);
  });

  it('is refused under a value that means nothing', () => {
    expect(reasons(pod({}, { 'sluice.dev/inject': 'false' }), OPT_OUT_ALLOWED)).toEqual([
      expect.stringContaining("sluice.dev/inject is 'false'"),
    ]);
  });
});

describe("a pod's annotations", () => {
  for (const { annotation } of [...SIDECAR_ANNOTATIONS, ...RESOURCE_ANNOTATIONS]) {
    for (const value of ['', 'nothing', '-1', '1 Gi']) {
      it(`refuse the pod by name when ${annotation} is '${value}'`, () => {
        expect(reasons(pod({}, { [annotation]: value }))).toEqual([expect.stringContaining(annotation)]);
      });
    }
  }

  it('take what the sidecar takes', () => {
    for (const { env, values } of SIDECAR_ANNOTATIONS)
      expect(SIDECAR_OPTIONS.find((option) => option.env === env)?.kind).toEqual({
        type: 'choice',
        choices: values,
      });
  });

  const quantities = [
    ['sluice.dev/memory-limit', '64', 'wants at least 48Mi'],
    ['sluice.dev/memory-limit', '128m', 'wants bytes'],
    ['sluice.dev/cpu-limit', '0', 'wants cores'],
    ['sluice.dev/cpu-limit', '1Gi', 'wants cores'],
    ['sluice.dev/memory-request', '512Mi', 'over its limit 256Mi'],
    ['sluice.dev/cpu-limit', '1m', 'request 10m is over its limit 1m'],
  ] as const;
  for (const [annotation, value, message] of quantities) {
    it(`refuse ${annotation}=${value}: ${message}`, () => {
      expect(reasons(pod({}, { [annotation]: value }))).toEqual([
        expect.stringMatching(new RegExp(`${annotation}.*${message}`)),
      ]);
    });
  }

  it('may raise request and limit together', () => {
    const annotations = { 'sluice.dev/memory-request': '512Mi', 'sluice.dev/memory-limit': '0.5Gi' };

    expect(injected(pod({}, annotations)).spec.initContainers?.[0]?.resources).toMatchObject({
      requests: { memory: '512Mi' },
      limits: { memory: '0.5Gi' },
    });
  });
});

describe('reading a pod', () => {
  it('names every field that is not of the API', () => {
    const parsed = parseAdmittedPod({
      metadata: { annotations: { a: 1 } },
      spec: {
        hostNetwork: 'yes',
        containers: [{ name: 'a', securityContext: { capabilities: { add: 'ALL' } } }, 'b'],
        volumes: {},
      },
    });

    expect(parsed).toMatchObject({
      ok: false,
      errors: [
        'metadata.annotations.a',
        'spec.hostNetwork',
        'spec.containers[0].securityContext.capabilities.add',
        'spec.containers[1]',
        'spec.volumes',
      ].map((path) => ({ path })),
    });
  });

  it('refuses what is no pod', () => {
    for (const value of [undefined, null, 'pod', [], { kind: 'Deployment', spec: {} }, {}])
      expect(parseAdmittedPod(value).ok).toBe(false);
  });
});

it('the ports that injection keeps free are the defaults of the sidecar', () => {
  for (const [name, port] of Object.entries(SIDECAR_PORTS))
    expect(SIDECAR_OPTIONS.find(({ flag }) => flag === `${name}-port`)?.default).toBe(String(port));
});
