/**
 * Ports that bypass the proxy: the gate judges their handshakes, and nobody stands between client and app. They are on the direct
 * path: their flows are recorded, and a change ends them. Where there is no gate, no port bypasses the proxy.
 */
import { describe, expect, test } from 'vitest';
import { toolPath } from '../../lab/processes/tools.ts';
import { allowApps, namespace, node, pod, policy } from '../builders/manifests.ts';
import { SILENCE, type TestLab, until, useLab } from './harness.ts';
import { pathWithoutNft } from './tools/without_nft.ts';

const API = ['10.1.1.10', 'fd00:1::10'] as const;

const LAB = {
  objects: [
    node(1),
    namespace('shop', {}, { 'sluice.dev/allow-excluded-ports': 'true' }),
    pod('shop/api', {
      labels: { app: 'api' },
      ips: API,
      ports: [80, 9090],
      annotations: { 'sluice.dev/excluded-ports': '9090' },
    }),
    pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11', 'fd00:1::11'] }),
    pod('shop/batch', { labels: { app: 'batch' }, ips: ['10.1.1.12', 'fd00:1::12'] }),
    allowApps('shop/allow', 'api', ['front']),
  ],
};

/** The client's port as the client has it, and as the app sees it. */
async function clientPorts(net: TestLab, address: string, port: number) {
  const group = `${address} ${port}`;
  await net.open('shop/front', { group, count: 1, address, port, work: { kind: 'hold' } });
  const [flow] = await net.report('shop/front', group);
  const accepted = net.accepted('shop/api').findLast((one) => one.port === port);
  return { own: flow?.localPort, seen: accepted?.peerPort };
}

describe('with a gate', () => {
  const net = useLab(LAB);

  test.each(API)(
    'an allowed client reaches the app itself there, the proxy elsewhere (%s)',
    async (address) => {
      const excluded = await clientPorts(net, address, 9090);
      expect(excluded.seen).toBe(excluded.own);
      const proxied = await clientPorts(net, address, 80);
      expect(proxied.seen).not.toBe(proxied.own);
    },
  );

  test.each(API)('a denied client gets no handshake there either, and a record (%s)', async (address) => {
    const denied = await net.connect('shop/batch', address, 9090, SILENCE);
    expect(denied).toMatchObject({ connected: false, timedOut: true });
    const record = await until('the denial is recorded', async () => {
      const flows = await net.flows('shop/api');
      return flows.find(
        ({ verdict, dst }) => verdict === 'deny' && dst.port === 9090 && dst.addr === address,
      );
    });
    expect(record).toMatchObject({ end: 'dropped', reason: 'no-rule' });
  });

  test('a change keeps new connections out, of IPv6 too, and ends what is open there', async () => {
    const echo = { kind: 'echo', chunkBytes: 64, intervalMs: 20 } as const;
    for (const port of [80, 9090])
      await net.open('shop/front', { group: `${port}`, count: 1, address: API[0], port, work: echo });
    await net.apply(
      allowApps('shop/allow', 'api', ['batch']),
      policy('shop/silent', { podSelector: { matchLabels: { app: 'api' } }, policyTypes: ['Egress'] }),
    );
    for (const port of [80, 9090]) {
      const over = await until(`the flow to port ${port} is over`, async () =>
        (await net.report('shop/front', `${port}`)).find(({ overAt }) => overAt !== undefined),
      );
      expect(over).toMatchObject({ error: 'ECONNRESET' });
      const record = await until('it is recorded', async () => {
        const flows = await net.flows('shop/api');
        return flows.find(({ src }) => src.port === over.localPort);
      });
      expect(record).toMatchObject({ end: 'policy-changed', verdict: 'deny', dst: { port } });
      expect(record.path).toBe(port === 9090 ? 'direct' : undefined);
    }
    for (const address of API)
      expect(await net.connect('shop/front', address, 9090, SILENCE)).toMatchObject({ connected: false });
    await net.delete(policy('shop/silent', {}));
    await net.apply(allowApps('shop/allow', 'api', ['front']));
  });

  test('the sidecar finds the rules that it looks for', async () => {
    expect((await net.admin('shop/api', '/readyz')).status).toBe(200);
  });
});

describe('without nft', () => {
  const net = useLab({ ...LAB, sidecarEnv: { PATH: pathWithoutNft() } });

  test('the proxy has every port: an allowed client gets through, a denied one is reset', async () => {
    const { own, seen } = await clientPorts(net, API[0], 9090);
    expect(seen).toBeDefined();
    expect(seen).not.toBe(own);
    const denied = await net.connect('shop/batch', API[0], 9090);
    expect(denied).toMatchObject({ allowed: false, reset: true });
    expect((await net.admin('shop/api', '/readyz')).status).toBe(200);
  });

  test('when nft comes later the proxy keeps those ports, and the pod is ready', async () => {
    await net.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
    await net.lab.startSidecar('shop/api', { redirect: false, env: { PATH: toolPath() } });
    const ready = await until('the pod is ready', async () => {
      const answer = await net.admin('shop/api', '/readyz').catch(() => undefined);
      return answer?.status === 200 ? answer.body : undefined;
    });
    expect(ready).toContain('in-force');
    const { own, seen } = await clientPorts(net, API[0], 9090);
    expect(seen).toBeDefined();
    expect(seen).not.toBe(own);
    const denied = await net.connect('shop/batch', API[0], 9090);
    expect(denied).toMatchObject({ connected: false, timedOut: true });
  });
});
