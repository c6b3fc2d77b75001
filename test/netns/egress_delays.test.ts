/** How soon flows of a pod follow a change of what it may reach. */
import { expect, test } from 'vitest';
import { expectP99Within } from './delays.ts';
import { API, DB, DB_V6, db, expectUntouched, hold, reach, useEgressLab } from './egress_cluster.ts';
import { until, wallClockMs } from './harness.ts';

/** p99 of the cut, from the change to the reset at the app: what the product promises. */
const CUT_P99_MS = 100;

const net = useEgressLab();

/**
 * Changes something while 300 flows run to `address`: all are reset in time, and 300 others go on.
 * @returns how many times that was done
 */
function expectCutInTime(address: string, change: () => void, back: () => Promise<void>): Promise<number> {
  return expectP99Within(CUT_P99_MS, async () => {
    await Promise.all([hold(net, 'cut', 300, address), hold(net, 'kept', 300, API)]);
    const changedAt = wallClockMs();
    change();
    const cut = await net.allOver('shop/front', 'cut');
    expect(cut.every((flow) => flow.state === 'failed')).toBe(true);
    expectUntouched(await net.finish('shop/front', 'kept'));
    await back();
    return cut.map(({ overAt = Number.POSITIVE_INFINITY }) => overAt - changedAt);
  });
}

test('a change of policy ends exactly the live flows that it should, within 100 ms', async () => {
  const both = () => net.apply(reach(['api', 'db']));
  await both();
  await expectCutInTime(DB, () => net.lab.writeObjects(reach(['api'])), both);
});

test("a change of a peer's label ends the flows to it, within 100 ms", async () => {
  await net.apply(reach(['api', 'db']));
  const rename = () => net.lab.writeObjects(db({ app: 'renamed' }));
  const times = await expectCutInTime(DB_V6, rename, () => net.apply(db({ app: 'db' })));
  const cut = await until('all are recorded', async () => {
    const flows = await net.flows('shop/front');
    const found = flows.filter(({ end, dst }) => end === 'policy-changed' && dst.addr === DB_V6);
    return found.length === times * 300 && found;
  });
  expect(cut[0]).toMatchObject({
    direction: 'egress',
    near: [
      { policy: 'shop/front-out', rule: 0, lacks: ['label app=api wanted, peer has app=renamed'] },
      { policy: 'shop/front-out', rule: 1, lacks: ['label app=db wanted, peer has app=renamed'] },
    ],
    was: { policy: 'shop/front-out', rule: 1 },
    dst: { pod: 'db' },
  });
  expect(cut[0]?.was?.revision).toBeLessThan(cut[0]?.revision ?? 0);
  expect(cut[0]).not.toHaveProperty('duration_ms');
  expect(cut[0]?.bytes_recv).toBeGreaterThan(0);
  await net.apply(reach(['api']));
});
