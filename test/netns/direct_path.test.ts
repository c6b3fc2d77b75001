/**
 * The direct path: connections that policy allows go straight to the app's own socket. They have records, and end with a change, as
 * those of the proxy.
 */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { FlowRecord } from '../../flows/index.ts';
import { allowApps, namespace, node, pod, policy } from '../builders/manifests.ts';
import { ANSWER, SILENCE, type TestLab, until, useLab } from './harness.ts';
import { pathWithoutNft } from './tools/without_nft.ts';

const API = ['10.1.1.10', 'fd00:1::10'] as const;
const [API_V4] = API;
const BATCH_V4 = '10.1.1.12';

const OBJECTS = [
  node(1),
  namespace('shop'),
  pod('shop/api', { labels: { app: 'api' }, ips: API, ports: [80, 9090] }),
  pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11', 'fd00:1::11'] }),
  pod('shop/batch', { labels: { app: 'batch' }, ips: ['10.1.1.12', 'fd00:1::12'] }),
];
const ALLOW = allowApps('shop/allow', 'api', ['front']);
const ALLOW_BOTH = allowApps('shop/allow', 'api', ['front', 'batch']);

const ECHO = { kind: 'echo', chunkBytes: 64, intervalMs: 20 } as const;

/** What the sidecar says of live connections. */
interface View {
  readonly path: string;
  readonly src: { readonly addr: string; readonly port: number };
  readonly dst: { readonly addr: string; readonly port: number };
  readonly bytes_sent: number;
  readonly bytes_recv: number;
}

async function views(net: TestLab): Promise<readonly View[]> {
  return JSON.parse((await net.admin('shop/api', '/connections')).body) as View[];
}

async function flows(net: TestLab): Promise<readonly FlowRecord[]> {
  return await net.flows('shop/api');
}

/** The record of the flow from a client's port. */
function recordOf(net: TestLab, port: number | undefined, address?: string): Promise<FlowRecord> {
  return until(`the flow from port ${port} is recorded`, async () =>
    (await flows(net)).find(
      ({ src }) => src.port === port && (address === undefined || src.addr === address),
    ),
  );
}

async function metric(net: TestLab, sample: string): Promise<number> {
  const { body } = await net.admin('shop/api', '/metrics');
  const line = body.split('\n').find((one) => one.startsWith(`${sample} `));
  return Number(line?.slice(sample.length + 1));
}

/** Metrics are made at most every 200 ms. */
async function expectOpen(net: TestLab, count: number): Promise<void> {
  const sample = 'sluice_connections_open{direction="ingress",path="direct"}';
  await until(`${count} are open`, async () => (await metric(net, sample)) === count);
}

/** The client's port as the client has it, and as the app sees it. */
async function clientPorts(net: TestLab, address: string, port: number) {
  const group = `ports ${address} ${port}`;
  await net.open('shop/front', { group, count: 1, address, port, work: { kind: 'hold' } });
  const [flow] = await net.report('shop/front', group);
  const accepted = net.accepted('shop/api').findLast((one) => one.port === port);
  await net.resetFlows('shop/front', group);
  return { own: flow?.localPort, seen: accepted?.peerPort, address: accepted?.peer };
}

async function readyz(net: TestLab): Promise<Readonly<Record<string, unknown>>> {
  return JSON.parse((await net.admin('shop/api', '/readyz')).body) as Record<string, unknown>;
}

describe('direct', () => {
  const net = useLab({
    objects: [...OBJECTS, ALLOW],
    sidecarEnv: {
      SLUICE_PATH: 'direct',
      SLUICE_FLOW_HISTORY: '10000',
      SLUICE_FLOW_LOG: 'all',
      SLUICE_DRAIN_SECONDS: '1',
    },
  });

  test.each(API)("the app sees the client's own address and port (%s)", async (address) => {
    const { own, seen, address: peer } = await clientPorts(net, address, 80);
    expect(seen).toBe(own);
    expect(peer).toBe(address === API_V4 ? '10.1.1.11' : 'fd00:1::11');
  });

  test.each(API)('an allowed client gets an answer, a denied one no handshake (%s)', async (address) => {
    expect(await net.connect('shop/front', address, 80)).toMatchObject({ allowed: true });
    const denied = await net.connect('shop/batch', address, 80, SILENCE);
    expect(denied).toMatchObject({ connected: false, timedOut: true });
  });

  test('the path in use is in /readyz, in the metrics and in the log', async () => {
    expect(await readyz(net)).toMatchObject({
      ready: true,
      path: 'direct',
      path_reason: 'set',
      direct_cut: 'at once',
    });
    expect(await metric(net, 'sluice_path_info{path="direct",others="0",reason="set"}')).toBe(1);
    expect(net.sidecarLog('shop/api')).toContainEqual(
      expect.objectContaining({ msg: 'path of connections', path: 'direct' }),
    );
  });

  test.each(API)('a flow is among the live ones, and has one record (%s)', async (address) => {
    const group = `recorded ${address}`;
    const [opened] = await net.open('shop/front', { group, count: 1, address, port: 80, work: ECHO });
    const view = await until('it is among the live ones', async () =>
      (await views(net)).find(({ src }) => src.port === opened?.localPort),
    );
    expect(view).toMatchObject({ path: 'direct', dst: { addr: address, port: 80 } });
    expect(view.bytes_recv).toBeGreaterThan(0);
    await expectOpen(net, 1);
    const [flow] = await net.finish('shop/front', group);
    const record = await recordOf(net, flow?.localPort);
    const sent = flow?.sentBytes ?? 0;
    expect(record).toMatchObject({
      direction: 'ingress',
      verdict: 'allow',
      reason: 'rule',
      policy: 'shop/allow',
      rule: 0,
      end: 'closed',
      path: 'direct',
      src: { pod: 'front', namespace: 'shop' },
      dst: { addr: address, port: 80, pod: 'api' },
      bytes_sent: sent,
      bytes_recv: sent + 'ECHO\n'.length,
    });
    expect(record.duration_ms).toBeGreaterThan(0);
    expect((await flows(net)).filter(({ src }) => src.port === flow?.localPort)).toHaveLength(1);
    await expectOpen(net, 0);
  });

  test('a short connection has a record', async () => {
    const before = (await flows(net)).filter(({ end }) => end !== 'dropped').length;
    for (let i = 0; i < 20; i += 1) await net.connect('shop/front', API_V4, 80);
    const after = await until('all are recorded', async () => {
      const now = (await flows(net)).filter(({ end }) => end !== 'dropped');
      return now.length >= before + 20 && now;
    });
    expect(after).toHaveLength(before + 20);
    await expectOpen(net, 0);
  });

  test('one that the client resets, and one that the app resets, are recorded as reset', async () => {
    const group = 'reset';
    await net.open('shop/front', { group, count: 1, address: API_V4, port: 80, work: ECHO });
    const [flow] = await net.resetFlows('shop/front', group);
    expect(await recordOf(net, flow?.localPort)).toMatchObject({ end: 'reset' });
    const before = (await flows(net)).length;
    const reset = await net.connect('shop/front', API_V4, 80, { send: 'RESET\n' });
    expect(reset).toMatchObject({ connected: true, reset: true });
    const record = await until('the reset of the app is recorded', async () => (await flows(net))[before]);
    expect(record).toMatchObject({ end: 'reset-by-destination', path: 'direct', verdict: 'allow' });
  });

  test.each(API)('a change resets both ends of what it denies, and nothing else (%s)', async (address) => {
    await net.apply(ALLOW_BOTH);
    const [cut, kept] = [`cut ${address}`, `kept ${address}`];
    await net.open('shop/batch', { group: cut, count: 20, address, port: 80, work: ECHO });
    await net.open('shop/front', { group: kept, count: 5, address, port: 80, work: ECHO });
    await net.apply(ALLOW); // is acknowledged when they have ended
    expect((await views(net)).filter(({ src }) => src.addr.endsWith('12'))).toEqual([]);
    const ended = await net.allOver('shop/batch', cut);
    expect(ended.map(({ error }) => error)).toEqual(ended.map(() => 'ECONNRESET'));
    for (const { localPort } of ended) {
      expect(await recordOf(net, localPort)).toMatchObject({
        end: 'policy-changed',
        verdict: 'deny',
        reason: 'no-rule',
        path: 'direct',
        src: { pod: 'batch' },
      });
    }
    const failed = net
      .appLog('shop/api')
      .filter(({ msg, error }) => msg === 'failed' && error === 'ECONNABORTED');
    expect(failed.length).toBeGreaterThanOrEqual(20);
    for (const flow of await net.finish('shop/front', kept))
      expect(flow).toMatchObject({ state: 'ended', receivedBytes: flow.sentBytes });
  });

  test('rights do not pass to the new owner of an address', async () => {
    await net.apply(ALLOW_BOTH);
    await net.open('shop/batch', { group: 'replaced', count: 2, address: API_V4, port: 80, work: ECHO });
    await until('both are live', async () => (await views(net)).length === 2);
    net.lab.removeObjects(pod('shop/batch', { ips: ['10.1.1.12', 'fd00:1::12'] }));
    const successor = pod('shop/successor', { labels: { app: 'batch' }, ips: ['10.1.1.12', 'fd00:1::12'] });
    net.lab.writeObjects(successor);
    const ended = await net.allOver('shop/batch', 'replaced');
    expect(ended.map(({ error }) => error)).toEqual(['ECONNRESET', 'ECONNRESET']);
    expect(await recordOf(net, ended[0]?.localPort, BATCH_V4)).toMatchObject({ end: 'peer-replaced' });
    net.lab.removeObjects(successor);
    net.lab.writeObjects(pod('shop/batch', { labels: { app: 'batch' }, ips: ['10.1.1.12', 'fd00:1::12'] }));
    await net.lab.waitEnforced();
    await net.apply(ALLOW);
  });

  test('what the pod opens itself is left alone, and not recorded as inbound', async () => {
    await net.apply(allowApps('shop/none', 'api', []));
    const server = await net.serve('shop/front', ['TCP/7000']);
    try {
      const group = 'own';
      await net.open('shop/api', { group, count: 2, address: '10.1.1.11', port: 7000, work: ECHO });
      await net.apply(allowApps('shop/allow', 'api', []));
      expect(await views(net)).toEqual([]);
      for (const flow of await net.finish('shop/api', group))
        expect(flow).toMatchObject({ state: 'ended', receivedBytes: flow.sentBytes });
    } finally {
      server.kill();
    }
    await net.apply(ALLOW);
    await net.delete(allowApps('shop/none', 'api', []));
  });

  test('flows outlive the sidecar; the first table after it ends what it must', async () => {
    await net.apply(ALLOW_BOTH);
    await net.open('shop/batch', { group: 'denied', count: 3, address: API_V4, port: 80, work: ECHO });
    await net.open('shop/front', { group: 'allowed', count: 3, address: API_V4, port: 80, work: ECHO });
    await net.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
    expect(await net.connect('shop/front', API_V4, 80)).toMatchObject({ allowed: true });
    net.lab.writeObjects(ALLOW);
    expect((await net.report('shop/batch', 'denied')).every(({ state }) => state === 'open')).toBe(true);
    await net.lab.startSidecar('shop/api', { redirect: false });
    const ended = await net.allOver('shop/batch', 'denied');
    expect(ended.map(({ error }) => error)).toEqual(ended.map(() => 'ECONNRESET'));
    expect(await recordOf(net, ended[0]?.localPort, BATCH_V4)).toMatchObject({ end: 'policy-changed' });
    await net.lab.waitEnforced();
    expect(await views(net)).toHaveLength(3);
    const kept = await net.finish('shop/front', 'allowed');
    for (const flow of kept) expect(flow).toMatchObject({ state: 'ended', receivedBytes: flow.sentBytes });
    expect(await recordOf(net, kept[0]?.localPort)).toMatchObject({ end: 'closed', verdict: 'allow' });
  });

  test('no connection has ended without being known', async () => {
    await expectOpen(net, 0);
    expect(await metric(net, 'sluice_direct_unknown_ends_total')).toBe(0);
  });

  test('a drain lets flows finish, and resets those that are left', async () => {
    await net.open('shop/front', { group: 'left', count: 2, address: API_V4, port: 80, work: ECHO });
    await until('both are live', async () => (await views(net)).length === 2);
    await net.lab.stopProcess('shop/api', 'sidecar', 'SIGTERM');
    const ended = await net.allOver('shop/front', 'left');
    expect(ended.map(({ error }) => error)).toEqual(['ECONNRESET', 'ECONNRESET']);
    const drained = net.sidecarLog('shop/api').filter(({ end }) => end === 'drained');
    expect(drained).toHaveLength(2);
    await net.lab.startSidecar('shop/api', { redirect: false });
    await net.lab.waitEnforced();
  });
});

describe('a port of its own', () => {
  const net = useLab({ objects: [...OBJECTS, ALLOW], sidecarEnv: { SLUICE_PATH: 'direct,9090=proxy' } });

  test('goes through the proxy, the others do not', async () => {
    const direct = await clientPorts(net, API_V4, 80);
    expect(direct.seen).toBe(direct.own);
    const proxied = await clientPorts(net, API_V4, 9090);
    expect(proxied.seen).toBeDefined();
    expect(proxied.seen).not.toBe(proxied.own);
    expect(await readyz(net)).toMatchObject({ ready: true, path: 'direct, but ports 9090' });
  });

  test('a change ends flows on both', async () => {
    await net.apply(ALLOW_BOTH);
    for (const port of [80, 9090])
      await net.open('shop/batch', { group: `${port}`, count: 3, address: API_V4, port, work: ECHO });
    expect((await views(net)).map(({ path }) => path).sort()).toEqual([
      ...Array.from({ length: 3 }, () => 'direct'),
      ...Array.from({ length: 3 }, () => 'proxy'),
    ]);
    await net.apply(ALLOW);
    for (const port of [80, 9090])
      for (const { error } of await net.allOver('shop/batch', `${port}`)) expect(error).toBe('ECONNRESET');
  });
});

describe('auto', () => {
  const net = useLab({ objects: [...OBJECTS, ALLOW], sidecarEnv: { SLUICE_PATH: 'auto' } });

  test('is direct where the kernel can do all of it', async () => {
    expect(await readyz(net)).toMatchObject({ ready: true, path: 'direct', path_reason: 'probed' });
    const { own, seen } = await clientPorts(net, API_V4, 80);
    expect(seen).toBe(own);
  });
});

/** Kernels that lack something. */
const LACKING = {
  destroying: { NODE_OPTIONS: `--require=${join(import.meta.dirname, 'tools/cannot_destroy.cjs')}` },
  nft: { PATH: pathWithoutNft() },
};

describe.each(Object.entries(LACKING))('auto without %s', (_lacking, environment) => {
  const net = useLab({ objects: [...OBJECTS, ALLOW], sidecarEnv: { SLUICE_PATH: 'auto', ...environment } });

  test('is the proxy, and says why', async () => {
    expect(await readyz(net)).toMatchObject({
      ready: true,
      path: 'proxy',
      path_reason: 'fell-back',
      path_problem: expect.stringMatching(/INET_DIAG_DESTROY|gate/),
    });
    const { own, seen } = await clientPorts(net, API_V4, 80);
    expect(seen).toBeDefined();
    expect(seen).not.toBe(own);
    expect(await net.connect('shop/batch', API_V4, 80, { ...SILENCE })).toMatchObject({ allowed: false });
  });

  test('direct is refused by the redirect step, with what to do', async () => {
    net.lab.setSidecarEnv({ SLUICE_PATH: 'direct', ...environment });
    await net.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
    await expect(net.lab.startSidecar('shop/api')).rejects.toThrow(/PATH_UNSUPPORTED.*set it to auto/);
  });
});

describe('silent policy', () => {
  const net = useLab({
    objects: [...OBJECTS, ALLOW_BOTH],
    sidecarEnv: { SLUICE_PATH: 'direct', SLUICE_DENY: 'reset' },
  });

  test('with reset, a denied client is refused at once, and a flow that is cut too', async () => {
    await net.open('shop/batch', { group: 'cut', count: 1, address: API_V4, port: 80, work: ECHO });
    await net.apply(policy('shop/allow', { podSelector: { matchLabels: { app: 'api' } }, ingress: [] }));
    const [cut] = await net.allOver('shop/batch', 'cut');
    expect(cut).toMatchObject({ error: 'ECONNRESET' });
    const denied = await net.connect('shop/batch', API_V4, 80, ANSWER);
    expect(denied).toMatchObject({ connected: false, timedOut: false });
  });
});
