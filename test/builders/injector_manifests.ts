/** Manifests of the namespace `shop`, whose pods have their name as their `app` label. */
import type { Manifest } from './manifests.ts';

/** A running pod with an address. */
export function pod(
  name: string,
  ip: string,
  labels: Record<string, string> = {},
  more: Manifest = {},
): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', labels: { app: name, ...labels } },
    spec: {
      nodeName: 'n1',
      containers: [{ name: 'app', image: 'app', ports: [{ containerPort: 80, protocol: 'TCP' }] }],
      ...more,
    },
    status: { phase: 'Running', podIP: ip, podIPs: [{ ip }], hostIP: '192.168.0.1' },
  };
}

/** A policy for pods `app: SUBJECT` that lets pods `app: PEER` in, for each of `peers`. */
export function policy(
  name: string,
  subject: string,
  peers: readonly string[],
  more: Manifest = {},
): Manifest {
  const from = peers.map((peer) => ({ podSelector: { matchLabels: { app: peer } } }));
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace: 'shop' },
    spec: {
      podSelector: { matchLabels: { app: subject } },
      policyTypes: ['Ingress'],
      ingress: peers.length > 0 ? [{ from }] : [],
      ...more,
    },
  };
}
