import { describe, expect, test } from 'vitest';
import { allowApps, namespace, node, pod, policy } from '../builders/manifests.ts';
import { ANSWER, IS_DIRECT, ofProxy, SILENCE, until, useLab } from './harness.ts';
import { pathWithoutNft } from './tools/without_nft.ts';

const API = ['10.1.1.10', 'fd00:1::10'] as const;
const FRONT = ['10.1.1.11', 'fd00:1::11'] as const;
const BATCH = ['10.1.2.12', 'fd00:1::12'] as const;
const STRANGER = '203.0.113.7';

/** What a client sends. On the direct path the kernel may count the end of the stream as a byte. */
const HELLO_BYTES = 'hello\n'.length;

const TOOLS = pathWithoutNft();

/** How a denial looks to a client, by the way the sidecar can and should deny; `closed`: on a port on which nobody listens. */
const WAYS = [
  {
    how: 'dropping',
    sidecarEnv: {},
    denied: { allowed: false, connected: false, timedOut: true },
    closed: { allowed: false, connected: false, timedOut: true },
    wait: SILENCE,
  },
  {
    how: 'resetting',
    sidecarEnv: { SLUICE_DENY: 'reset' },
    denied: { allowed: false, connected: false, error: 'ECONNREFUSED' },
    closed: { allowed: false, connected: false, error: 'ECONNREFUSED' },
    wait: ANSWER,
  },
  ...ofProxy({
    how: 'without nft',
    sidecarEnv: { PATH: TOOLS },
    denied: { allowed: false, reset: true },
    // Only the proxy denies, and it gets nothing that nobody listens for.
    closed: { allowed: false, connected: false, error: 'ECONNREFUSED' },
    wait: ANSWER,
  }),
];

describe.each(WAYS)('$how', ({ how, sidecarEnv, denied, closed, wait }) => {
  const net = useLab({
    sidecarEnv,
    external: [STRANGER],
    objects: [
      node(1),
      node(2),
      namespace('shop'),
      namespace('other'),
      pod('shop/api', { labels: { app: 'api' }, ips: API, ports: [80, 8080] }),
      pod('shop/front', { labels: { app: 'front' }, ips: FRONT }),
      pod('other/batch', { labels: { app: 'front' }, ips: BATCH, node: 2 }),
      allowApps('shop/api-allow', 'api', ['front']),
    ],
  });

  test.each(API)('an allowed peer reaches %s, and the app sees the peer itself', async (address) => {
    const result = await net.connect('shop/front', address, 80);
    expect(result).toMatchObject({ allowed: true, seenAddress: address.includes(':') ? FRONT[1] : FRONT[0] });
  });

  test.each(API)('a peer that no rule admits is reset on %s and never reaches the app', async (address) => {
    const before = net.accepted('shop/api').length;
    expect(await net.connect('other/batch', address, 80, wait)).toMatchObject(denied);
    expect(net.accepted('shop/api').length).toBe(before);
  });

  test('every port of the pod is enforced, declared or not', async () => {
    expect(await net.connect('shop/front', API[0], 8080)).toMatchObject({ allowed: true });
    expect(await net.connect('other/batch', API[0], 8080, wait)).toMatchObject(denied);
    expect(await net.connect('other/batch', API[0], 4242, wait)).toMatchObject(closed);
    // Allowed, but nothing listens: the kernel refuses, as without the sidecar.
    expect(await net.connect('shop/front', API[0], 4242)).toMatchObject({
      connected: false,
      error: 'ECONNREFUSED',
    });
  });

  test('an address outside the cluster is judged as such', async () => {
    const stranger = { localAddress: STRANGER };
    const before = await net.connect('outside', API[0], 80, { ...stranger, ...wait });
    expect(before).toMatchObject(denied);
    const block = policy('shop/api-block', {
      podSelector: { matchLabels: { app: 'api' } },
      ingress: [{ from: [{ ipBlock: { cidr: '203.0.113.0/24' } }] }],
    });
    await net.apply(block);
    expect(await net.connect('outside', API[0], 80, stranger)).toMatchObject({
      allowed: true,
      seenAddress: STRANGER,
    });
    await net.delete(block);
  });

  test.each(['127.0.0.1', '::1', ...API])('a pod reaches itself on %s, isolated or not', async (address) => {
    expect(await net.connect('shop/api', address, 80)).toMatchObject({ allowed: true });
  });

  test.each(API)("the pod's own node reaches it on %s, as its probes must", async (address) => {
    const result = await net.connect('node/node-1', address, 80);
    expect(result).toMatchObject({
      allowed: true,
      seenAddress: address.includes(':') ? 'fd00:10::1' : '10.0.0.1',
    });
  });

  test('another node does not', async () => {
    const result = await net.connect('node/node-2', API[0], 80, { localAddress: '10.0.0.2', ...wait });
    expect(result).toMatchObject(denied);
  });

  test.each([
    ['10.1.2.12', 'IPv4'],
    ['fd00:1::12', 'IPv6'],
  ])("an isolated pod's own connections out get their answers (%s)", async (address) => {
    expect(await net.connect('shop/api', address, 80)).toMatchObject({
      allowed: true,
      seenAddress: address.includes(':') ? API[1] : API[0],
    });
  });

  test('a denial is logged and kept with its explanation; so is an allowed flow', async () => {
    await net.connect('other/batch', API[0], 80, wait);
    const before = new Date().toISOString();
    await net.connect('shop/front', API[0], 80);
    // A peer that knocks again gets its next record later: any of its denials by these policies will do.
    const flows = await until('both flows are recorded', async () => {
      const list = await net.flows('shop/api');
      const denial = list.findLast(
        (flow) =>
          flow.verdict === 'deny' &&
          flow.src.addr === BATCH[0] &&
          flow.dst.port === 80 &&
          flow.isolating?.includes('shop/api-block') === false,
      );
      const allowed = list.findLast(
        (flow) => flow.verdict === 'allow' && flow.src.addr === FRONT[0] && flow.time >= before,
      );
      return denial !== undefined && allowed !== undefined && [denial, allowed];
    });
    expect(flows[0]).toMatchObject({
      direction: 'ingress',
      reason: 'no-rule',
      end: how === 'without nft' ? 'refused' : 'dropped',
      isolating: ['shop/api-allow'],
      near: [
        {
          policy: 'shop/api-allow',
          rule: 0,
          lacks: [expect.stringMatching(/^namespace .* wanted, peer is in /)],
        },
      ],
      src: { addr: BATCH[0], namespace: 'other', pod: 'batch' },
      dst: { addr: API[0], port: 80, pod: 'api' },
      mode: 'enforce',
    });
    expect(flows[0]?.explanation).toMatch(
      /^other\/batch -> shop\/api TCP\/80 denied at ingress: isolated by shop\/api-allow; nearest rule api-allow ingress\[0\]: /,
    );
    expect(flows[0]).not.toHaveProperty('policy');
    expect(flows[1]).toMatchObject({
      policy: 'shop/api-allow',
      rule: 0,
      bytes_recv: IS_DIRECT ? expect.toBeOneOf([HELLO_BYTES, HELLO_BYTES + 1]) : HELLO_BYTES,
      bytes_sent: `${FRONT[0]}\n`.length,
      src: { addr: FRONT[0], pod: 'front' },
    });
    const line = await until('the denial is logged', () =>
      net
        .sidecarLog('shop/api')
        .find(({ msg, explanation }) => msg === 'flow denied' && explanation === flows[0]?.explanation),
    );
    expect(line).toMatchObject({ level: 'warn' });
  });

  test('inspection is served to the pod itself only; health and metrics to everybody', async () => {
    const ask = (from: string, path: string) =>
      net.agent(from).ask({ do: 'http', address: API[0], port: 15_021, path });
    for (const path of ['/connections', '/table', '/flows']) {
      expect((await ask('other/batch', path)).status).toBe(403);
      expect((await ask('node/node-1', path)).status).toBe(403);
      expect((await net.admin('shop/api', path)).status).toBe(200);
    }
    expect((await ask('other/batch', '/healthz')).status).toBe(200);
    expect((await ask('other/batch', '/readyz')).status).toBe(200);
    const metrics = (await ask('other/batch', '/metrics')).body;
    expect(metrics).toMatch(
      /sluice_connections_total\{direction="ingress",verdict="deny",reason="no-rule"\} [1-9]/,
    );
    expect(metrics).toMatch(/sluice_policy_verdicts_total\{.*policy="api-allow"\} [1-9]/);
    expect(metrics).toContain('sluice_redirect_intact 1');
  });

  test("the sidecar's own ports lead nowhere", async () => {
    for (const port of [15_006, 15_020, 15_022]) {
      expect(await net.connect('shop/front', API[0], port)).toMatchObject({
        allowed: false,
        timedOut: false,
      });
      expect(await net.connect('other/batch', API[0], port, wait)).toMatchObject(
        port === 15_022 ? denied : closed,
      );
    }
  });

  test('what is not enforced is said: in /readyz, by a metric, in the log', async () => {
    const { gate } = JSON.parse((await net.admin('shop/api', '/readyz')).body) as { gate: { state: string } };
    const metrics = (await net.admin('shop/api', '/metrics')).body;
    const complaints = net
      .sidecarLog('shop/api')
      .filter((line) => String(line.msg).startsWith('there is no gate'));
    const missing = how === 'without nft';
    expect(gate.state).toBe(missing ? 'unavailable' : 'in-force');
    expect(metrics).toContain(`sluice_gate_in_force ${missing ? 0 : 1}`);
    expect(complaints).toHaveLength(missing ? 1 : 0);
  });
});
