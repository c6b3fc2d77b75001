/** How soon connections of real pods follow what changes in a cluster's API. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { allowApps, type Manifest } from '../builders/manifests.ts';
import { expectP99Within } from './delays.ts';
import { until, wallClockMs } from './harness.ts';
import { useShop } from './shop_cluster.ts';

/** From the API's acknowledgement to what connections see, p99: what the product promises. */
const FOLLOW_P99_MS = 250;

/** How often a connection begins while one waits for a change to show, ms. */
const BEGIN_EVERY_MS = 20;

/** Until then it has to show, ms. */
const SHOWN_MS = 2_000;

/** How often to look whether a single flow is over, ms: its report is short. */
const ONE_FLOW_POLL_MS = 20;

const shop = useShop();

test('200 live connections are reset within 250 ms p99 of the acknowledgement, others go on', async () => {
  await expectP99Within(FOLLOW_P99_MS, async () => {
    await shop.lab.api.apply(allowApps('shop/allow', 'api', ['front', 'batch']));
    await shop.sidecarsEnforce();
    await Promise.all([shop.open('shop/front', 'kept', 50), shop.open('shop/batch', 'cut', 200)]);
    await shop.lab.api.apply(allowApps('shop/allow', 'api', ['front']));
    const acknowledgedAt = wallClockMs();
    const cut = await shop.lab.net.allOver('shop/batch', 'cut');
    expect(cut.map(({ error }) => error)).toEqual(cut.map(() => 'ECONNRESET'));
    const kept = await shop.lab.net.finish('shop/front', 'kept');
    expect(
      kept.every(
        ({ state, sentSha256, receivedSha256 }) => state === 'ended' && sentSha256 === receivedSha256,
      ),
    ).toBe(true);
    return cut.map(({ overAt = Number.POSITIVE_INFINITY }) => overAt - acknowledgedAt);
  });
});

test('of 60 changes in a row each cuts its flow within 250 ms p99 of the acknowledgement', async () => {
  const rounds = await expectP99Within(FOLLOW_P99_MS, () => inTurn(12, flowCutAfter));
  expect(flows).toBe(12 * rounds);
}, 120_000);

test('connections that begin 250 ms after the acknowledgement see the change, p99', async () => {
  await expectP99Within(FOLLOW_P99_MS, () => inTurn(4, seenAfter));
});

/** Lets batch in and keeps front out, then the other way round, and so on. @returns what each change came to */
async function inTurn(
  changes: number,
  follow: (change: Manifest, letIn: string, keptOut: string) => Promise<number>,
): Promise<readonly number[]> {
  const results: number[] = [];
  while (results.length < changes) {
    const [app, other] = results.length % 2 === 0 ? ['batch', 'front'] : ['front', 'batch'];
    results.push(await follow(allowApps('shop/allow', 'api', [app]), `shop/${app}`, `shop/${other}`));
  }
  return results;
}

/** Applies a change. @returns how long after its acknowledgement connections have to begin to see it, ms */
async function seenAfter(change: Manifest, letIn: string, keptOut: string): Promise<number> {
  await shop.lab.api.apply(change);
  const acknowledgedAt = wallClockMs();
  const sinceThen = () => wallClockMs() - acknowledgedAt;
  const begun: { readonly atMs: number; readonly right: Promise<boolean> }[] = [];
  let shown = false;
  // A denial takes a while to show; others begin meanwhile.
  while (!shown && sinceThen() < SHOWN_MS) {
    const atMs = sinceThen();
    const right = Promise.all([shop.reaches(letIn), shop.reaches(keptOut)]).then(([yes, no]) => {
      shown ||= yes && !no;
      return yes && !no;
    });
    begun.push({ atMs, right });
    await delay(BEGIN_EVERY_MS);
  }
  const right = await Promise.all(begun.map((one) => one.right));
  return begun[right.lastIndexOf(false) + 1]?.atMs ?? Number.POSITIVE_INFINITY;
}

let flows = 0;

/** Opens a flow, applies what forbids it, and waits until it is cut. */
async function flowCutAfter(change: Manifest, _letIn: string, from: string): Promise<number> {
  flows += 1;
  const group = `flow-${flows}`;
  await until('the peer is let in', () => shop.reaches(from));
  await shop.open(from, group, 1);
  await shop.lab.api.apply(change);
  const acknowledgedAt = wallClockMs();
  const [flow] = await shop.lab.net.allOver(from, group, ONE_FLOW_POLL_MS);
  return (flow?.overAt ?? Number.POSITIVE_INFINITY) - acknowledgedAt;
}
