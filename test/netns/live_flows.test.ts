/** Flows that are under way when the table changes, on both paths. */
import { describe, expect, test } from 'vitest';
import type { FlowReport } from '../../lab/agent/protocol.ts';
import { allowApps, namespace, node, pod, policy } from '../builders/manifests.ts';
import { expectP99Within } from './delays.ts';
import { until, useLab, wallClockMs } from './harness.ts';

const API = '10.1.1.10';
const API_V6 = 'fd00:1::10';

/** p99 of the cut of half of 1,000 flows, from the change to the reset at the client, ms: what the product promises, on both paths. */
const CUT_P99_MS = 100;

const front = (labels: Record<string, string>) =>
  pod('shop/front', { labels, ips: ['10.1.1.11', 'fd00:1::11'] });
const team = (labels: Record<string, string>) => namespace('team', labels);

describe.each(['proxy', 'direct'] as const)('%s', (path) => {
  const net = useLab({
    sidecarEnv: { SLUICE_PATH: path },
    objects: [
      node(1),
      namespace('shop'),
      team({ trusted: 'yes' }),
      pod('shop/api', { labels: { app: 'api' }, ips: [API, API_V6] }),
      front({ app: 'front' }),
      pod('shop/batch', { labels: { app: 'batch' }, ips: ['10.1.1.12', 'fd00:1::12'] }),
      pod('team/worker', { labels: { app: 'worker' }, ips: ['10.1.1.13'] }),
    ],
  });

  /** Flows that send and get back bytes until they are finished. */
  const echo = { kind: 'echo', chunkBytes: 512, intervalMs: 200 } as const;

  const open = (from: string, group: string, count: number, address = API) =>
    net.open(from, { group, count, address, port: 80, work: echo });

  function expectUntouched(flows: readonly FlowReport[]): void {
    for (const flow of flows) {
      expect(flow.state).toBe('ended');
      expect(flow.receivedBytes).toBe(flow.sentBytes);
      expect(flow.receivedSha256).toBe(flow.sentSha256);
    }
  }

  test(`of 1,000 flows from two peers, the denied ones are reset within ${CUT_P99_MS} ms, the others untouched`, async () => {
    await net.apply(allowApps('shop/allow', 'api', ['front', 'batch']));
    const times = await expectP99Within(CUT_P99_MS, async () => {
      await Promise.all([open('shop/front', 'kept', 500), open('shop/batch', 'cut', 500)]);
      await until('all are live', async () => {
        const live: unknown[] = JSON.parse((await net.admin('shop/api', '/connections')).body);
        return live.length === 1000;
      });

      const changedAt = wallClockMs();
      net.lab.writeObjects(allowApps('shop/allow', 'api', ['front']));
      const cut = await net.allOver('shop/batch', 'cut');
      expect(cut.map((flow) => flow.error)).toEqual(cut.map(() => 'ECONNRESET'));

      const kept = await net.finish('shop/front', 'kept');
      expect(kept).toHaveLength(500);
      expectUntouched(kept);
      await net.apply(allowApps('shop/allow', 'api', ['front', 'batch']));
      return cut.map(({ overAt = Number.POSITIVE_INFINITY }) => overAt - changedAt);
    });
    const metrics = (await net.admin('shop/api', '/metrics')).body;
    expect(metrics).toContain(`sluice_connections_terminated_total{reason="policy-changed"} ${times * 500}`);
  });

  /** Opens flows from a peer and a bystander, changes something, expects the peer's to be reset and no other. */
  async function expectCut(
    peer: string,
    bystander: string,
    change: () => void,
    address = API,
  ): Promise<void> {
    await Promise.all([open(peer, 'peer', 5, address), open(bystander, 'bystander', 5, address)]);
    change();
    const flows = await net.allOver(peer, 'peer');
    expect(flows.map((flow) => flow.error)).toEqual(flows.map(() => 'ECONNRESET'));
    expectUntouched(await net.finish(bystander, 'bystander'));
  }

  test('a new policy ends the flows of a pod that was not isolated before', async () => {
    await net.delete(allowApps('shop/allow', 'api', []));
    await expectCut('shop/batch', 'shop/front', () =>
      net.lab.writeObjects(allowApps('shop/allow', 'api', ['front'])),
    );
  });

  test('rights do not pass to the new owner of an address, even one that policy allows', async () => {
    const anyNamespace = { namespaceSelector: {}, podSelector: { matchLabels: { app: 'worker' } } };
    const peers = [{ podSelector: { matchLabels: { app: 'front' } } }, anyNamespace];
    const subject = { podSelector: { matchLabels: { app: 'api' } } };
    await net.apply(policy('shop/allow', { ...subject, ingress: [{ from: peers }] }));
    const worker = pod('team/worker', { labels: { app: 'worker' }, ips: ['10.1.1.13'] });
    await expectCut('team/worker', 'shop/front', () => {
      net.lab.removeObjects(worker);
      net.lab.writeObjects(pod('team/successor', { labels: { app: 'worker' }, ips: ['10.1.1.13'] }));
    });
    net.lab.removeObjects(pod('team/successor', { ips: ['10.1.1.13'] }));
    net.lab.writeObjects(worker);
    await net.lab.waitEnforced();
  });
});
