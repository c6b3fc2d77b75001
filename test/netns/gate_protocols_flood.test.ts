/** A flood of SYNs at a gate that resets what it denies. */
import { expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { run } from './command.ts';
import { until, useLab } from './harness.ts';
import { usePackets } from './tools/packets.ts';

const API = ['10.1.1.10', 'fd00:1::10'] as const;

const packets = usePackets();

const net = useLab({
  sidecarEnv: { SLUICE_DENY: 'reset' },
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: API }),
    pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11', 'fd00:1::11'] }),
    allowApps('shop/allow', 'api', ['front']),
  ],
});
const inApi = (...argv: string[]) => run(inNetns(net.lab.netns('shop/api'), argv));

test('a flood with made-up sources does not make the pod answer them all', async () => {
  const table =
    'table inet witness { chain out { type filter hook output priority 0; tcp flags rst counter; }; }';
  await inApi('nft', table);
  const { sent } = await packets.tool.floodSyns(net.lab, 'node/node-1', {
    sources: '198.18.0.0/15',
    address: API[0],
    port: 80,
    rate: 20_000,
    seconds: 1,
  });
  const resets = Number(/packets (\d+)/.exec(await inApi('nft', 'list', 'table', 'inet', 'witness'))?.[1]);
  expect(sent).toBeGreaterThan(5_000);
  expect(resets).toBeGreaterThan(500);
  expect(resets).toBeLessThan(3_500); // 1,000 at once, and 1,000 a second
  await until('those without an answer are counted too', async () => {
    const { body } = await net.admin('shop/api', '/metrics');
    return Number(/^sluice_gate_drops_total\{direction="ingress"\} (\d+)$/m.exec(body)?.[1]) >= sent;
  });
});
