import { describe, expect, it } from 'vitest';
import { NODE_PORTS_MAX } from '../../../../injector/admission/annotations/node_traffic.ts';
import { config, decide, injected, pod, reasons } from '../../../builders/admitted_pods.ts';

const ANNOTATION = 'sluice.dev/node-traffic';
const PROBES = { [ANNOTATION]: 'probes' };

/** The ports of a native sidecar, and of the redirect step; `undefined` where the node may reach everything. */
function nodePorts(...[object, options]: Parameters<typeof injected>): readonly (string | undefined)[] {
  const classic = injected(object, { ...options, config: config({ mode: 'classic' }) });
  const made = [injected(object, options), classic];
  return made.map(({ spec }) => {
    const [container] = spec.initContainers ?? [];
    const env = container?.env as { name: string; value?: string }[];
    const value = (name: string) => env.find((variable) => variable.name === name)?.value;
    return value('SLUICE_NODE_TRAFFIC') === 'probes' ? value('SLUICE_NODE_PORTS') : undefined;
  });
}

const probed = {
  containers: [
    {
      name: 'app',
      image: 'app',
      ports: [
        { name: 'health', containerPort: 8081 },
        { name: 'dns', containerPort: 53, protocol: 'UDP' },
      ],
      livenessProbe: { httpGet: { port: 'health', path: '/' } },
      readinessProbe: { tcpSocket: { port: 8080 } },
      startupProbe: { grpc: { port: 9000 } },
      lifecycle: {
        postStart: { httpGet: { port: '8082' } },
        preStop: { exec: { command: ['true'] } },
      },
    },
    { name: 'other', image: 'other', readinessProbe: { tcpSocket: { port: 8080 } } },
  ],
  initContainers: [
    { name: 'proxy', image: 'proxy', restartPolicy: 'Always', startupProbe: { tcpSocket: { port: 7000 } } },
  ],
};

describe('what a pod takes from its node', () => {
  it('is everything, where nobody says anything else', () => {
    expect(nodePorts(pod(probed))).toEqual([undefined, undefined]);
    expect(nodePorts(pod(probed, { [ANNOTATION]: 'all' }))).toEqual([undefined, undefined]);
  });

  it("is what its probes and hooks need, where it or its namespace says 'probes'", () => {
    const ports = '7000,8080,8081,8082,9000';
    expect(nodePorts(pod(probed, PROBES))).toEqual([ports, ports]);
    expect(nodePorts(pod(probed), { namespace: PROBES })).toEqual([ports, ports]);
    expect(nodePorts(pod(probed, PROBES), { namespace: { [ANNOTATION]: 'all' } })).toEqual([ports, ports]);
  });

  it('is nothing but the sidecar, where it has no probes', () => {
    expect(nodePorts(pod({}, PROBES))).toEqual(['', '']);
  });

  it('leaves out what the kubelet does not dial in the pod: other hosts, names that the container does not have', () => {
    const containers = [
      { name: 'a', livenessProbe: { httpGet: { host: '10.0.0.9', port: 80 } }, readinessProbe: {} },
      { name: 'b', ports: [{ name: 'x', containerPort: 81 }] },
      { name: 'c', livenessProbe: { tcpSocket: { port: 'x' } }, readinessProbe: { tcpSocket: { port: 0 } } },
      { name: 'd', livenessProbe: null, lifecycle: 'none', ports: 'none' },
    ];
    const parsed = containers.slice(0, 3);
    const namespace = { 'sluice.dev/allow-privileged': 'true' }; // other hosts are more than Pod Security allows
    expect(nodePorts(pod({ containers: parsed }, PROBES), { namespace })).toEqual(['', '']);
  });

  it('may not be more than its namespace says', () => {
    expect(reasons(pod({}, { [ANNOTATION]: 'all' }), { namespace: PROBES })).toEqual([
      expect.stringMatching(/^annotation sluice.dev\/node-traffic is 'all'.*less only/),
    ]);
  });

  for (const value of ['', 'none', 'Probes', 'true'])
    it(`is refused where it is '${value}', at the pod or at its namespace`, () => {
      expect(reasons(pod({}, { [ANNOTATION]: value }))).toEqual([expect.stringContaining(ANNOTATION)]);
      expect(reasons(pod(), { namespace: { [ANNOTATION]: value } })).toEqual([
        expect.stringContaining(`namespace's annotation ${ANNOTATION}`),
      ]);
    });

  it('is refused where it needs more ports than rules are made for', () => {
    const containers = Array.from({ length: NODE_PORTS_MAX + 1 }, (_, index) => ({
      name: `c${index}`,
      livenessProbe: { tcpSocket: { port: 1000 + index } },
    }));
    expect(reasons(pod({ containers }, PROBES))).toEqual([expect.stringContaining('at most 64')]);
  });

  it('is no misspelling', () => {
    expect(decide(pod({}, PROBES))).toMatchObject({ kind: 'injected', warnings: [] });
  });
});
