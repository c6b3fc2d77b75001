/**
 * Given a SYN that was accepted just before a deny lands, when the connection to the app completes after it, then it is judged
 * again on establishment and reset.
 */
import { expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { run } from '../netns/command.ts';
import { ofProxy, until, useLab, wallClockMs } from '../netns/harness.ts';

const API = '10.1.1.10';
const BATCH = '10.1.1.12';

/** From the deny to the reset: as for any live flow. */
const RESET_MS = 100;

/** The best round counts, as the machine may be busy. */
const ROUNDS = 5;

/** Connections of a peer that are on their way to the app when the deny lands. */
const FLOWS = 20;

const net = useLab({
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: [API] }),
    pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11'] }),
    pod('shop/batch', { labels: { app: 'batch' }, ips: [BATCH] }),
  ],
});

const nft = (text: string) => run(inNetns(net.lab.netns('shop/api'), ['nft', text]));

/** Keeps what the sidecar dials from the app, until `let go`: its SYNs are repeated and then get through. */
const holdDials = () =>
  nft(
    `add table inet test; add chain inet test held { type filter hook input priority 50; }; add rule inet test held iif lo ip saddr ${BATCH} tcp dport 80 drop`,
  );
const letDialsGo = () => nft('delete table inet test');

const fromBatch = () => net.accepted('shop/api').filter(({ peer }) => peer === BATCH).length;

/** How the proxy has admitted what it dials. */
const ADMITTED = ofProxy<readonly [string, boolean]>(['by the decision', false], ['from memory', true]);

test.each(ADMITTED)(
  'admitted %s: the deny ends what is being dialled, and the app never sees it',
  async (_how, warm) => {
    const delays: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      await net.apply(allowApps('shop/allow', 'api', ['front', 'batch']));
      // A table forgets who was admitted: the first connection after it is decided about, the next ones are not.
      if (warm) expect(await net.connect('shop/batch', API, 80)).toMatchObject({ allowed: true });
      const accepted = fromBatch();
      await holdDials();
      const group = `dialling-${warm}-${round}`;
      const opened = net.open('shop/batch', {
        group,
        count: FLOWS,
        address: API,
        port: 80,
        work: { kind: 'hold' },
      });
      await until('all are being dialled', async () => {
        const live = JSON.parse((await net.admin('shop/api', '/connections')).body) as { state: string }[];
        return live.filter(({ state }) => state === 'dialling').length === FLOWS;
      });

      const changedAt = wallClockMs();
      net.lab.writeObjects(allowApps('shop/allow', 'api', ['front']));
      const flows = await opened; // it answers when each is over, as none gets a byte
      expect(flows.map(({ error }) => error)).toEqual(flows.map(() => 'ECONNRESET'));
      delays.push(Math.max(...flows.map(({ overAt = Number.POSITIVE_INFINITY }) => overAt - changedAt)));

      // From here on a dial would get through: the kernel repeats SYNs after 1 s and 3 s.
      await letDialsGo();
      await until(
        'nothing is live',
        async () => (await net.admin('shop/api', '/connections')).body.trim() === '[]',
      );
      expect(await net.connect('shop/front', API, 80)).toMatchObject({ allowed: true });
      expect(fromBatch()).toBe(accepted);
    }
    console.info(`from the deny to the last reset, ms: ${delays.map((ms) => ms.toFixed()).join(', ')}`);
    expect(Math.min(...delays)).toBeLessThanOrEqual(RESET_MS);
  },
);

test('connections that begin around a deny: what the app has taken is reset, and nothing lives on', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    await net.apply(allowApps('shop/allow', 'api', ['front', 'batch']));
    const group = `around-${round}`;
    // 300 at once take longer to be set up than the deny takes to land among them.
    const opened = net.open('shop/batch', {
      group,
      count: 300,
      address: API,
      port: 80,
      work: { kind: 'echo', chunkBytes: 64, intervalMs: 50 },
    });
    net.lab.writeObjects(allowApps('shop/allow', 'api', ['front']));
    await net.lab.waitEnforced();
    // Who looks at once may see what was open when all had answered: the client itself says what has become of them since.
    // SYNs that the gate dropped are still waiting.
    await until('no flow of the peer is open', async () => {
      const flows = await net.report('shop/batch', group);
      expect(flows.filter(({ state }) => state === 'ended')).toEqual([]);
      return flows.length > 0 && !flows.some(({ state }) => state === 'open');
    });
    await net.agent('shop/batch').ask({ do: 'close', group });
    await opened;
  }
});
