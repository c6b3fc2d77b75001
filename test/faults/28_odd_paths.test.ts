/**
 * Case 28: a path with a small MTU, one that drops large packets without a word, and one that loses and reorders packets.
 * There is no netem in every kernel: losses are a rule of the router between the nodes, and what overtakes is made by a slow class
 * beside a fast one. How fast it is beside HAProxy is in `28_odd_paths_rate.test.ts`.
 */
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { run } from '../netns/command.ts';
import { patternSha256, until, useLab } from '../netns/harness.ts';

const DB = { 4: '10.1.1.10', 6: 'fd00:1::10' } as const;
const CLIENT = { 4: '10.1.2.11', 6: 'fd00:2::11' } as const;
const FAMILIES = [4, 6] as const;

const SMALL_MTU = 1_280;
const GIGABYTE = 1_000_000_000;
const BLACKHOLE_BYTES = 20_000_000;

/** What a packet of SMALL_MTU has room for: less the headers of IP and TCP, and TCP's timestamps. */
const SMALL_MSS = { 4: SMALL_MTU - 20 - 20 - 12, 6: SMALL_MTU - 40 - 20 - 12 } as const;

/** Router between the pods, nearer to the client: not the server's own node. */
const ROUTER = 'node/node-2';
const ROUTER_ADDRESS = 'fd00:99::2';

const net = useLab({
  objects: [
    node(1),
    node(2),
    namespace('shop'),
    pod('shop/db', { labels: { app: 'db' }, ips: Object.values(DB) }),
    pod('shop/web', { labels: { app: 'web' }, ips: Object.values(CLIENT), node: 2 }),
    allowApps('shop/allow', 'db', ['web']),
  ],
});

const inside = (target: string, ...argv: readonly string[]) =>
  run(inNetns(net.lab.netns(target), argv), {}, 300_000);
const nft = (target: string, text: string) => inside(target, 'nft', text);

beforeAll(async () => {
  // A router's errors need an address that is routed.
  await inside(ROUTER, 'ip', 'addr', 'add', `${ROUTER_ADDRESS}/128`, 'dev', 'up0');
});

beforeEach(async () => {
  for (const name of ['hole', 'loss']) await nft(ROUTER, `table inet ${name}; delete table inet ${name}`);
  await inside(ROUTER, 'ip', 'link', 'set', 'br0', 'mtu', '1500');
  await inside(ROUTER, 'tc', 'qdisc', 'del', 'dev', 'br0', 'root').catch(() => {}); // where there is one
  for (const family of ['-4', '-6']) await inside('shop/db', 'ip', family, 'route', 'flush', 'cache');
});

/** Loads so many bytes from the server. */
async function load(address: string, bytes: number): Promise<{ sha256: string; seconds: number }> {
  const text = `
    import { connect } from 'node:net';
    import { createHash } from 'node:crypto';
    const hash = createHash('sha256'), from = performance.now();
    connect({ host: '${address}', port: 80 }, function () { this.write('SEND ${bytes}\\n'); })
      .on('data', (chunk) => hash.update(chunk))
      .on('error', ({ code }) => { console.log(JSON.stringify({ sha256: code })); process.exit(); })
      .on('end', () => {
        console.log(JSON.stringify({ sha256: hash.digest('hex'), seconds: (performance.now() - from) / 1000 }));
        process.exit();
      });`;
  return JSON.parse(await inside('shop/web', process.execPath, '--input-type=module', '-e', text));
}

/** Bytes of a full segment to a client, as the kernel of the server's pod has them; the leg to the app has larger ones. */
async function segmentSize(client: string): Promise<number> {
  const filter = ['state', 'established', 'sport', '=', ':80', 'dst', `[${client}]`];
  const sockets = await inside('shop/db', 'ss', '-Htino', ...filter);
  return Math.min(...Array.from(sockets.matchAll(/\bmss:(\d+)/g), ([, mss]) => Number(mss)));
}

/** Sends so many bytes to the server, which answers with their digest. */
async function send(address: string, megabytes: number): Promise<string> {
  const text = `
    import { connect } from 'node:net';
    const socket = connect({ host: '${address}', port: 80, allowHalfOpen: true }, async () => {
      socket.write('SINK\\n');
      const block = Buffer.alloc(1e6, 'x');
      for (let i = 0; i < ${megabytes}; i += 1)
        if (!socket.write(block)) await new Promise((resolve) => socket.once('drain', resolve));
      socket.end();
    });
    let said = '';
    socket.on('data', (chunk) => { said += chunk; }).on('end', () => { console.log(said); process.exit(); });
    socket.on('error', ({ code }) => { console.log(code); process.exit(); });`;
  return (await inside('shop/web', process.execPath, '--input-type=module', '-e', text)).trim();
}

test.each(FAMILIES)(
  'IPv%i: 1 GB over a path whose MTU is smaller than both ends know',
  async (family) => {
    await inside(ROUTER, 'ip', 'link', 'set', 'br0', 'mtu', String(SMALL_MTU));
    const loading = load(DB[family], GIGABYTE);
    const mss = await until("the sidecar's socket has learned it", async () => {
      const sent = await segmentSize(CLIENT[family]);
      return sent <= SMALL_MSS[family] ? sent : undefined;
    });
    const { sha256, seconds } = await loading;
    expect(mss).toBe(SMALL_MSS[family]);
    expect(sha256).toBe(patternSha256(GIGABYTE));
    console.info(`IPv${family}, MTU ${SMALL_MTU}: ${((GIGABYTE * 8) / seconds / 1e9).toFixed(2)} Gb/s`);
    const route = await inside('shop/db', 'ip', 'route', 'get', CLIENT[family]);
    expect(route).toContain(`mtu ${SMALL_MTU}`);
  },
  400_000,
);

test.each(FAMILIES)(
  'IPv%i: a path that drops what is large without a word',
  async (family) => {
    await inside(ROUTER, 'ip', 'link', 'set', 'br0', 'mtu', String(SMALL_MTU));
    await nft(
      ROUTER,
      'table inet hole { chain out { type filter hook output priority 0; icmp type destination-unreachable drop; icmpv6 type packet-too-big drop; }; }',
    );
    const { sha256 } = await load(DB[family], BLACKHOLE_BYTES);
    expect(sha256).toBe(patternSha256(BLACKHOLE_BYTES));
  },
  200_000,
);

test.each(FAMILIES)(
  'IPv%i: one packet of a hundred is lost, others overtake each other',
  async (family) => {
    await inside(ROUTER, 'ip', 'link', 'set', 'br0', 'mtu', String(SMALL_MTU));
    // Either way the router forwards; a slow class of its own is what some packets wait in.
    for (const text of [
      'qdisc add dev br0 root handle 1: htb default 1',
      'class add dev br0 parent 1: classid 1:1 htb rate 10gbit',
      'class add dev br0 parent 1: classid 1:2 htb rate 100mbit',
    ])
      await inside(ROUTER, 'tc', ...text.split(' '));
    await nft(
      ROUTER,
      `table inet loss { chain forward {
         type filter hook forward priority 0
         numgen random mod 100 == 0 drop
         numgen random mod 50 == 0 meta priority set 1:2
       }; }`,
    );
    const { sha256 } = await load(DB[family], GIGABYTE);
    expect(sha256).toBe(patternSha256(GIGABYTE));
    expect(await send(DB[family], 1_000)).toMatch(/^1000000000 [0-9a-f]{64}$/);
  },
  400_000,
);
