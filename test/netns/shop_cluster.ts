/** The cluster of the tests of a control plane on Kubernetes: `shop/api`, and its clients `shop/front` and `shop/batch`. */
import { afterAll, beforeAll } from 'vitest';
import type { FlowReport } from '../../lab/agent/protocol.ts';
import { namespace, node, pod } from '../builders/manifests.ts';
import { SILENCE } from './harness.ts';
import { KubernetesLab } from './kubernetes_lab.ts';

/** The address of `shop/api`. */
const API = '10.1.1.10';

/** Allowed or not, as policies have it. */
export const front = pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11'] });
export const batch = pod('shop/batch', { labels: { app: 'batch' }, ips: ['10.1.1.12'] });

const echo = { kind: 'echo', chunkBytes: 512, intervalMs: 200 } as const;

/** The cluster while tests run. */
export interface Shop {
  readonly lab: KubernetesLab;
  /** Whether a connection to the app gets in with its first SYN; `ANSWER` where it has to, sooner or later. */
  reaches(from: string, wait?: typeof SILENCE): Promise<boolean>;
  /** Opens flows to the app, and keeps them. */
  open(from: string, group: string, count: number): Promise<readonly FlowReport[]>;
  /** Waits until every sidecar has the newest table in force. */
  sidecarsEnforce(): Promise<void>;
}

/** Brings the cluster up before the tests, and takes it down after them. */
export function useShop(): Shop {
  let current: KubernetesLab | undefined;
  beforeAll(async () => {
    current = await KubernetesLab.up([
      node(1),
      namespace('shop', { 'sluice.dev/inject': 'enabled' }),
      pod('shop/api', { labels: { app: 'api' }, ips: [API] }),
      front,
      batch,
    ]);
  }, 180_000);
  afterAll(() => current?.close());
  return {
    get lab() {
      if (current === undefined) throw new Error('the lab is up only while tests run');
      return current;
    },
    async reaches(from, wait = SILENCE) {
      return (await this.lab.net.connect(from, API, 80, wait)).allowed;
    },
    open(from, group, count) {
      return this.lab.net.open(from, { group, count, address: API, port: 80, work: echo });
    },
    async sidecarsEnforce() {
      await this.lab.net.lab.waitEnforced();
    },
  };
}
