/** What the soak (test/faults/30_soak.test.ts) takes for right, and for a leak. */
import { expect, test } from 'vitest';
import { allowApps, pod, policy } from '../../builders/manifests.ts';
import { Acknowledged } from '../../faults/soak/acknowledged.ts';
import { drift } from '../../faults/soak/drift.ts';
import { rightVerdicts } from '../../faults/soak/oracle.ts';
import { Timeline } from '../../faults/soak/timeline.ts';

const ALLOW = { allow: true, deny: false };
const DENY = { allow: false, deny: true };
const EITHER = { allow: true, deny: true };
const FLOW = { source: '10.1.1.11', destination: '10.1.1.10', protocol: 'TCP', port: 80 };

function timelineOf(): Timeline {
  const timeline = new Timeline();
  timeline.written('api', pod('shop/api', { labels: { app: 'api' }, ips: ['10.1.1.10'] }), 0);
  timeline.written('front', pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11'] }), 0);
  timeline.written('policy', allowApps('shop/allow', 'api', ['front']), 0);
  return timeline;
}

const at = (timeline: Timeline, fromMs: number, toMs: number = fromMs) =>
  rightVerdicts(timeline, FLOW, { fromMs, toMs });

test('either verdict is right from when a change is written until it is in force everywhere', () => {
  const timeline = timelineOf();
  timeline.written('policy', allowApps('shop/allow', 'api', []), 100);
  timeline.inForce(150, 200);
  expect(at(timeline, 50, 99)).toEqual(ALLOW);
  expect(at(timeline, 50, 100)).toEqual(EITHER);
  expect(at(timeline, 200, 300)).toEqual(EITHER);
  expect(at(timeline, 201, 300)).toEqual(DENY);
});

test('a change that was written after the sidecars were asked is not in force yet', () => {
  const timeline = timelineOf();
  timeline.written('policy', undefined, 100);
  timeline.written('policy', allowApps('shop/allow', 'api', []), 160);
  timeline.inForce(150, 200);
  expect(at(timeline, 250)).toEqual(EITHER);
  timeline.inForce(240, 260);
  expect(at(timeline, 270)).toEqual(DENY);
  timeline.forget(265);
  expect(at(timeline, 270)).toEqual(DENY);
});

test('changes of several objects may arrive in any order', () => {
  const timeline = timelineOf();
  // Neither alone denies: the label goes after the policy has come to admit any.
  timeline.written('policy', policy('shop/allow', { podSelector: {}, ingress: [{}] }), 100);
  timeline.written('front', pod('shop/front', { labels: {}, ips: ['10.1.1.11'] }), 110);
  expect(at(timeline, 120)).toEqual(EITHER);
  timeline.inForce(130, 140);
  expect(at(timeline, 150)).toEqual(ALLOW);
});

test('what a program holds may differ by 5 %, up or down, few things by one, and memory by an allowance too', () => {
  const held = (fds: number, rss: number) => new Map([['shop/api', new Map(Object.entries({ fds, rss }))]]);
  const mib = 1024 * 1024;
  expect(drift(held(40, 60 * mib), held(42, 63 * mib), 0)).toEqual([]);
  expect(drift(held(40, 60 * mib), held(43, 64 * mib), 0)).toEqual([
    'shop/api: fds 40 at the baseline, 43 at the end',
    'shop/api: rss 60.0 MiB at the baseline, 64.0 MiB at the end',
  ]);
  expect(drift(held(40, 60 * mib), held(37, 64 * mib), mib)).toEqual([
    'shop/api: fds 40 at the baseline, 37 at the end',
  ]);
  expect(drift(held(5, mib), held(4, mib), 0)).toEqual([]);
  expect(drift(held(5, mib), held(7, mib), 0)).toHaveLength(1);
});

test('a change is in force when each sidecar has acknowledged the revision that has it, or a later one', () => {
  const acknowledged = new Acknowledged(['shop/api', 'shop/front']);
  const report = (...pairs: readonly (readonly [revision: number, enforced: number | null])[]) =>
    new Map(
      pairs.map(([revision, enforced], index) => {
        const pod = ['api', 'front'][index] ?? '';
        return [`shop/${pod}`, { namespace: 'shop', pod, connected: true, revision, enforced, warnings: [] }];
      }),
    );
  expect(acknowledged.take(report([5, 4], [3, 3]), 100)).toBeUndefined();
  expect(acknowledged.take(report([6, 5], [3, 3]), 200)).toBe(100);
  expect(acknowledged.oldestMs).toBe(200);
  // Both of what was awaited, though by now there is more to come.
  expect(acknowledged.take(report([9, 8], [9, 3]), 300)).toBe(200);
  expect(acknowledged.take(report([9, 9], [9, null]), 400)).toBeUndefined();
  expect(acknowledged.take(report([9, 9], [9, 9]), 500)).toBe(500);
});
