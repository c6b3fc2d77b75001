/** The cluster of the tests of egress: `shop/front` is isolated, and a policy says what it reaches. */
import { expect } from 'vitest';
import type { FlowReport } from '../../lab/agent/protocol.ts';
import { type Manifest, namespace, node, pod, policy } from '../builders/manifests.ts';
import { type TestLab, useLab } from './harness.ts';

/** Addresses of `shop/api`. */
export const API = '10.1.1.10';
export const API_V6 = 'fd00:1::10';

/** Addresses of `shop/db`. */
export const DB = '10.1.2.11';
export const DB_V6 = 'fd00:1::11';

/** Of nobody in the cluster. */
export const WORLD = '203.0.113.7';

/** The egress policy of shop/front: to pods with these `app` labels, and to these rules beside. */
export const reach = (apps: readonly string[], ...more: object[]): Manifest =>
  policy('shop/front-out', {
    podSelector: { matchLabels: { app: 'front' } },
    policyTypes: ['Egress'],
    egress: [...apps.map((app) => ({ to: [{ podSelector: { matchLabels: { app } } }] })), ...more],
  });

/** The pod `shop/db`. */
export const db = (labels: Record<string, string>): Manifest =>
  pod('shop/db', { labels, ips: [DB, DB_V6], node: 2, ports: [80, 'UDP/53', 'web=TCP/8081'] });

/** A lab of this cluster, in which front reaches api only. */
export function useEgressLab(): TestLab {
  return useLab({
    external: [WORLD],
    sidecarEnv: { SLUICE_FLOW_HISTORY: '10000' }, // more than all flows of a file
    objects: [
      node(1),
      node(2),
      namespace('shop'),
      pod('shop/api', { labels: { app: 'api' }, ips: [API, API_V6], ports: [80, 'UDP/53', 'web=TCP/8080'] }),
      db({ app: 'db' }),
      pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.12', 'fd00:1::12'] }),
      pod('shop/free', { labels: { app: 'free' }, ips: ['10.1.1.13'] }),
      reach(['api']),
    ],
  });
}

/** Live, and no load: clients, apps and three sidecars share the processors with what is measured. */
const echo = { kind: 'echo', chunkBytes: 512, intervalMs: 1_000 } as const;

/** Opens flows of `shop/front`, and keeps them. */
export function hold(
  net: TestLab,
  group: string,
  count: number,
  address: string,
): Promise<readonly FlowReport[]> {
  return net.open('shop/front', { group, count, address, port: 80, work: echo });
}

/** All have ended in order, and whole. */
export function expectUntouched(flows: readonly FlowReport[]): void {
  for (const flow of flows) {
    expect(flow).toMatchObject({ state: 'ended' });
    expect(flow.receivedSha256).toBe(flow.sentSha256);
  }
}
