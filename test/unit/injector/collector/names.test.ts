import { beforeEach, expect, test } from 'vitest';
import { blockOf, Names } from '../../../../injector/collector/naming/names.ts';
import { lastingWorkload } from '../../../../injector/collector/naming/workload.ts';
import type { Pod } from '../../../../policy/index.ts';

/** A time, and a minute, ms. */
const T = 1_800_000_000_000;
const MINUTE_MS = 60_000;

let names: Names;
beforeEach(() => {
  names = new Names();
});

function podOf(name: string, ip: string, rest: Partial<Pod> = {}): Pod {
  return {
    namespace: 'shop',
    name,
    uid: `uid of ${name}`,
    labels: {},
    ips: [ip],
    hostIPs: ['192.0.2.1'],
    hostNetwork: false,
    phase: 'Running',
    ports: [],
    workload: `deploy/${name}`,
    ...rest,
  };
}

function put(pod: Pod, sinceMs = T): void {
  names.putPod(`${pod.namespace}/${pod.name}`, pod, 'seen', sinceMs);
}

const workloadAt = (address: string, toMs: number) => names.peer(address, toMs - 10_000, toMs).end.workload;

test.each([
  ['job/backup-28901234', 'cronjob/backup'],
  ['job/a-b-00000000', 'cronjob/a-b'],
  ['job/backup', 'job/backup'],
  ['job/backup-1234567', 'job/backup-1234567'],
  ['deploy/web-28901234', 'deploy/web-28901234'],
])('%s is kept as %s', (workload, lasting) => {
  expect(lastingWorkload(workload)).toBe(lasting);
});

test('a pod, a node, an address of the cluster without a pod, and one outside it', () => {
  put(podOf('web', '10.1.2.3'));
  names.putNode('one', { name: 'one', addresses: ['192.0.2.10'] });
  expect(names.peer('10.1.2.3', T, T)).toEqual({
    end: { kind: 'workload', namespace: 'shop', workload: 'deploy/web' },
    pod: 'web',
  });
  expect(names.peer('192.0.2.10', T, T).end).toEqual({ kind: 'node', workload: 'one' });
  expect(names.peer('10.1.2.99', T, T).end).toEqual({ kind: 'unknown', address: '10.1.2.99' });
  expect(names.peer('10.1.3.3', T, T).end).toEqual({ kind: 'external', address: '10.1.3.3' });
  expect(names.peer('203.0.113.0/24', T, T).end).toEqual({ kind: 'external', address: '203.0.113.0/24' });
});

test('pods on the host network are their node', () => {
  put(podOf('agent', '192.0.2.1', { hostNetwork: true, nodeName: 'two' }));
  expect(names.peer('192.0.2.1', T, T).end).toEqual({ kind: 'node', workload: 'two' });
});

test('an address has the name of who had it when a window was counted', () => {
  put(podOf('first', '10.1.2.3'), 0);
  names.putPod('shop/first', undefined, 'seen', T);
  put(podOf('second', '10.1.2.3'), T + MINUTE_MS);
  expect(workloadAt('10.1.2.3', T - 1)).toBe('deploy/first');
  // Nobody had it then: the one who had it last.
  expect(workloadAt('10.1.2.3', T + MINUTE_MS / 2)).toBe('deploy/second');
  expect(workloadAt('10.1.2.3', T + MINUTE_MS)).toBe('deploy/second');
});

test('an address that moves at once is the former owner only in windows that reach back to it', () => {
  put(podOf('first', '10.1.2.3'), 0);
  put(podOf('second', '10.1.2.3'), T);
  expect(workloadAt('10.1.2.3', T - 1)).toBe('deploy/first');
  expect(workloadAt('10.1.2.3', T + 1)).toBe('deploy/second');
});

test('a former owner is known for five minutes', () => {
  put(podOf('first', '10.1.2.3'), 0);
  put(podOf('other', '10.1.2.4'), 0);
  names.putPod('shop/first', undefined, 'seen', T);
  expect(workloadAt('10.1.2.3', T + 4 * MINUTE_MS)).toBe('deploy/first');
  expect(names.peer('10.1.2.3', T + 6 * MINUTE_MS, T + 6 * MINUTE_MS).end.kind).toBe('unknown');
});

test('changes of a pod that keeps its address do not make it another owner', () => {
  put(podOf('web', '10.1.2.3'), 0);
  put(podOf('web', '10.1.2.3', { workload: 'deploy/renamed' }), T);
  expect(workloadAt('10.1.2.3', T - MINUTE_MS)).toBe('deploy/renamed');
});

test('the pod of a session has its workload, or its own name while it is not known', () => {
  put(podOf('run', '10.1.2.3', { workload: 'job/backup-28901234' }));
  expect(names.pod('shop', 'run').end.workload).toBe('cronjob/backup');
  expect(names.pod('shop', 'new').end).toEqual({ kind: 'workload', namespace: 'shop', workload: 'pod/new' });
});

test.each([
  ['10.1.2.3', '10.1.2.0/24'],
  ['fd00::1', 'fd00:0:0:0/64'],
  ['fd00:1:2:3:4:5:6:7', 'fd00:1:2:3/64'],
  ['::1', '0:0:0:0/64'],
  ['fd00:1:2:3::', 'fd00:1:2:3/64'],
])('the block of %s is %s', (address, block) => {
  expect(blockOf(address)).toBe(block);
});
