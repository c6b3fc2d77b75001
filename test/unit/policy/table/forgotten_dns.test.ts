/** Egress isolation that leaves out DNS. */

import { describe, expect, it } from 'vitest';
import { createCompiler, createEvaluator, dnsForgottenBy } from '../../../../policy/index.ts';
import {
  type ApiCluster,
  type ApiRule,
  apiEndpointSlice,
  apiNamespace,
  apiPod,
  apiPolicy,
  apiService,
  readCluster,
} from '../../../builders/api_objects.ts';

const SERVERS: ApiCluster = {
  namespaces: [apiNamespace('kube-system', { team: 'platform' }), apiNamespace('a')],
  pods: [
    apiPod('kube-system/coredns-1', {
      labels: { 'k8s-app': 'kube-dns' },
      ips: ['10.244.0.2'],
      ports: [{ name: 'dns', containerPort: 53, protocol: 'UDP' }],
    }),
  ],
  services: [
    apiService('kube-system/kube-dns', ['10.96.0.10'], [{ name: 'dns', port: 53, protocol: 'UDP' }]),
  ],
  endpointSlices: [
    apiEndpointSlice(
      'kube-system/kube-dns-1',
      'kube-dns',
      [{ name: 'dns', port: 53, protocol: 'UDP' }],
      ['10.244.0.2'],
    ),
  ],
};

/** What is said of pod a/x, whose egress these rules are all of; the table and the compiler must say the same. */
function said(rules: readonly ApiRule[], others: ApiCluster = {}): string | undefined {
  const compiler = createCompiler(
    readCluster({
      ...others,
      pods: [apiPod('a/x', { ips: ['10.244.1.1'] }), ...(others.pods ?? [])],
      policies: [apiPolicy('a/out', { podSelector: {}, policyTypes: ['Egress'], egress: rules })],
    }),
  );
  const text = compiler.forgottenDns('a/x');
  expect(dnsForgottenBy(compiler.compile('a/x', 1))).toBe(text);
  return text;
}

describe('where the cluster’s name servers are known', () => {
  const TEXT =
    'egress is isolated by a/out, and no rule admits DNS, which is kube-system/kube-dns (10.244.0.2 UDP/53): names do not resolve';

  it.each<[string, ApiRule]>([
    ['everything to pods of the own namespace', { to: [{ podSelector: {} }] }],
    [
      'UDP/53 to pods of the own namespace',
      { to: [{ podSelector: {} }], ports: [{ protocol: 'UDP', port: 53 }] },
    ],
    ['TCP/53 alone', { ports: [{ port: 53 }] }],
    ['UDP of other ports', { ports: [{ protocol: 'UDP', port: 123 }] }],
    ['everything outside the cluster', { to: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] } }] }],
    [
      'UDP/53 to the virtual address, which policy never sees',
      { to: [{ ipBlock: { cidr: '10.96.0.10/32' } }], ports: [{ protocol: 'UDP', port: 53 }] },
    ],
    [
      'a port by a name that the server does not have',
      { to: [{ namespaceSelector: {} }], ports: [{ protocol: 'UDP', port: 'domain' }] },
    ],
    [
      'pods with the right label in the wrong namespace',
      { to: [{ podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }] },
    ],
  ])('says that %s is not enough', (_, rule) => {
    expect(said([rule], SERVERS)).toBe(TEXT);
  });

  it.each<[string, ApiRule]>([
    ['everything', {}],
    ['UDP/53 to anybody', { ports: [{ protocol: 'UDP', port: 53 }] }],
    ['all pods', { to: [{ namespaceSelector: {} }] }],
    [
      'their namespace by its label',
      {
        to: [{ namespaceSelector: { matchLabels: { team: 'platform' } } }],
        ports: [{ protocol: 'UDP', port: 53 }],
      },
    ],
    [
      'their port by its name',
      { to: [{ namespaceSelector: {} }], ports: [{ protocol: 'UDP', port: 'dns' }] },
    ],
    ['a block that has their addresses', { to: [{ ipBlock: { cidr: '10.244.0.0/16' } }] }],
    [
      'UDP/53 of a name server outside the cluster, or on the node',
      { to: [{ ipBlock: { cidr: '169.254.20.10/32' } }], ports: [{ protocol: 'UDP', port: 53 }] },
    ],
  ])('is silent about %s', (_, rule) => {
    expect(said([rule], SERVERS)).toBeUndefined();
  });

  it.each([[[]], [[{ to: [{ podSelector: {} }] }]], [[{ to: [{ namespaceSelector: {} }] }]]])(
    'agrees with the verdict about the server itself: %j',
    (rules) => {
      const cluster = readCluster({
        ...SERVERS,
        pods: [apiPod('a/x', { ips: ['10.244.1.1'] }), ...(SERVERS.pods ?? [])],
        policies: [apiPolicy('a/out', { podSelector: {}, policyTypes: ['Egress'], egress: rules })],
      });
      const pod = (key: string) => {
        const found = cluster.pods.get(key);
        if (found === undefined) throw new Error(key);
        return { kind: 'pod', pod: found } as const;
      };
      const flow = {
        source: pod('a/x'),
        destination: pod('kube-system/coredns-1'),
        protocol: 'UDP',
        port: 53,
      } as const;
      const { egress } = createEvaluator(cluster).evaluate(flow);
      expect(said(rules, SERVERS) === undefined).toBe(egress.verdict === 'allow');
    },
  );

  it('judges by the port that the servers listen on', () => {
    const onAnother: ApiCluster = {
      ...SERVERS,
      services: [
        apiService(
          'openshift-dns/dns-default',
          ['172.30.0.10'],
          [{ name: 'dns', port: 53, protocol: 'UDP' }],
        ),
      ],
      endpointSlices: [
        apiEndpointSlice(
          'openshift-dns/dns-default-1',
          'dns-default',
          [{ name: 'dns', port: 5353, protocol: 'UDP' }],
          ['10.244.0.2'],
        ),
      ],
    };
    const to = [{ namespaceSelector: {} }];
    expect(said([{ to, ports: [{ protocol: 'UDP', port: 53 }] }], onAnother)).toContain(
      'openshift-dns/dns-default (10.244.0.2 UDP/5353)',
    );
    expect(said([{ to, ports: [{ protocol: 'UDP', port: 5353 }] }], onAnother)).toBeUndefined();
  });

  it('does not take another Service on UDP/53 for the cluster’s, unless there is no other', () => {
    const dnsmasq: ApiCluster = {
      ...SERVERS,
      pods: [...(SERVERS.pods ?? []), apiPod('a/dnsmasq', { ips: ['10.244.1.9'] })],
      services: [apiService('a/dnsmasq', ['10.96.0.99'], [{ port: 53, protocol: 'UDP' }])],
      endpointSlices: [
        apiEndpointSlice('a/dnsmasq-1', 'dnsmasq', [{ port: 53, protocol: 'UDP' }], ['10.244.1.9']),
      ],
    };
    const both: ApiCluster = {
      ...dnsmasq,
      services: [...(SERVERS.services ?? []), ...(dnsmasq.services ?? [])],
      endpointSlices: [...(SERVERS.endpointSlices ?? []), ...(dnsmasq.endpointSlices ?? [])],
    };
    const own: ApiRule = { to: [{ podSelector: {} }] };
    expect(said([own], dnsmasq)).toBeUndefined();
    expect(said([own], both)).toBe(TEXT);
  });
});

describe('where they are not', () => {
  it('names the pod and the policies when no rule admits UDP/53 to anybody', () => {
    const text = 'egress is isolated by a/out, and no rule admits DNS (UDP/53): names do not resolve';
    expect(said([])).toBe(text);
    expect(said([{ ports: [{ port: 443 }] }])).toBe(text);
    expect(said([{ ports: [{ port: 53 }] }])).toBe(text); // TCP only
  });

  it.each([
    [{}],
    [{ ports: [{ protocol: 'UDP' }] }],
    [{ ports: [{ protocol: 'UDP', port: 53 }] }],
    [{ ports: [{ protocol: 'UDP', port: 50, endPort: 60 }] }],
    [{ ports: [{ protocol: 'UDP', port: 'dns' }] }],
  ])('is silent about a rule that may admit it: %j', (rule) => {
    expect(said([rule])).toBeUndefined();
  });
});

it('is silent about a pod that is not isolated for egress, and about one that is not there', () => {
  const compiler = createCompiler(readCluster({ ...SERVERS, pods: [apiPod('a/x', { ips: ['10.0.0.1'] })] }));
  expect(compiler.forgottenDns('a/x')).toBeUndefined();
  expect(compiler.forgottenDns('a/y')).toBeUndefined();
});
