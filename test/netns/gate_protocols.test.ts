/** What the gate does with SCTP, with unusual packets, and with protocols that NetworkPolicy does not speak of. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { namespace, node, pod, policy } from '../builders/manifests.ts';
import { run } from './command.ts';
import { ANSWER, type Patience, patience, SILENCE, TestLab, until, useLab } from './harness.ts';
import { usePackets } from './tools/packets.ts';

const API = ['10.1.1.10', 'fd00:1::10'] as const;
const FRONT = ['10.1.1.11', 'fd00:1::11'] as const;
const BATCH = ['10.1.1.12', 'fd00:1::12'] as const;
const SCTP_PORT = 3868;
const SIDECAR = join(import.meta.dirname, '../../sidecar/main.ts');

const packets = usePackets();

const allow = (...apps: string[]) =>
  policy('shop/allow', {
    podSelector: { matchLabels: { app: 'api' } },
    ingress: apps.map((app) => ({
      from: [{ podSelector: { matchLabels: { app } } }],
      ports: [
        { protocol: 'SCTP', port: SCTP_PORT },
        { protocol: 'UDP', port: 53 },
      ],
    })),
  });

const objects = [
  node(1),
  namespace('shop'),
  pod('shop/api', { labels: { app: 'api' }, ips: API, ports: [80, 'UDP/53'] }),
  pod('shop/front', { labels: { app: 'front' }, ips: FRONT }),
  pod('shop/batch', { labels: { app: 'batch' }, ips: BATCH, ports: [80, 'UDP/53'] }),
  allow('front'),
];

describe('SCTP', () => {
  const net = useLab({ objects });
  const expectAnswered = async (from: string, source: string, address: string, answered: boolean) => {
    const to = { source, address, port: SCTP_PORT, ...patience(answered) };
    expect(await packets.tool.probeSctp(net.lab, from, to)).toBe(answered);
  };

  test('passes where a rule allows it, stops when it no longer does, and goes on without the sidecar', async () => {
    await packets.tool.serveSctp(net.lab, 'shop/api', [SCTP_PORT]);
    for (const index of [0, 1] as const) {
      await expectAnswered('shop/front', FRONT[index], API[index], true);
      await expectAnswered('shop/batch', BATCH[index], API[index], false);
    }
    await net.apply(allow('batch'));
    await expectAnswered('shop/front', FRONT[0], API[0], false);
    await expectAnswered('shop/batch', BATCH[0], API[0], true);
    await net.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
    await expectAnswered('shop/front', FRONT[0], API[0], false);
    await expectAnswered('shop/batch', BATCH[0], API[0], true);
  });

  test('answers to what the isolated pod opens pass', async () => {
    await packets.tool.serveSctp(net.lab, 'shop/batch', [SCTP_PORT]);
    await expectAnswered('shop/api', API[0], BATCH[0], true);
  });
});

describe('before the first table', () => {
  const net = useLab({ objects });

  test('no SCTP passes but from the own node', async () => {
    const probe = (from: string, source: string, wait = SILENCE) =>
      packets.tool.probeSctp(net.lab, from, { source, address: API[0], port: SCTP_PORT, ...wait });
    await packets.tool.serveSctp(net.lab, 'shop/api', [SCTP_PORT]);
    await net.lab.stopProcess('shop/api', 'sidecar', 'SIGTERM');
    const redirect = (command: string) => {
      const argv = [process.execPath, SIDECAR, 'redirect', command, '--node-ips', '10.0.0.1,fd00:10::1'];
      return run(inNetns(net.lab.netns('shop/api'), argv));
    };
    await redirect('remove');
    await until('nothing is in the way', () => probe('shop/batch', BATCH[0]));
    await redirect('apply');
    expect(await probe('shop/front', FRONT[0])).toBe(false);
    expect(await probe('shop/batch', BATCH[0])).toBe(false);
    expect(await probe('node/node-1', '10.0.0.1', ANSWER)).toBe(true);
  });
});

describe('unusual packets', () => {
  const net = useLab({ objects });

  test.each([
    ['IPv4 fragments', API[0], 20_000, false],
    ['IPv6 fragments', API[1], 20_000, false],
    ['an IPv6 extension header', API[1], 10, true],
  ] as const)('%s: judged by what they carry', async (_what, address, bytes, options) => {
    const ask = (from: string, wait: Patience) =>
      packets.tool.askUdp(net.lab, from, { address, port: 53, ...wait }, bytes, options);
    expect(await ask('shop/front', ANSWER)).toBe(true);
    expect(await ask('shop/batch', SILENCE)).toBe(false);
  });
});

describe.each([
  ['drop', {}, false],
  ['accept', { SLUICE_OTHER_PROTOCOLS: 'accept' }, true],
] as const)('other protocols: %s', (_how, sidecarEnv, passes) => {
  const net = useLab({ objects, sidecarEnv });
  const expectAnswered = async (from: string, address: string, answered: boolean) => {
    const { timeoutMs } = patience(answered);
    expect(await packets.tool.probeEcho(net.lab, from, address, timeoutMs)).toBe(answered);
  };

  test.each(API)('an echo request to the isolated %s', async (address) => {
    await expectAnswered('shop/front', address, passes);
    await expectAnswered('shop/batch', address, passes);
    await expectAnswered('node/node-1', address, true);
  });

  test('a pod that is not isolated answers, and an isolated one gets its answers', async () => {
    await expectAnswered('shop/front', BATCH[0], true);
    await expectAnswered('shop/api', BATCH[1], true);
  });
});

test('a pod asks by annotation how its denials look; a wrong value names the annotation', async () => {
  const polite = (deny: string) => [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: API, annotations: { 'sluice.dev/deny': deny } }),
    pod('shop/batch', { labels: { app: 'batch' }, ips: BATCH }),
    allow(),
  ];
  const lab = await TestLab.up({ objects: polite('reset') });
  try {
    const refused = await lab.connect('shop/batch', API[0], 80);
    expect(refused).toMatchObject({ connected: false, error: 'ECONNREFUSED' });
  } finally {
    await lab.close();
  }
  await expect(TestLab.up({ objects: polite('shrug') })).rejects.toThrow(
    "pod shop/api: annotation sluice.dev/deny is 'shrug'",
  );
});
