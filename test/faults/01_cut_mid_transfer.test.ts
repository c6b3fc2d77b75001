/**
 * Given a live allowed flow in mid-transfer, when an edit denies it, then both ends get RST within 100 ms and no later byte
 * arrives; a twin that is still allowed loses none.
 */
import { expect, test } from 'vitest';
import type { FlowSide } from '../../flows/index.ts';
import type { FlowReport } from '../../lab/agent/protocol.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { run } from '../netns/command.ts';
import { expectP99Within } from '../netns/delays.ts';
import { IS_DIRECT, patternSha256, until, useLab, wallClockMs } from '../netns/harness.ts';

const API = '10.1.1.10';
const BATCH = '10.1.1.12';

/** From the edit to the reset at either end. */
const RESET_MS = 100;

/** What the twin receives; still under way when its neighbour is cut. */
const TWIN_BYTES = 64 * 1024 * 1024;

/** Paced by the sender, so that nothing piles up before a reader that would then notice a reset late. */
const PACED = { kind: 'receive', bytes: 1024 ** 3, sentBytesPerSecond: 8_000_000 } as const;

const net = useLab({
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: [API] }),
    pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11'] }),
    pod('shop/batch', { labels: { app: 'batch' }, ips: [BATCH] }),
  ],
});

async function over(group: string): Promise<FlowReport> {
  return until(`${group} is over`, async () => {
    const [flow] = await net.report('shop/batch', group);
    return flow?.overAt === undefined ? undefined : flow;
  });
}

/** When the app saw the flow fail, by the wall clock. */
function failedAtApp(port: number | undefined): Promise<number> {
  return until('the app sees the reset', () => {
    const line = net
      .appLog('shop/api')
      .find(({ msg, peer, peerPort }) => msg === 'failed' && peer === BATCH && peerPort === port);
    return line === undefined ? undefined : Number(line.time);
  });
}

/** Packets that carry a flow, by a counter of the test's own, in a pod. Resets do not count. */
class Carried {
  readonly #pod: string;

  constructor(pod: string) {
    this.#pod = pod;
  }

  async count(match: string): Promise<void> {
    const rules = `add table inet test; add chain inet test seen { type filter hook input priority 100; }; add counter inet test carried; add rule inet test seen ${match} tcp flags & rst == 0 counter name carried`;
    await run(inNetns(net.lab.netns(this.#pod), ['nft', rules]));
  }

  async packets(): Promise<number> {
    const listed = await run(inNetns(net.lab.netns(this.#pod), ['nft', 'list counter inet test carried']));
    return Number(/packets (\d+)/.exec(listed)?.[1]);
  }
}

test('both ends are reset within 100 ms, nothing comes after, and the twin is whole', async () => {
  const [atClient, atApp] = [new Carried('shop/batch'), new Carried('shop/api')];
  await atClient.count(`ip saddr ${API} tcp sport 80`);
  // Bytes on their way to the app: those of the app leg, from the port that the sidecar took, or the client's own.
  await atApp.count(`iif ${IS_DIRECT ? 'eth0' : 'lo'} ip saddr ${BATCH} tcp dport 80`);
  let round = 0;
  await expectP99Within(RESET_MS, async () => {
    round += 1;
    const [down, up, twin] = [`down-${round}`, `up-${round}`, `twin-${round}`];
    await net.apply(allowApps('shop/allow', 'api', ['front', 'batch']));
    const before = net.accepted('shop/api').length;
    await net.open('shop/front', {
      group: twin,
      count: 1,
      address: API,
      port: 80,
      work: { kind: 'receive', bytes: TWIN_BYTES, sentBytesPerSecond: 32_000_000 },
    });
    await net.open('shop/batch', { group: down, count: 1, address: API, port: 80, work: PACED });
    await net.open('shop/batch', {
      group: up,
      count: 1,
      address: API,
      port: 80,
      work: { kind: 'echo', chunkBytes: 16_384, intervalMs: 2 },
    });
    const legs = net
      .accepted('shop/api')
      .slice(before)
      .filter(({ peer }) => peer === BATCH);
    expect(legs).toHaveLength(2);

    const changedAt = wallClockMs();
    net.lab.writeObjects(allowApps('shop/allow', 'api', ['front']));
    const flows = await Promise.all([over(down), over(up)]);
    const atEnds = await Promise.all(legs.map(({ peerPort }) => failedAtApp(peerPort)));
    for (const flow of flows) {
      expect(flow).toMatchObject({ state: 'failed', error: 'ECONNRESET' });
      expect(flow.receivedBytes).toBeGreaterThan(0);
    }
    const carried = await Promise.all([atClient.packets(), atApp.packets()]);

    const [whole] = await net.finish('shop/front', twin);
    expect(whole).toMatchObject({ state: 'ended', receivedBytes: TWIN_BYTES });
    expect(whole?.receivedSha256).toBe(patternSha256(TWIN_BYTES));
    // A second or so later: not one packet more has come for what was cut.
    expect(await Promise.all([atClient.packets(), atApp.packets()])).toEqual(carried);
    return [...flows.map(({ overAt = Number.POSITIVE_INFINITY }) => overAt), ...atEnds].map(
      (at) => at - changedAt,
    );
  });
});

test('its record says why it was cut', async () => {
  const record = await until('the cut is logged', () =>
    net
      .sidecarLog('shop/api')
      .find(({ end, src }) => end === 'policy-changed' && (src as FlowSide | undefined)?.addr === BATCH),
  );
  expect(record).toMatchObject({
    verdict: 'deny',
    src: { pod: 'batch' },
    near: [{ policy: 'shop/allow', lacks: [expect.stringContaining('peer has')] }],
    was: { policy: 'shop/allow', rule: 0, revision: expect.any(Number) },
  });
  expect(record.bytes_sent).toBeGreaterThan(0);
});
