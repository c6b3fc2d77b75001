/** A rule of the pod's own leads connections to another port of the app: on the direct path policy is about the port that clients use. */
import { describe, expect, test } from 'vitest';
import type { FlowRecord } from '../../flows/index.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import { namespace, node, pod, policy } from '../builders/manifests.ts';
import { run } from './command.ts';
import { type TestLab, until, useLab } from './harness.ts';
import { inPod } from './tools/pod_script.ts';

const API = ['10.1.1.10', 'fd00:1::10'] as const;

/** What clients use, and where the app listens. */
const [USED, SERVED] = [8080, 80];

/** Lets pods with these labels in to the port that they use, and to no other. */
const allow = (apps: readonly string[], ports: readonly number[] = [USED]) =>
  policy('shop/allow', {
    podSelector: { matchLabels: { app: 'api' } },
    ingress: [
      {
        from: apps.map((app) => ({ podSelector: { matchLabels: { app } } })),
        ports: ports.map((port) => ({ protocol: 'TCP', port })),
      },
    ],
  });

const CLIENTS = [
  pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11', 'fd00:1::11'] }),
  pod('shop/batch', { labels: { app: 'batch' }, ips: ['10.1.1.12', 'fd00:1::12'] }),
];

/** Has a rule of the pod's own lead connections to where the app listens. */
async function move({ lab }: TestLab, address: string): Promise<void> {
  const tool = address.includes(':') ? 'ip6tables-nft' : 'iptables-nft';
  const rule = ['-p', 'tcp', '--dport', String(USED), '-j', 'REDIRECT', '--to-ports', String(SERVED)];
  const command = (what: string) =>
    inNetns(lab.netns('shop/api'), [tool, '-t', 'nat', what, 'PREROUTING', ...rule]);
  await run(command('-C')).catch(() => run(command('-A')));
}

/** The records of a client's port. */
async function recordsOf(
  net: TestLab,
  address: string,
  port: number | undefined,
): Promise<readonly FlowRecord[]> {
  const flows = await net.flows('shop/api');
  return flows.filter(({ src, dst }) => src.port === port && dst.addr === address);
}

const net = useLab({
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: API, ports: [SERVED] }),
    ...CLIENTS,
    allow(['front', 'batch']),
  ],
  sidecarEnv: { SLUICE_PATH: 'direct' },
});

test.each(API)('its flows are allowed, recorded and ended by that port (%s)', async (address) => {
  await net.apply(allow(['front', 'batch']));
  await move(net, address);
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
      await until('it is recorded', async () => (await recordsOf(net, address, flow?.localPort))[0]),
    ).toMatchObject({ ...record, dst: { port: USED }, path: 'direct' });
});

/** A client's port from which it connects to both ports: on the way in the second one gets another port. */
const TWICE = 40_000;

test.each(
  API.flatMap((address) => ['follows them', 'finds them at its start'].map((how) => ({ address, how }))),
)('both connections from one port of a client end: the sidecar $how ($address)', async ({ address, how }) => {
  await net.apply(allow(['front', 'batch'], [USED, SERVED]));
  await move(net, address);
  const localPort = TWICE + 2 * API.indexOf(address) + Number(how !== 'follows them');
  const client = inPod(
    net,
    'shop/batch',
    `import { connect } from 'node:net';
     for (const port of [${SERVED}, ${USED}])
       await new Promise((resolve) => {
         const socket = connect({ host: '${address}', port, localPort: ${localPort} }, resolve);
         socket.on('error', (error) => console.log(port + ' ' + error.code)).resume();
       });
     console.log('connected');`,
  );
  expect(await client.line()).toBe('connected');
  if (how === 'follows them') await net.apply(allow(['front']));
  else {
    await net.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
    net.lab.writeObjects(allow(['front']));
    await net.lab.startSidecar('shop/api', { redirect: false });
  }
  expect([await client.line(), await client.line()].sort()).toEqual(
    [`${SERVED} ECONNRESET`, `${USED} ECONNRESET`].sort(),
  );
  const records = await until('both are recorded', async () => {
    const found = await recordsOf(net, address, localPort);
    return found.length >= 2 && found;
  });
  expect(records.map(({ dst, end }) => `${dst.port} ${end}`).sort()).toEqual([
    `${SERVED} policy-changed`,
    `${USED} policy-changed`,
  ]);
  await net.lab.waitEnforced();
});

describe('to a port of the proxy', () => {
  const mixed = useLab({
    objects: [
      node(1),
      namespace('shop', {}, { 'sluice.dev/allow-excluded-ports': 'true' }),
      pod('shop/api', {
        labels: { app: 'api' },
        ips: API,
        ports: [SERVED],
        annotations: { 'sluice.dev/excluded-ports': String(USED) },
      }),
      ...CLIENTS,
      allow(['front', 'batch']),
    ],
    sidecarEnv: { SLUICE_PATH: 'proxy' },
  });

  test.each(API)('a sidecar that starts finds and ends those that are denied (%s)', async (address) => {
    await mixed.apply(allow(['front', 'batch']));
    await move(mixed, address);
    const [cut] = await mixed.open('shop/batch', {
      group: address,
      count: 1,
      address,
      port: USED,
      work: { kind: 'echo', chunkBytes: 64, intervalMs: 20 },
    });
    expect(cut).toMatchObject({ state: 'open' });
    await mixed.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
    mixed.lab.writeObjects(allow(['front']));
    await mixed.lab.startSidecar('shop/api', { redirect: false });
    const [ended] = await mixed.allOver('shop/batch', address);
    expect(ended?.error).toBe('ECONNRESET');
    expect(
      await until('it is recorded', async () => (await recordsOf(mixed, address, cut?.localPort))[0]),
    ).toMatchObject({ end: 'policy-changed', verdict: 'deny', dst: { port: USED }, path: 'direct' });
    await mixed.lab.waitEnforced();
  });
});
