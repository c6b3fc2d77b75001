/** What an isolated pod takes from its own node: everything, or what its probes need. */
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { type Manifest, namespace, node, pod, policy } from '../builders/manifests.ts';
import { run } from './command.ts';
import { patience, SILENCE, until, useLab } from './harness.ts';

const ALL = ['10.1.1.10', 'fd00:1::10'] as const;
const PROBED = ['10.1.1.11', 'fd00:1::11'] as const;
const OPEN = ['10.1.1.12', 'fd00:1::12'] as const;
const NODE = ['10.0.0.1', 'fd00:10::1'] as const;
const SIDECAR = join(import.meta.dirname, '../../sidecar/main.ts');
const PORTS = [80, 8080, 'UDP/53'];
const PROBES = { 'sluice.dev/node-traffic': 'probes' };

/** A pod whose readiness is asked on port 80. */
function probed(key: string, spec: Parameters<typeof pod>[1]): Manifest {
  const made = pod(key, { ...spec, ports: PORTS });
  const { containers } = made.spec as { containers: Manifest[] };
  const readinessProbe = { tcpSocket: { port: 80 } };
  return {
    ...made,
    spec: { ...(made.spec as Manifest), containers: [{ ...containers[0], readinessProbe }] },
  };
}

const isolated = (ingress: readonly Manifest[]) =>
  policy('shop/isolated', {
    podSelector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['open'] }] },
    policyTypes: ['Ingress'],
    ingress,
  });

describe('a pod that takes from its node what its probes need', () => {
  const net = useLab({
    objects: [
      node(1),
      namespace('shop'),
      probed('shop/all', { labels: { app: 'all' }, ips: ALL }),
      probed('shop/probed', { labels: { app: 'probed' }, ips: PROBED, annotations: PROBES }),
      probed('shop/open', { labels: { app: 'open' }, ips: OPEN, annotations: PROBES }),
      isolated([]),
    ],
    external: ['198.51.100.7'],
  });
  const reaches = async (from: string, address: string, port: number, expected: boolean) =>
    expect((await net.connect(from, address, port, patience(expected))).allowed, `${address}:${port}`).toBe(
      expected,
    );

  beforeAll(async () => {
    // As kube-proxy does for a NodePort under externalTrafficPolicy: Cluster.
    const dnat = [ALL, PROBED].map(([v4], index) => `tcp dport ${30080 + index} dnat ip to ${v4}:8080`);
    const text = `table inet nodeports {
      chain there { type nat hook prerouting priority dstnat; ${dnat.join('; ')}; }
      chain back { type nat hook postrouting priority srcnat; ct status dnat snat ip to ${NODE[0]}; };
    }`;
    await run(inNetns(net.lab.netns('node/node-1'), ['nft', text]));
  });

  test('its probes pass, and nothing else', async () => {
    for (const address of PROBED) {
      await reaches('node/node-1', address, 80, true);
      await reaches('node/node-1', address, 8080, false);
      expect((await net.datagram('node/node-1', address, 53, SILENCE)).allowed).toBe(false);
    }
    for (const address of ALL) await reaches('node/node-1', address, 8080, true);
  });

  test('a client that the node translates to its own address is denied as well, and has a record', async () => {
    await reaches('outside', NODE[0], 30080, true);
    await reaches('outside', NODE[0], 30081, false);
    const toPort =
      (port: number) =>
      ({ verdict, dst }: Readonly<Record<string, unknown>>) =>
        verdict === 'deny' && (dst as { port?: number }).port === port;
    const record = await until('it is recorded', () => net.sidecarLog('shop/probed').find(toPort(8080)));
    expect(record).toMatchObject({ reason: 'no-rule' });
  });

  test('what it opens to its node is answered', async () => {
    const server = await net.serve('node/node-1', ['TCP/9000', 'UDP/9001']);
    for (const address of NODE) {
      await reaches('shop/probed', address, 9000, true);
      expect((await net.datagram('shop/probed', address, 9001)).allowed).toBe(true);
    }
    server.kill();
  });

  test('a pod that is not isolated takes everything', async () => {
    for (const address of OPEN) await reaches('node/node-1', address, 8080, true);
  });

  test("an ipBlock with the node's address lets it in like anybody, and a change ends that", async () => {
    await net.apply(isolated([{ from: [{ ipBlock: { cidr: `${NODE[0]}/32` } }], ports: [{ port: 8080 }] }]));
    await reaches('node/node-1', PROBED[0], 8080, true);
    await net.open('node/node-1', {
      group: 'held',
      address: PROBED[0],
      port: 8080,
      count: 1,
      work: { kind: 'hold' },
    });
    await net.apply(isolated([]));
    await until('the flow is ended', async () =>
      (await net.report('node/node-1', 'held')).every(({ state }) => state === 'failed'),
    );
    await reaches('node/node-1', PROBED[0], 8080, false);
  });

  test('before the first table the probes pass, and nothing else', async () => {
    await net.lab.stopProcess('shop/probed', 'sidecar', 'SIGKILL');
    const node = ['--node-ips', NODE.join(), '--node-traffic', 'probes', '--node-ports', '80'];
    for (const command of ['remove', 'apply']) {
      const argv = [process.execPath, SIDECAR, 'redirect', command, ...node];
      await run(inNetns(net.lab.netns('shop/probed'), argv));
    }
    await reaches('node/node-1', PROBED[0], 80, true);
    await reaches('node/node-1', PROBED[0], 8080, false);
  });
});
