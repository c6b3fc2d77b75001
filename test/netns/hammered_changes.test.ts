/** A peer connects all the time while the policy that allows it comes and goes: no connection of it outlives the change that denies it. */
import { describe, expect, test } from 'vitest';
import { CONNECTION_PATHS } from '../../common/path.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { run } from './command.ts';
import { until, useLab } from './harness.ts';

const API = { IPv4: '10.1.1.10', IPv6: 'fd00:1::10' } as const;
const BATCH = { IPv4: '10.1.1.12', IPv6: 'fd00:1::12' } as const;

const ALLOW = allowApps('shop/allow', 'api', ['front']);
const ALLOW_BOTH = allowApps('shop/allow', 'api', ['front', 'batch']);

/** Of each path and family. The whole of it is 100,000 connects over 500 changes. */
const CHANGES = Number(process.env.SLUICE_HAMMER_CHANGES ?? 8);
const CONNECTS = Number(process.env.SLUICE_HAMMER_CONNECTS ?? 1_600);

/** Ten times what a quiet machine needs, ms: for the lab, for each change, and for each connect. */
const TIMEOUT_MS = 120_000 + CHANGES * 2_000 + CONNECTS * 5;

const ECHO = { kind: 'echo', chunkBytes: 64, intervalMs: 20 } as const;

/** What the sidecar says of a connection. */
interface View {
  readonly state: string;
  readonly src: { readonly addr: string };
}

describe.each(CONNECTION_PATHS)('%s', (path) => {
  const net = useLab({
    objects: [
      node(1),
      namespace('shop'),
      pod('shop/api', { labels: { app: 'api' }, ips: Object.values(API), ports: [80] }),
      pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11', 'fd00:1::11'] }),
      pod('shop/batch', { labels: { app: 'batch' }, ips: Object.values(BATCH) }),
      ALLOW,
    ],
    sidecarEnv: { SLUICE_PATH: path },
  });

  /** What the sidecar says of the connections that a client has. */
  async function viewsOf(client: string): Promise<readonly View[]> {
    const views: View[] = JSON.parse((await net.admin('shop/api', '/connections')).body);
    return views.filter(({ src }) => src.addr === client);
  }

  /** The connections that the app has, as the pod's kernel lists them, for people: of the proxy those that the sidecar has made. */
  function ofApp(): Promise<string> {
    const own = path === 'direct' ? 'sport' : 'dport';
    return run(inNetns(net.lab.netns('shop/api'), ['ss', '-HtnO', 'state', 'established', own, '=', ':80']));
  }

  /** How many connections changes have ended; none is counted before the first. */
  async function cutByChange(): Promise<number> {
    const { body } = await net.admin('shop/api', '/metrics');
    const count = /^sluice_connections_terminated_total\{reason="policy-changed"\} (\d+)$/m.exec(body)?.[1];
    return Number(count ?? 0);
  }

  test.each(['IPv4', 'IPv6'] as const)(
    'no flow of a denied peer outlives a change, however many connect meanwhile (%s)',
    async (family) => {
      const each = Math.ceil(CONNECTS / CHANGES);
      const cutBefore = await cutByChange();
      const met = { cut: 0, dropped: 0, late: 0 };
      for (let change = 0; change < CHANGES; change += 1) {
        await net.apply(ALLOW_BOTH);
        const group = `hammer ${family} ${change}`;
        // They go on connecting while the table changes: those that are dropped try again, and get in with none.
        const hold = { group, count: each, address: API[family], port: 80, work: ECHO };
        const hammering = net.open('shop/batch', hold);
        await net.apply(ALLOW);
        const views = await viewsOf(BATCH[family]);
        expect(await ofApp()).not.toContain(BATCH[family]);
        // What waited for the proxy in the kernel, with its handshake complete, is refused when it comes to that.
        const late = path === 'proxy' ? views.filter(({ state }) => state === 'ending') : [];
        expect(views).toEqual(late);
        met.late += late.length;
        const flows = await until('none is open', async () => {
          const now = await net.report('shop/batch', group);
          return now.every(({ state }) => state !== 'open') && now;
        });
        for (const { state, error } of flows) {
          if (state === 'connecting') met.dropped += 1;
          else if (error === 'ECONNRESET') met.cut += 1;
        }
        // None has ended in another way.
        expect(met.cut + met.dropped).toBe((change + 1) * each);
        await net.agent('shop/batch').ask({ do: 'close', group });
        await hammering.catch(() => undefined);
      }
      const { cut, dropped, late } = met;
      console.info(
        `over ${CHANGES} changes ${cut} connects were cut (${late} late), ${dropped} got no handshake`,
      );
      await until('none is live', async () => (await viewsOf(BATCH[family])).length === 0);
      // Some got in, and the sidecar has cut them: else nothing was tried.
      expect(met.cut).toBeGreaterThan(0);
      await until('they are counted', async () => (await cutByChange()) > cutBefore);
    },
    TIMEOUT_MS,
  );
});
