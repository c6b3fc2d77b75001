import { describe, expect, test } from 'vitest';
import { manifestDirectory } from '../../../builders/cli_manifests.ts';
import { runSluice } from '../support/sluice_process.ts';

const PROBES = { 'sluice.dev/node-traffic': 'probes' };

const namespace = (annotations: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'shop', labels: { 'sluice.dev/inject': 'enabled' }, annotations },
});
const service = (name: string, spec: object) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'shop', name },
  spec: { type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }], ...spec },
});
/** Probes ask for port 8080, which is not the one that Services lead to. */
const deployment = (name: string, labels: object, annotations: object = {}, more: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { namespace: 'shop', name },
  spec: {
    template: {
      metadata: { labels, annotations },
      spec: {
        containers: [
          {
            name: 'app',
            image: 'a',
            ports: [{ name: 'http', containerPort: 8000 }],
            readinessProbe: { tcpSocket: { port: 8080 } },
            ...more,
          },
        ],
      },
    },
  },
});
const isolated = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { namespace: 'shop', name: 'none' },
  spec: { podSelector: { matchLabels: { app: 'web' } }, policyTypes: ['Ingress'] },
};
const web = deployment('web', { app: 'web' });

const warnings = async (...objects: readonly object[]) => {
  const { code, stdout } = await runSluice([
    'check',
    '-f',
    manifestDirectory(...(objects as Readonly<Record<string, unknown>>[])),
  ]);
  expect(code).toBe(0);
  return stdout.split('\n').filter((line) => line.startsWith('warning'));
};

describe('sluice check, of Services', () => {
  test.each([
    ['NodePort', {}],
    ['LoadBalancer', { type: 'LoadBalancer' }],
    ['has externalIPs', { type: 'ClusterIP', externalIPs: ['198.51.100.7'] }],
  ])('names one through which outsiders reach isolated pods, with the fix: %s', async (said, spec) => {
    const [line, ...more] = await warnings(namespace(), web, isolated, service('front', spec));
    expect(more).toEqual([]);
    expect(line).toMatch(
      new RegExp(
        `^warning +CK402  service shop/front: ${said}.* outsiders reach deployment shop/web on TCP/8000.*` +
          'externalTrafficPolicy: Local.*sluice.dev/node-traffic=probes$',
      ),
    );
  });

  test.each([
    [
      'keeps the addresses of clients',
      [namespace(), web, isolated, service('s', { externalTrafficPolicy: 'Local' })],
    ],
    ['is of the cluster alone', [namespace(), web, isolated, service('s', { type: 'ClusterIP' })]],
    [
      'leads to no pod of the namespace',
      [namespace(), web, isolated, service('s', { selector: { app: 'x' } })],
    ],
    ['leads to pods that nothing isolates', [namespace(), web, service('s', {})]],
    ['leads to pods that take only what probes need', [namespace(PROBES), web, isolated, service('s', {})]],
    [
      'leads to a pod that asks for that itself',
      [namespace(), deployment('web', { app: 'web' }, PROBES), isolated, service('s', {})],
    ],
  ])('is silent about one that %s', async (_what, objects) => {
    expect(await warnings(...objects)).toEqual([]);
  });

  test.each([
    ['namespace', PROBES, {}],
    ['pod', {}, PROBES],
  ])(
    'names one that leads to the port of the probes, where the %s takes only these',
    async (_, ofNamespace, ofPod) => {
      const probed = deployment('web', { app: 'web' }, ofPod, {
        readinessProbe: { httpGet: { port: 'http' } },
      });
      expect(await warnings(namespace(ofNamespace), probed, isolated, service('s', {}))).toEqual([
        expect.stringMatching(/on TCP\/8000.*Local, or give the probes another port$/),
      ]);
    },
  );
});
