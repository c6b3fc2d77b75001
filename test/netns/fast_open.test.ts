/**
 * TCP Fast Open: what a client sends with its SYN. The proxy does not offer it. On the direct path an app that does has it as without
 * Sluice, from clients that the gate lets in.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { CONNECTION_PATHS } from '../../common/path.ts';
import type { FlowRecord } from '../../flows/index.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { run } from './command.ts';
import { SILENCE, until, useLab } from './harness.ts';
import { useCompiled } from './tools/compiled.ts';
import { useTalkers } from './tools/talker.ts';

const API = { 4: '10.1.1.10', 6: 'fd00:1::10' } as const;
const FRONT = { 4: '10.1.1.11', 6: 'fd00:1::11' } as const;
const FAMILIES = [4, 6] as const;

const ALLOW = allowApps('shop/allow', 'api', ['front']);
const DENY = allowApps('shop/allow', 'api', []);

/** Both sides do it, without a cookie of an earlier connection. Source: tcp_fastopen in ip-sysctl. */
const WITHOUT_COOKIE = 'net.ipv4.tcp_fastopen=519';

/** A table of the client's own, in which it holds back all but SYNs. */
const HELD = 'inet held-back';

const socket = useCompiled('app_socket');

describe.each(CONNECTION_PATHS)('%s', (path) => {
  const net = useLab({
    sidecarEnv: { SLUICE_PATH: path },
    objects: [
      node(1),
      namespace('shop'),
      pod('shop/api', { labels: { app: 'api' }, ips: Object.values(API) }),
      pod('shop/front', { labels: { app: 'front' }, ips: Object.values(FRONT) }),
      ALLOW,
    ],
  });
  const start = useTalkers(net);
  const isDirect = path === 'direct';
  let port = 7_000;

  const inPod = (name: string, ...argv: readonly string[]) => run(inNetns(net.lab.netns(name), argv));

  /** SYNs that had data which the kernel of the app took. */
  async function taken(): Promise<number> {
    const counters = await inPod('shop/api', 'nstat', '-asz', 'TcpExtTCPFastOpenPassive');
    return Number(/TcpExtTCPFastOpenPassive +(\d+)/.exec(counters)?.[1]);
  }

  /** An app on a port of its own, and a client that sends with its SYN; it says so before anything is sent. */
  async function talk(family: 4 | 6, isSamePort = false) {
    for (const name of ['shop/api', 'shop/front']) await inPod(name, 'sysctl', '-qw', WITHOUT_COOKIE);
    if (!isSamePort) port += 1;
    const any = family === 4 ? '0.0.0.0' : '::';
    const app = start('shop/api', [socket(), 'serve', any, String(port), 'fast-open']);
    await app.said('listening');
    const ends = [FRONT[family], API[family], String(port)];
    const client = start('shop/front', [socket(), 'connect', ...ends, 'fast-open-connect']);
    const clientPort = Number((await client.said('connected')).split(' ')[1]);
    return { app, client, clientPort };
  }

  /** How many connections have ended that the sidecar did not follow. */
  async function unknownEnds(): Promise<number> {
    const { body } = await net.admin('shop/api', '/metrics');
    return Number(/^sluice_direct_unknown_ends_total (\d+)$/m.exec(body)?.[1]);
  }

  async function recordsOf(clientPort: number): Promise<readonly FlowRecord[]> {
    const flows = await net.flows('shop/api');
    return flows.filter(({ src }) => src.port === clientPort);
  }

  test.each(FAMILIES)('IPv%i: a connection is recorded, and ended by a change', async (family) => {
    const before = await taken();
    const { app, client, clientPort } = await talk(family);
    await client.said('echoed');
    expect((await taken()) - before).toBe(isDirect ? 1 : 0);
    await net.apply(DENY);
    await client.said('ECONNRESET');
    await app.said(isDirect ? 'ECONNABORTED' : 'ECONNRESET');
    const [record] = await until('it is recorded', async () => {
      const records = await recordsOf(clientPort);
      return records.length > 0 && records;
    });
    expect(record).toMatchObject({ end: 'policy-changed', verdict: 'deny', bytes_recv: 5 });
    expect(record?.path).toBe(isDirect ? 'direct' : undefined);
    await net.apply(ALLOW);
  });

  test.each(FAMILIES)('IPv%i: what a denied client sends with its SYN reaches nobody', async (family) => {
    await net.apply(DENY);
    const { app, client } = await talk(family);
    await delay(SILENCE.timeoutMs);
    expect([app.lines, client.lines.length]).toEqual([['listening'], 1]);
    await net.apply(ALLOW);
  });

  /** Meanwhile clients complete no handshake. */
  async function withoutHandshakes(work: () => Promise<void>): Promise<void> {
    const rule = 'type filter hook output priority raw; tcp flags & syn == 0 drop;';
    await inPod('shop/front', 'nft', `table ${HELD} { chain output { ${rule} }; }`);
    try {
      await work();
    } finally {
      await inPod('shop/front', 'nft', `delete table ${HELD}`);
    }
  }

  test.each(isDirect ? FAMILIES : [])(
    'IPv%i: a connection whose handshake is not complete has reached the app, and is ended by a change',
    async (family) => {
      await withoutHandshakes(async () => {
        const { app, clientPort } = await talk(family);
        await app.said('from');
        await net.apply(DENY);
        await app.said('ECONNABORTED');
        expect(await recordsOf(clientPort)).toEqual([]);
      });
      await net.apply(ALLOW);
    },
  );

  test.each(isDirect ? FAMILIES : [])(
    'IPv%i: one whose handshake was never complete is counted when it ends by itself',
    async (family) => {
      const known = await talk(family);
      await known.client.said('echoed');
      known.client.kill();
      await until('it is recorded', async () => (await recordsOf(known.clientPort)).length > 0);
      const before = await unknownEnds();
      let clientPort = 0;
      await withoutHandshakes(async () => {
        const again = await talk(family, true);
        clientPort = again.clientPort;
        await again.app.said('from');
        // What the app's kernel sends again is answered with a reset then.
        await inPod('shop/front', 'ss', '-KHt', 'dport', '=', `:${port}`);
      });
      await until('it is counted', async () => (await unknownEnds()) === before + 1);
      expect(await recordsOf(clientPort)).toEqual([]);
    },
  );
});
