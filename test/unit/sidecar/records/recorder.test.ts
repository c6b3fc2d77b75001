/** Whose names records have, and by which labels they explain. */
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { type FlowLog, RecordLog } from '../../../../common/log.ts';
import type { FlowRecord } from '../../../../flows/index.ts';
import type { PeerIdentity, Verdict } from '../../../../policy/index.ts';
import { FlowCounts } from '../../../../sidecar/flows/flow_counts.ts';
import type { FlowFacts } from '../../../../sidecar/records/flow_record.ts';
import { FlowHistory } from '../../../../sidecar/records/history.ts';
import { SidecarMetrics } from '../../../../sidecar/records/metrics.ts';
import { Recorder } from '../../../../sidecar/records/recorder.ts';
import { Enforcement } from '../../../../sidecar/table/enforcement.ts';
import { LiveTable } from '../../../../sidecar/table/live_table.ts';
import { Owners } from '../../../../sidecar/table/owners.ts';
import { admittingGroup, groupOf, table } from '../../../builders/tables.ts';

const PEER = '10.0.0.1';
const OWN = '10.0.0.100';
const ALLOWED: Verdict = { verdict: 'allow', direction: 'ingress', reason: 'not-isolated' };

const peer = (name: string, labels: Record<string, string> = {}): PeerIdentity => ({
  namespace: 'shop',
  name,
  workload: `Deployment/${name}`,
  labels,
  namespaceLabels: {},
  ports: [],
});

/** A recorder of shop/api, whose table admits pods of the label app=web, among them those of these tags. */
function recorder(members: Readonly<Record<string, string>>, flowLog: FlowLog = 'denied') {
  const enforcement = new Enforcement(new LiveTable());
  const group = { ...groupOf(members), podSelector: { matchLabels: { app: 'web' }, matchExpressions: [] } };
  enforcement.replace(admittingGroup(table({ revision: 1 }), ['ingress', 'egress'], group));
  const asked: string[] = [];
  const owners = new Owners({ identify: (address) => asked.push(address) > 0 });
  enforcement.outdates(owners);
  const history = new FlowHistory(10);
  const metrics = new SidecarMetrics('test');
  const log = pino({ level: 'info' }, { write() {} });
  const lines: FlowRecord[] = [];
  const counts = new FlowCounts(0);
  const recorder = new Recorder({
    history,
    metrics,
    enforcement,
    owners,
    log,
    lines: new RecordLog(log, { write: (line) => void lines.push(JSON.parse(line)) }),
    counts,
    flowLog,
  });
  const flow = (more: Partial<FlowFacts> = {}) =>
    recorder.flow({
      verdict: ALLOWED,
      end: 'closed',
      protocol: 'TCP',
      source: { address: PEER, port: 40_000, identity: undefined, tag: members[PEER] },
      destination: { address: OWN, port: 80, identity: enforcement.self(OWN) },
      bytesSent: 0,
      bytesReceived: 0,
      durationMs: 1,
      revision: 1,
      ...more,
    });
  const written = async (count: number): Promise<readonly FlowRecord[]> => {
    await expect.poll(async () => (await history.list()).length).toBe(count);
    return history.list();
  };
  return { recorder, enforcement, owners, asked, flow, history, metrics, written, lines, counts };
}

test('a record names both ends: the pod itself by its table, the other by its tag', async () => {
  const { owners, asked, flow, history } = recorder({ [PEER]: 'uid-web' });
  owners.meet(PEER, 'uid-web');
  owners.answer(PEER, peer('web'), 'uid-web');
  owners.answer(PEER, peer('next'), 'uid-next'); // the address has passed on meanwhile
  flow();
  expect((await history.list())[0]).toMatchObject({
    src: { addr: PEER, namespace: 'shop', pod: 'web', workload: 'Deployment/web' },
    dst: { addr: OWN, namespace: 'shop', pod: 'api', workload: 'Deployment/api' },
  });
  expect(asked).toEqual([PEER]);
});

test('where the name is not known yet, the record waits for it; another pod’s is not taken', async () => {
  const { owners, asked, flow, written } = recorder({ [PEER]: 'uid-web' });
  flow();
  expect(asked).toEqual([PEER]);
  owners.answer(PEER, peer('web'), 'uid-web');
  expect((await written(1))[0]).toMatchObject({ src: { pod: 'web' } });
  flow({ source: { address: PEER, port: 40_000, identity: undefined, tag: 'uid-before' } });
  owners.answer(PEER, peer('web'), 'uid-web');
  expect((await written(2))[1]?.src).toEqual({ addr: PEER, port: 40_000 });
});

test('a pod that has lost the label that admitted it is explained by the labels that it has now', async () => {
  const { enforcement, owners, asked, flow, written } = recorder({ [PEER]: 'uid-web' });
  owners.answer(PEER, peer('web', { app: 'web' }), 'uid-web');
  enforcement.apply({ schema: 2, from: 1, revision: 2, groups: { g: { members: { [PEER]: null } } } });
  flow({ verdict: enforcement.verdict('ingress', PEER, 'TCP', 80), end: 'policy-changed' });
  expect(asked).toEqual([PEER]);
  owners.answer(PEER, peer('web', { app: 'old' }), 'uid-web');
  expect((await written(1))[0]).toMatchObject({
    verdict: 'deny',
    src: { pod: 'web' },
    near: [{ policy: 'shop/allow', rule: 0, lacks: ['label app=web wanted, peer has app=old'] }],
  });
});

test('what the gate drops of a pod in a group is named and explained too, in both directions', async () => {
  const { recorder: some, owners, asked, written } = recorder({ '10.0.0.9': 'uid-other' });
  for (const direction of ['ingress', 'egress'] as const)
    some.dropped(direction, { address: PEER, protocol: 'TCP', port: 80, packets: 3 });
  expect(asked).toEqual([PEER]);
  owners.answer(PEER, peer('web', { app: 'old' }), 'uid-web');
  const [ingress, egress] = await written(2);
  const near = [{ lacks: ['label app=web wanted, peer has app=old'] }];
  expect(ingress).toMatchObject({ src: { pod: 'web' }, dst: { pod: 'api' }, near });
  expect(egress).toMatchObject({ src: { pod: 'api' }, dst: { pod: 'web' }, near });
});

test('an outbound flow that ends names the pod that it went to', async () => {
  const { recorder: some, owners, history } = recorder({ [PEER]: 'uid-web' });
  owners.answer(PEER, peer('web'), 'uid-web');
  some.outbound({
    protocol: 'TCP',
    local: { address: OWN, port: 40_000 },
    remote: { address: PEER, port: 80 },
    backend: { address: PEER, port: 80 },
    tag: 'uid-web',
    bytesSent: 1,
    bytesReceived: 2,
    verdict: { verdict: 'allow', direction: 'egress', reason: 'not-isolated' },
    end: 'closed',
  });
  expect((await history.list())[0]).toMatchObject({
    src: { pod: 'api' },
    dst: { pod: 'web' },
    bytes_sent: 2,
  });
});

test('about the own node nobody is asked', async () => {
  const { asked, flow, history } = recorder({});
  flow({ verdict: { verdict: 'allow', direction: 'ingress', reason: 'own-node' } });
  expect(await history.list()).toHaveLength(1);
  expect(asked).toEqual([]);
});

test('denials are counted by the policy whose rule came nearest, or by none; refusals by no policy', async () => {
  const { enforcement, flow, metrics, owners } = recorder({});
  const counted = async () => (await metrics.registry.metrics()).match(/^sluice_policy_verdicts_total\{.*/gm);
  const denied = () => {
    owners.answer(PEER, peer('web', { app: 'old' }), 'uid-web');
    flow({ verdict: enforcement.verdict('ingress', PEER, 'TCP', 80), end: 'refused' });
  };
  flow({ refusal: 'capacity', end: 'refused' });
  expect(await counted()).toBeNull();
  denied();
  const label = (policy: string) =>
    `sluice_policy_verdicts_total{direction="ingress",verdict="deny",policy_namespace="shop",policy="${policy}"} 1`;
  expect(await counted()).toEqual([label('allow')]);
  enforcement.replace(table({ revision: 2, allowed: [] }));
  denied();
  expect(await counted()).toEqual([label('allow'), label('(none)')]);
});

const DENIED: Partial<FlowFacts> = {
  verdict: { verdict: 'deny', direction: 'ingress', reason: 'no-table' },
  end: 'refused',
};
const CUT: Partial<FlowFacts> = { end: 'peer-replaced' };

test.each([
  ['denied', ['refused', 'peer-replaced']],
  ['all', ['closed', 'refused', 'peer-replaced']],
  ['none', []],
] as const)('SLUICE_FLOW_LOG=%s: these have a line, and all are in the history', async (flowLog, ends) => {
  const { owners, flow, lines, history, counts } = recorder({}, flowLog);
  owners.answer(PEER, peer('web'), undefined);
  for (const more of [{}, DENIED, CUT]) flow(more);
  await Promise.resolve();
  expect(lines.map(({ end }) => end)).toEqual(ends);
  expect((await history.list()).map(({ end }) => end)).toEqual(['closed', 'refused', 'peer-replaced']);
  expect(counts.take(1)?.counts).toHaveLength(3);
});

test('a flow counts by its outcome, and only denials and cuts are single events', async () => {
  const { owners, flow, counts } = recorder({ [PEER]: 'uid-web' });
  owners.answer(PEER, peer('web'), 'uid-web');
  const rule = { policy: { namespace: 'shop', name: 'in' }, rule: 2 };
  const verdict: Verdict = { verdict: 'allow', direction: 'ingress', reason: 'rule', ...rule };
  for (const bytesSent of [5, 6]) flow({ verdict, bytesSent, bytesReceived: 1, durationMs: 2 });
  flow(DENIED);
  flow(CUT);
  const window = counts.take(1);
  const same = { direction: 'ingress', protocol: 'TCP', peer: PEER, port: 80, packets: 0 };
  expect(window?.counts).toEqual([
    { ...same, outcome: 'allow', reason: 'rule', policy: 'shop/in', rule: 2, ...sums(2, 11, 2, 4) },
    { ...same, outcome: 'deny', reason: 'no-table', ...sums(1, 0, 0, 1) },
    { ...same, outcome: 'cut', reason: 'not-isolated', ...sums(1, 0, 0, 1) },
  ]);
  expect(window?.events.map((text) => JSON.parse(text).end)).toEqual(['refused', 'peer-replaced']);
});

function sums(flows: number, sent: number, received: number, millis: number) {
  return { flows, sent, received, millis };
}

test('a denial counts for the policy whose rule came nearest', async () => {
  const { enforcement, owners, flow, counts } = recorder({ '10.0.0.9': 'uid-other' });
  owners.answer(PEER, peer('web', { app: 'old' }), undefined);
  flow({ verdict: enforcement.verdict('ingress', PEER, 'TCP', 80), end: 'refused' });
  const [denial] = counts.take(1)?.counts ?? [];
  const near = enforcement.explain(
    enforcement.judge,
    { direction: 'ingress', peer: PEER, protocol: 'TCP', port: 80 },
    peer('web', { app: 'old' }),
  );
  const { policy, rule } = (near.reason === 'no-rule' && near.near?.[0]) || {};
  expect(denial).toMatchObject({ outcome: 'deny', reason: 'no-rule', rule });
  expect(denial?.policy).toBe(`${policy?.namespace}/${policy?.name}`);
});

test('what connection tracking added up counts with the verdict of now; what that denies passed under an earlier table', async () => {
  const { recorder: some, counts } = recorder({ [PEER]: 'uid-web' });
  const tracked = {
    direction: 'ingress',
    protocol: 'UDP',
    port: 53,
    flows: 3,
    sent: 30,
    received: 20,
  } as const;
  some.tracked({ ...tracked, address: PEER });
  some.tracked({ ...tracked, address: '10.9.9.9' });
  some.missed(3);
  const window = counts.take(1);
  expect(window).toMatchObject({ lost: 3, events: [] });
  expect(window?.counts).toMatchObject([
    { peer: PEER, outcome: 'allow', reason: 'rule', rule: 0, ...sums(3, 30, 20, 0) },
    { peer: '10.9.9.9', outcome: 'allow', reason: 'earlier-table', ...sums(3, 30, 20, 0) },
  ]);
});

test('packets that the gate dropped count as one flow a report, and those without a report as lost', async () => {
  const { recorder: some, owners, counts } = recorder({ '10.0.0.9': 'uid-other' });
  owners.answer(PEER, null, undefined);
  some.dropped('ingress', { address: PEER, protocol: 'UDP', port: 53, packets: 9 });
  some.droppedMore('ingress', { peers: 4, packets: 40 });
  some.droppedMore('ingress', { peers: 0, packets: 2 });
  expect(counts.take(1)).toMatchObject({
    lost: 5,
    counts: [{ outcome: 'deny', protocol: 'UDP', peer: PEER, port: 53, flows: 1, packets: 9 }],
  });
});
