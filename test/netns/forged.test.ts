/** Sources that are forged, routes that packets bring along, and neighbours that say they are the node. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { run } from './command.ts';
import { SILENCE, type TestLab, until, useLab } from './harness.ts';
import { useForge } from './tools/forge.ts';

const SIDECAR = join(import.meta.dirname, '../../sidecar/main.ts');
const API = ['10.1.1.10', 'fd00:1::10'] as const;
const FRONT = ['10.1.1.11', 'fd00:1::11'] as const;
const EVIL = ['10.1.1.12', 'fd00:1::12'] as const;
const NODE = ['10.0.0.1', 'fd00:10::1'] as const;
const FAMILIES = [
  ['IPv4', 0],
  ['IPv6', 1],
] as const;

/** Long enough for several looks at the neighbours. */
const FLOOD_SECONDS = 12;

const objects = [
  node(1),
  namespace('shop'),
  pod('shop/api', { labels: { app: 'api' }, ips: API, ports: [80, 'UDP/53'] }),
  pod('shop/front', { labels: { app: 'front' }, ips: FRONT }),
  pod('shop/evil', { labels: { app: 'evil' }, ips: EVIL }),
  allowApps('shop/api', 'api', ['front']),
];

const forge = useForge();

const inside = (net: TestLab, target: string, ...argv: string[]) => run(inNetns(net.lab.netns(target), argv));

/** Counts what reaches the input of a namespace, or goes through it: the last word on whether something arrived. */
async function witness(net: TestLab, target: string, match: string): Promise<() => Promise<number>> {
  const rules = `table inet witness { chain in { type filter hook prerouting priority 300; ${match} counter; }; }`;
  await inside(net, target, 'nft', `table inet witness { }; delete table inet witness; ${rules}`);
  return async () =>
    Number(/packets (\d+)/.exec(await inside(net, target, 'nft', 'list', 'table', 'inet', 'witness'))?.[1]);
}

async function linkOf(net: TestLab, target: string, device: string): Promise<string> {
  const [found] = JSON.parse(await inside(net, target, 'ip', '-j', 'link', 'show', device)) as {
    address: string;
  }[];
  return found?.address ?? '';
}

async function dropped(net: TestLab, target: string, reason: string): Promise<number> {
  const { body } = await net.admin(target, '/metrics');
  return Number(
    new RegExp(`^sluice_guard_drops_total\\{reason="${reason}"\\} (\\d+)$`, 'm').exec(body)?.[1] ?? 0,
  );
}

/** Takes the guard out of a pod for as long as its sidecar is stopped: it is then like a pod without a sidecar. */
async function unguard(net: TestLab, target: string): Promise<void> {
  await net.lab.stopProcess(target, 'sidecar', 'SIGKILL');
  await inside(net, target, 'nft', 'flush ruleset');
}

describe('what leaves a pod', () => {
  const net = useLab({ objects });

  test.each(FAMILIES)('%s: a socket cannot send from another address', async (_family, index) => {
    const arrived = await witness(net, 'shop/api', 'udp dport 53');
    for (const source of [FRONT[index], NODE[index]])
      await forge(net.lab.netns('shop/evil'), 'socket', source, API[index], 53);
    await sleep(SILENCE.timeoutMs);
    expect(await arrived()).toBe(0);
    await net.datagram('shop/front', API[index], 53);
    expect(await arrived()).toBe(1);
    await until('it is counted', async () => (await dropped(net, 'shop/evil', 'forged-source')) >= 2);
    const said = net.sidecarLog('shop/evil').find(({ reason }) => reason === 'forged-source');
    expect(said).toMatchObject({ level: 'warn', sources: expect.arrayContaining([expect.any(String)]) });
  });

  test.each(FAMILIES)(
    '%s: a raw frame cannot carry another address, or come from another link',
    async (_family, index) => {
      const arrived = await witness(net, 'shop/api', 'udp dport 53');
      const [own, api, gateway] = [
        await linkOf(net, 'shop/evil', 'eth0'),
        await linkOf(net, 'shop/api', 'eth0'),
        await linkOf(net, 'node/node-1', 'br0'),
      ];
      const before = await dropped(net, 'shop/evil', 'forged-source');
      const netns = net.lab.netns('shop/evil');
      await forge(netns, 'frame', 'eth0', own, api, FRONT[index], API[index], 53);
      await forge(netns, 'frame', 'eth0', gateway, api, NODE[index], API[index], 53);
      await forge(netns, 'frame', 'eth0', own, gateway, FRONT[index], API[index], 53);
      await until(
        'they are counted',
        async () => (await dropped(net, 'shop/evil', 'forged-source')) >= before + 3,
      );
      expect(await arrived()).toBe(0);
    },
  );

  test('neither ARP for others nor router advertisements leave', async () => {
    const arps = async () =>
      JSON.parse(await inside(net, 'shop/api', 'ip', '-j', 'neigh', 'show', NODE[0])) as { lladdr: string }[];
    const before = await dropped(net, 'shop/evil', 'forged-source');
    await net.connect('node/node-1', API[0], 80);
    const known = (await arps())[0]?.lladdr;
    await forge(
      net.lab.netns('shop/evil'),
      'arp',
      'eth0',
      await linkOf(net, 'shop/api', 'eth0'),
      NODE[0],
      API[0],
    );
    await forge(net.lab.netns('shop/evil'), 'advert', 'eth0');
    await until(
      'they are counted',
      async () => (await dropped(net, 'shop/evil', 'forged-source')) >= before + 2,
    );
    expect((await arps())[0]?.lladdr).toBe(known);
  });

  test.each([
    ['4', NODE[1], API[1], 'exthdr rt exists'],
    ['lsrr', NODE[0], API[0], 'ip option lsrr exists'],
  ])('no packet brings a route along: %s', async (type, first, final, match) => {
    const arrived = await witness(net, 'node/node-1', match);
    const before = await dropped(net, 'shop/evil', 'source-route');
    await forge(net.lab.netns('shop/evil'), 'routed', type, first, final, 53);
    await until('it is counted', async () => (await dropped(net, 'shop/evil', 'source-route')) > before);
    expect(await arrived()).toBe(0);
  });
});

describe('what comes to a pod', () => {
  const net = useLab({ objects });
  let evil = '';
  beforeAll(async () => {
    await unguard(net, 'shop/evil');
    evil = net.lab.netns('shop/evil');
  });

  test.each([
    ['4', API[1], API[1]],
    ['lsrr', API[0], API[0]],
  ])('no packet brings a route along: %s', async (type, first, final) => {
    const before = await dropped(net, 'shop/api', 'source-route');
    await forge(net.lab.netns('node/node-1'), 'routed', type, first, final, 53);
    await until('it is counted', async () => (await dropped(net, 'shop/api', 'source-route')) > before);
  });

  test.each(FAMILIES)(
    "%s: the node's address counts only from the node's own link",
    async (_family, index) => {
      const arrived = await witness(net, 'shop/api', 'udp dport 53');
      const before = await dropped(net, 'shop/api', 'forged-node');
      const [own, api] = [await linkOf(net, 'shop/evil', 'eth0'), await linkOf(net, 'shop/api', 'eth0')];
      await forge(evil, 'frame', 'eth0', own, api, NODE[index], API[index], 53);
      await until('it is counted', async () => (await dropped(net, 'shop/api', 'forged-node')) > before);
      expect(await arrived()).toBe(0);
      expect(await net.datagram('node/node-1', API[index], 53)).toMatchObject({ allowed: true });
      const status = JSON.parse((await net.admin('shop/api', '/readyz')).body);
      expect(JSON.stringify(status)).toContain(await linkOf(net, 'node/node-1', 'br0'));
    },
  );

  test('who answers for the node does not become the node while that answers itself', async () => {
    const arrived = await witness(net, 'shop/api', 'udp dport 53');
    const [own, api] = [await linkOf(net, 'shop/evil', 'eth0'), await linkOf(net, 'shop/api', 'eth0')];
    const disputes = async () => {
      await forge(evil, 'arp', 'eth0', api, NODE[0], API[0]);
      await forge(evil, 'frame', 'eth0', own, api, NODE[0], API[0], 53);
      const { body } = await net.admin('shop/api', '/metrics');
      return /^sluice_gateway_disputes_total [1-9]/m.test(body);
    };
    await until('it is noticed', disputes, 30_000);
    expect(await arrived()).toBe(0);
    await until('the node is heard', async () => (await net.datagram('node/node-1', API[0], 53)).allowed);
    expect(await arrived()).toBeGreaterThan(0);
  });

  test.each(FAMILIES)('%s: nor who says so a thousand times a second', async (_family, index) => {
    const arrived = await witness(net, 'shop/api', 'udp dport 53 @th,64,48 0x666f72676564'); // what `forge` sends
    const [own, api] = [await linkOf(net, 'shop/evil', 'eth0'), await linkOf(net, 'shop/api', 'eth0')];
    const flood = forge(evil, 'flood', 'eth0', api, NODE[index], API[index], FLOOD_SECONDS);
    let isOver = false;
    void flood.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      await forge(evil, 'frame', 'eth0', own, api, NODE[index], API[index], 53);
      await sleep(500);
    }
    expect(await flood).toBe(true);
    expect(await arrived()).toBe(0);
    const { guard } = JSON.parse((await net.admin('shop/api', '/readyz')).body);
    expect(guard.own_node).not.toContainEqual(expect.objectContaining({ known_by: own }));
    await until('the node is heard', async () => (await net.datagram('node/node-1', API[index], 53)).allowed);
  });

  test('a router that nobody knew, and a redirect, are not listened to', async () => {
    await inside(net, 'shop/api', 'sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/eth0/accept_ra');
    await forge(evil, 'advert', 'eth0');
    await until('it is counted', async () => (await dropped(net, 'shop/api', 'foreign-router')) > 0);
    expect(await inside(net, 'shop/api', 'ip', '-6', 'route', 'show', 'default')).not.toContain('proto ra');
  });

  test("the node's link may change: its probes pass again within seconds", async () => {
    await inside(net, 'node/node-1', 'ip', 'link', 'set', 'br0', 'address', '02:53:4c:55:49:99');
    for (const address of API)
      await until(
        `the node reaches ${address}`,
        async () => (await net.connect('node/node-1', address, 80, SILENCE)).allowed,
        30_000,
      );
  });
});

describe('the tables of the guard', () => {
  /** What its routes do not say: the node has a second address, and later a third. */
  const nodeWith = (...more: readonly string[]) => ({
    ...node(1),
    status: { addresses: [...NODE, ...more].map((address) => ({ type: 'InternalIP', address })) },
  });
  const net = useLab({
    objects: [...objects.slice(1), nodeWith('10.0.0.201')],
    sidecarEnv: { SLUICE_NODE_IPS: NODE[0] },
  });
  const guardOf = (target: string, family: string) =>
    inside(net, target, 'nft', 'list', 'table', family, 'sluice_guard').catch(() => '');
  const knows = async (address: string) => (await guardOf('shop/api', 'inet')).includes(`${address} `);
  const verify = () =>
    inside(net, 'shop/api', process.execPath, SIDECAR, 'redirect', 'verify', '--node-ips', NODE[0]);
  /** Looks at neighbours, as the guard does now and then, are up to 10 s apart. */
  const BACK_MS = 15_000;

  test.each(['netdev', 'inet'])('come back where somebody has taken them out: %s', async (family) => {
    await until('the sidecar verifies', () => verify().then(() => true), BACK_MS);
    await net.lab.stopProcess('shop/api', 'sidecar', 'SIGSTOP'); // it is quick
    await inside(net, 'shop/api', 'nft', 'delete', 'table', family, 'sluice_guard');
    await expect(verify()).rejects.toMatchObject({
      stderr: expect.stringContaining('REDIRECT_INCOMPLETE: nft: the table'),
    });
    await net.lab.stopProcess('shop/api', 'sidecar', 'SIGCONT');
    await until('it is back', async () => (await guardOf('shop/api', family)).includes(' hook '), BACK_MS);
    await verify();
    const before = await dropped(net, 'shop/api', 'forged-source');
    const arrived = await witness(net, 'shop/front', 'udp dport 53');
    const [own, front] = [await linkOf(net, 'shop/api', 'eth0'), await linkOf(net, 'shop/front', 'eth0')];
    await forge(net.lab.netns('shop/api'), 'frame', 'eth0', own, front, EVIL[0], FRONT[0], 53);
    await forge(net.lab.netns('shop/api'), 'socket', EVIL[0], FRONT[0], 53);
    const counted = async () => (await dropped(net, 'shop/api', 'forged-source')) >= before + 2;
    await until('both are counted', counted);
    expect(await arrived()).toBe(0);
    expect(await knows('10.0.0.201')).toBe(true);
  });

  test('are read whatever packets have put into their counters', async () => {
    // A protocol that /etc/protocols does not name is a number in what nft lists.
    for (const set of ['routed', 'misfit', 'forged', 'steered'])
      await inside(net, 'shop/api', 'nft', 'add', 'element', 'inet', 'sluice_guard', set, '{ 253 }');
    await verify();
    await net.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
    await net.lab.startSidecar('shop/api', { redirect: false });
    await net.lab.waitEnforced();
    await verify();
  });

  test('come back too where only the chains are empty', async () => {
    await inside(net, 'shop/api', 'nft', 'flush', 'chain', 'netdev', 'sluice_guard', 'out');
    const filled = async () => (await guardOf('shop/api', 'netdev')).includes('goto drop_forged');
    await until('it is filled', filled, BACK_MS);
  });

  test('learn an address of the node at once, whatever its neighbours do meanwhile', async () => {
    await unguard(net, 'shop/evil');
    const [own, api] = [await linkOf(net, 'shop/evil', 'eth0'), await linkOf(net, 'shop/api', 'eth0')];
    expect((await net.connect('node/node-1', API[0], 80)).allowed).toBe(true); // its link is known to be right
    // The gateway falls silent, as one does while it restarts.
    await inside(
      net,
      'node/node-1',
      'nft',
      'table arp silent { chain out { type filter hook output priority 0; policy drop; }; }',
    );
    for (let times = 0; times < 25; times += 1) {
      await forge(net.lab.netns('shop/evil'), 'frame', 'eth0', own, api, NODE[0], API[0], 53);
      await sleep(1_000);
    }
    const asked = performance.now();
    const applied = net.apply(nodeWith('10.0.0.201', '10.0.0.202')).catch(() => {}); // one sidecar is not there
    await until('it knows the address', () => knows('10.0.0.202'), 60_000);
    expect(performance.now() - asked).toBeLessThan(6_000);
    // Nor does the end of the sidecar wait for them.
    const ended = performance.now();
    await net.lab.stopProcess('shop/api', 'sidecar', 'SIGTERM');
    expect(performance.now() - ended).toBeLessThan(2_500);
    await applied;
  });
});
