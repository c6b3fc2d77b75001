/** Pods, Namespaces and Nodes are read as far as a verdict needs them. */

import { describe, expect, it } from 'vitest';
import { type Parsed, parseNamespace, parseNode, parsePod } from '../../../../policy/index.ts';
import { accepted } from '../../../builders/api_objects.ts';

function pod(parts: { metadata?: object; spec?: object; status?: object } = {}): unknown {
  return { apiVersion: 'v1', kind: 'Pod', ...parts, metadata: { name: 'web', ...parts.metadata } };
}

function errorsOf(parsed: Parsed<unknown>): string[] {
  return parsed.ok ? [] : parsed.errors.map(({ path, message }) => `${path}: ${message}`);
}

describe('a pod', () => {
  it('has defaults', () => {
    expect(accepted(parsePod(pod()))).toEqual({
      namespace: 'default',
      name: 'web',
      uid: 'default/web',
      labels: {},
      ips: [],
      hostIPs: [],
      hostNetwork: false,
      phase: 'Pending',
      ports: [],
      workload: 'pod/web',
    });
  });

  it('that has an address and no phase runs', () => {
    expect(accepted(parsePod(pod({ status: { podIP: '10.0.0.1' } }))).phase).toBe('Running');
    expect(accepted(parsePod(pod({ status: { podIP: '10.0.0.1', phase: 'Failed' } }))).phase).toBe('Failed');
  });

  it('has canonical addresses, each once', () => {
    const status = {
      podIP: '10.0.0.1',
      podIPs: [{ ip: '::ffff:10.0.0.1' }, { ip: 'FD00::0001' }],
      hostIP: '192.168.0.1',
      hostIPs: [{ ip: '192.168.0.1' }, { ip: 'fc00::1' }],
    };
    expect(accepted(parsePod(pod({ status })))).toMatchObject({
      ips: ['10.0.0.1', 'fd00::1'],
      hostIPs: ['192.168.0.1', 'fc00::1'],
    });
    expect(accepted(parsePod(pod({ status: { podIP: '', podIPs: null, phase: '' } }))).ips).toEqual([]);
  });

  it('has the ports of containers and native sidecars, not of init containers', () => {
    const container = (port: object, more: object = {}) => ({ name: 'c', ports: [port], ...more });
    const spec = {
      containers: [container({ containerPort: 80, name: 'http' }), { name: 'none' }],
      initContainers: [
        container({ containerPort: 81, protocol: 'UDP' }, { restartPolicy: 'Always' }),
        container({ containerPort: 82 }),
      ],
    };
    expect(accepted(parsePod(pod({ spec }))).ports).toEqual([
      { name: 'http', port: 80, protocol: 'TCP' },
      { port: 81, protocol: 'UDP' },
    ]);
  });

  it.each([
    [
      [{ kind: 'ReplicaSet', name: 'web-5d9f8', controller: true }],
      { 'pod-template-hash': '5d9f8' },
      'deploy/web',
    ],
    [[{ kind: 'ReplicaSet', name: 'web-5d9f8' }], {}, 'rs/web-5d9f8'],
    [[{ kind: 'ReplicaSet', name: 'web' }], { 'pod-template-hash': '5d9f8' }, 'rs/web'],
    [[{ kind: 'StatefulSet', name: 'db' }], {}, 'sts/db'],
    [[{ kind: 'DaemonSet', name: 'log' }], {}, 'ds/log'],
    [[{ kind: 'Job', name: 'once' }], {}, 'job/once'],
    [
      [
        { kind: 'Other', name: 'a' },
        { kind: 'Job', name: 'b', controller: true },
      ],
      {},
      'job/b',
    ],
    [[{ kind: 'constructor', name: 'a' }], {}, 'constructor/a'],
    [[], {}, 'pod/web'],
  ])('with owners %j belongs to a workload', (ownerReferences, labels, workload) => {
    expect(accepted(parsePod(pod({ metadata: { ownerReferences, labels } }))).workload).toBe(workload);
  });

  it.each<[unknown, string]>([
    [
      pod({ status: { podIP: '10.0.0.300' } }),
      'status.podIP: Invalid value: "10.0.0.300": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ],
    [
      pod({ status: { podIPs: [{ ip: 'fe80::1%eth0' }] } }),
      'status.podIPs[0].ip: Invalid value: "fe80::1%eth0": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ],
    [
      pod({ status: { phase: 'Gone' } }),
      'status.phase: Unsupported value: "Gone": supported values: "Pending", "Running", "Succeeded", "Failed", "Unknown"',
    ],
    [pod({ spec: { hostNetwork: 'yes' } }), 'spec.hostNetwork: Invalid value: "yes": must be true or false'],
    [
      pod({ spec: { containers: [{ ports: [{ containerPort: 0 }] }] } }),
      'spec.containers[0].ports[0].containerPort: Invalid value: 0: must be between 1 and 65535, inclusive',
    ],
    [
      pod({ spec: { containers: [{ ports: [{ name: 'x' }] }] } }),
      'spec.containers[0].ports[0].containerPort: Required value',
    ],
    [
      pod({ metadata: { creationTimestamp: 'yesterday' } }),
      'metadata.creationTimestamp: Invalid value: "yesterday": must be an RFC 3339 time such as 2024-05-01T12:00:00Z',
    ],
    [
      { ...(pod() as object), kind: 'Deployment' },
      'kind: Unsupported value: "Deployment": supported values: "Pod"',
    ],
  ])('%j is refused', (value, error) => {
    expect(errorsOf(parsePod(value))).toEqual([error]);
  });
});

describe('a namespace', () => {
  it('has its name as a label, whatever it says', () => {
    const labels = { 'kubernetes.io/metadata.name': 'lie', team: 'red' };
    expect(accepted(parseNamespace({ metadata: { name: 'shop', labels } }))).toEqual({
      name: 'shop',
      labels: { 'kubernetes.io/metadata.name': 'shop', team: 'red' },
    });
  });

  it('has a DNS label for a name', () => {
    expect(errorsOf(parseNamespace({ metadata: { name: 'a.b' } }))[0]).toMatch(
      /^metadata.name: Invalid value: "a.b"/,
    );
  });
});

describe('a node', () => {
  it('has addresses, not names', () => {
    const addresses = [
      { type: 'InternalIP', address: '192.168.0.1' },
      { type: 'ExternalIP', address: 'FC00::1' },
      { type: 'Hostname', address: 'node-1' },
      { type: 'InternalDNS', address: 'node-1.local' },
    ];
    expect(accepted(parseNode({ metadata: { name: 'node-1.local' }, status: { addresses } }))).toEqual({
      name: 'node-1.local',
      addresses: ['192.168.0.1', 'fc00::1'],
    });
  });
});
