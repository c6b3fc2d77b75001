/** A rule of the pod's own leads connections to another port of the app: on the direct path policy is about the port that clients use. */
import { expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import type { FlowRecord } from '../../sidecar/records/flow_record.ts';
import { namespace, node, pod, policy } from '../builders/manifests.ts';
import { run } from './command.ts';
import { until, useLab } from './harness.ts';

const API = ['10.1.1.10', 'fd00:1::10'] as const;

/** What clients use, and where the app listens. */
const [USED, SERVED] = [8080, 80];

/** Lets pods with these labels in to the port that they use, and to no other. */
const allow = (apps: readonly string[]) =>
  policy('shop/allow', {
    podSelector: { matchLabels: { app: 'api' } },
    ingress: [
      {
        from: apps.map((app) => ({ podSelector: { matchLabels: { app } } })),
        ports: [{ protocol: 'TCP', port: USED }],
      },
    ],
  });

const net = useLab({
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: API, ports: [SERVED] }),
    pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11', 'fd00:1::11'] }),
    pod('shop/batch', { labels: { app: 'batch' }, ips: ['10.1.1.12', 'fd00:1::12'] }),
    allow(['front', 'batch']),
  ],
  sidecarEnv: { SLUICE_PATH: 'direct' },
});

test.each(API)('its flows are allowed, recorded and ended by that port (%s)', async (address) => {
  await net.apply(allow(['front', 'batch']));
  const tool = address.includes(':') ? 'ip6tables-nft' : 'iptables-nft';
  const rule = ['-p', 'tcp', '--dport', String(USED), '-j', 'REDIRECT', '--to-ports', String(SERVED)];
  await run(inNetns(net.lab.netns('shop/api'), [tool, '-t', 'nat', '-A', 'PREROUTING', ...rule]));
  const work = { kind: 'echo', chunkBytes: 64, intervalMs: 20 } as const;
  const [kept] = await net.open('shop/front', {
    group: `kept ${address}`,
    count: 1,
    address,
    port: USED,
    work,
  });
  const [cut] = await net.open('shop/batch', {
    group: `cut ${address}`,
    count: 1,
    address,
    port: USED,
    work,
  });
  expect(kept).toMatchObject({ state: 'open' });
  await net.apply(allow(['front']));
  const [ended] = await net.allOver('shop/batch', `cut ${address}`);
  expect(ended?.error).toBe('ECONNRESET');
  const [finished] = await net.finish('shop/front', `kept ${address}`);
  expect(finished).toMatchObject({ state: 'ended', receivedBytes: finished?.sentBytes });
  for (const [flow, record] of [
    [cut, { end: 'policy-changed', verdict: 'deny' }],
    [kept, { end: 'closed', verdict: 'allow' }],
  ] as const)
    expect(
      await until('it is recorded', async () => {
        const flows = JSON.parse((await net.admin('shop/api', '/flows')).body) as FlowRecord[];
        return flows.find(({ src, dst }) => src.port === flow?.localPort && dst.addr === address);
      }),
    ).toMatchObject({ ...record, dst: { port: USED }, path: 'direct' });
});
