import { expect, test } from 'vitest';
import { acceptInbound, type FlowView, type InboundContext } from '../../../../sidecar/inbound/inbound.ts';
import type { FlowFacts } from '../../../../sidecar/records/flow_record.ts';
import type { Connection } from '../../../../sidecar/relay/relay.ts';
import { Enforcement } from '../../../../sidecar/table/enforcement.ts';
import { LiveTable } from '../../../../sidecar/table/live_table.ts';
import { MembershipQueries } from '../../../../sidecar/table/membership_queries.ts';
import { Owners } from '../../../../sidecar/table/owners.ts';
import { admittingGroup, groupOf, partialGroupOf, table } from '../../../builders/tables.ts';

const ALLOWED = '10.0.0.1';
const DENIED = '10.0.0.2';

/** A connection that sent 9 bytes, if it was dialled. */
function connectionFrom(
  address: string,
  admitted: boolean,
  answer: string[],
  admittedSince = false,
): Connection {
  return {
    family: 4,
    source: { address, port: 40_000 },
    destination: { address: '10.0.0.100', port: 80 },
    admitted,
    admittedSince,
    doubtGate: () => answer.push('doubtGate'),
    admit: () => answer.push('admit'),
    resetSource: () => answer.push('resetSource'),
    reset: () => answer.push('reset'),
    finish: () => answer.push('finish'),
    progress: () => ({ relaying: admitted, fromSource: 9, toSource: 0 }),
  };
}

/** The context of connections, with what they record and whom they ask about. */
function contextOf(enforcement: Enforcement, live: LiveTable) {
  const records: FlowFacts[] = [];
  const asked: string[] = [];
  const owners = new Owners({ identify: (address) => asked.push(address) > 0 });
  const context: InboundContext = {
    path: 'proxy',
    enforcement,
    live,
    connectionLimit: 10,
    inboundPort: 15_006,
    canaryPort: 15_020,
    adminPort: 15_021,
    owners,
    recorder: { flow: (facts) => records.push(facts) },
    canary: { arrived() {} },
    backlogs: { dialled() {} },
    failures: { dialFailed() {} },
    metrics: { verdictTaken() {} },
  };
  return { context, records, asked, owners };
}

/** What is recorded of a connection, and how it was answered. */
function recorded(
  address: string,
  admitted: boolean,
  admittedSince = false,
): { facts: FlowFacts | undefined; answer: string[] } {
  const live = new LiveTable();
  const enforcement = new Enforcement(live);
  enforcement.replace(table({ revision: 1, allowed: [ALLOWED] }));
  const answer: string[] = [];
  const { context, records } = contextOf(enforcement, live);
  const owner = acceptInbound(connectionFrom(address, admitted, answer, admittedSince), context);
  const reset = answer.includes('reset');
  owner.ended({ end: reset ? 'reset' : 'closed', fromSource: admitted ? 9 : 0, toSource: 0, durationMs: 1 });
  expect(live.size).toBe(0);
  return { facts: records[0], answer };
}

test('a denied connection is refused before anything reaches the app', () => {
  const { facts, answer } = recorded(DENIED, false);
  expect(answer).toEqual(['reset']);
  expect(facts).toMatchObject({ end: 'refused', verdict: { verdict: 'deny' }, bytesReceived: 0 });
});

test('one that was admitted from memory, and that the table denies by now, is recorded as cut', () => {
  const { facts, answer } = recorded(DENIED, true);
  expect(answer).toEqual(['reset']);
  expect(facts).toMatchObject({ end: 'policy-changed', verdict: { verdict: 'deny' }, bytesReceived: 9 });
});

test('one that the gate has let by against the table in force is cut, and the gate is doubted', () => {
  const { facts, answer } = recorded(DENIED, true, true);
  expect(answer).toEqual(['doubtGate', 'reset']);
  expect(facts).toMatchObject({ end: 'policy-changed', verdict: { verdict: 'deny' }, bytesReceived: 9 });
});

test('one that a table cuts is recorded with what the table before had allowed it by', () => {
  const live = new LiveTable();
  const enforcement = new Enforcement(live);
  enforcement.replace(table({ revision: 1, allowed: [ALLOWED] }));
  const { context, records } = contextOf(enforcement, live);
  const owner = acceptInbound(connectionFrom(ALLOWED, false, []), context);
  enforcement.replace(table({ revision: 2, allowed: [ALLOWED, DENIED] }));
  enforcement.replace(table({ revision: 3, allowed: [DENIED] }));
  owner.ended({ end: 'reset', fromSource: 0, toSource: 0, durationMs: 1 });
  expect(records[0]).toMatchObject({
    end: 'policy-changed',
    verdict: { verdict: 'deny' },
    was: { revision: 2, verdict: { verdict: 'allow', reason: 'rule', rule: 0 } },
  });
});

test('so is one that becomes known only after the table, until all are known to be ended', () => {
  const live = new LiveTable();
  const enforcement = new Enforcement(live);
  const { context, records } = contextOf(enforcement, live);
  const arrive = () => {
    const owner = acceptInbound(connectionFrom(ALLOWED, true, []), context);
    owner.ended({ end: 'reset', fromSource: 0, toSource: 0, durationMs: 1 });
    return records.at(-1);
  };
  enforcement.replace(table({ revision: 1, allowed: [ALLOWED] }));
  enforcement.settled(enforcement.judge);
  expect(enforcement.before).toBeUndefined();
  enforcement.replace(table({ revision: 2, allowed: [] }));
  enforcement.replace(table({ revision: 3, allowed: [DENIED] }));
  expect(arrive()).toMatchObject({ end: 'policy-changed', was: { revision: 1 } });
  enforcement.settled(enforcement.judge);
  expect(arrive()).not.toHaveProperty('was');
});

test('what settles while another table is there already is what comes before that', () => {
  const enforcement = new Enforcement(new LiveTable());
  for (const revision of [1, 2]) enforcement.replace(table({ revision, allowed: [ALLOWED] }));
  const { judge } = enforcement;
  enforcement.replace(table({ revision: 3, allowed: [DENIED] }));
  expect(enforcement.before?.table.revision).toBe(1);
  enforcement.settled(judge);
  expect(enforcement.before?.table.revision).toBe(2);
});

test('an allowed one is admitted, and recorded with its own end', () => {
  const { facts, answer } = recorded(ALLOWED, false);
  expect(answer).toEqual(['admit']);
  expect(facts).toMatchObject({ end: 'closed', verdict: { verdict: 'allow' } });
});

/** A live flow from an address of which the table says this. @param members of the group that is admitted */
function liveFlow(members: Readonly<Record<string, string>>, source: string = ALLOWED) {
  const live = new LiveTable();
  const enforcement = new Enforcement(live);
  const tableOf = (revision: number, admitted: Readonly<Record<string, string>>) =>
    admittingGroup(table({ revision }), ['ingress'], groupOf(admitted));
  enforcement.replace(tableOf(1, members));
  const { context, records, asked, owners } = contextOf(enforcement, live);
  const owner = acceptInbound(connectionFrom(source, false, []), context);
  const named = (name: string, tag: string) =>
    owners.answer(
      ALLOWED,
      { namespace: 'shop', name, workload: `Pod/${name}`, labels: {}, namespaceLabels: {}, ports: [] },
      tag,
    );
  return {
    asked,
    named,
    view: () => [...live].map((flow) => (flow.view() as FlowView).src),
    change: (revision: number, admitted: Readonly<Record<string, string>>) =>
      enforcement.replace(tableOf(revision, admitted)),
    record() {
      owner.ended({ end: 'reset', fromSource: 0, toSource: 0, durationMs: 1 });
      return records[0];
    },
  };
}

test('a flow from a pod asks for its name when it begins, and /connections shows it', () => {
  const { asked, named, view } = liveFlow({ [ALLOWED]: 'uid-web' });
  expect(asked).toEqual([ALLOWED]);
  expect(view()).toEqual([{ addr: ALLOWED, port: expect.any(Number) }]);
  named('web', 'uid-web');
  expect(view()).toMatchObject([{ addr: ALLOWED, pod: 'shop/web', workload: 'Pod/web' }]);
  expect(asked).toEqual([ALLOWED]);
});

test('a flow ends when another pod has the address of its source, and is recorded as from the first', () => {
  const { change, record } = liveFlow({ [ALLOWED]: 'uid-web' });
  expect(change(2, { [ALLOWED]: 'uid-web', [DENIED]: 'uid-other' })).toBe(0);
  expect(change(3, { [ALLOWED]: 'uid-next' })).toBe(1);
  expect(record()).toMatchObject({
    end: 'peer-replaced',
    verdict: { verdict: 'allow' },
    source: { tag: 'uid-web' },
  });
});

test('a pod that the table has only later counts from then on', () => {
  const { asked, change, record } = liveFlow({}, '10.0.1.1'); // its node is admitted without a rule
  expect(asked).toEqual([]);
  expect(change(2, { '10.0.1.1': 'uid-late' })).toBe(0);
  expect(asked).toEqual(['10.0.1.1']);
  expect(change(3, { '10.0.1.1': 'uid-later' })).toBe(1);
  expect(record()).toMatchObject({ end: 'peer-replaced', source: { tag: 'uid-late' } });
});

test('the pod itself is nobody to ask about: the table names it', () => {
  const { asked, view, record } = liveFlow({}, '10.0.0.100');
  expect(view()).toMatchObject([{ pod: 'shop/api', workload: 'Deployment/api' }]);
  expect(asked).toEqual([]);
  expect(record()).toMatchObject({
    source: { identity: { name: 'api', workload: 'Deployment/api' } },
    destination: { identity: { name: 'api' } },
  });
});

/** A connection that only a partial group may allow; `answer` says what came of it. */
function unsure(admitted = false) {
  const live = new LiveTable();
  const enforcement = new Enforcement(live);
  const membership = new MembershipQueries({ meet() {} });
  enforcement.asks(membership);
  enforcement.replace(admittingGroup(table({ revision: 1 }), ['ingress'], partialGroupOf({})));
  const answer: string[] = [];
  const { context } = contextOf(enforcement, live);
  const owner = acceptInbound(connectionFrom(DENIED, admitted, answer), context);
  expect(answer).toEqual([]);
  return { enforcement, membership, answer, owner };
}

test('one that only a partial group may allow is admitted when its source proves to be a member', () => {
  const { enforcement, membership, answer } = unsure();
  enforcement.apply({ schema: 2, from: 1, revision: 2, groups: { g: { members: { [DENIED]: 'two' } } } });
  membership.answered([DENIED]);
  expect(answer).toEqual(['admit']);
});

test('it is refused when its source does not', () => {
  const { membership, answer } = unsure();
  membership.answered([DENIED]);
  expect(answer).toEqual(['reset']);
});

test('it is refused at once when a table comes that no longer has such a group', () => {
  const { enforcement, membership, answer } = unsure();
  enforcement.replace(table({ revision: 2, allowed: [ALLOWED] }));
  expect(answer).toEqual(['resetSource', 'reset']);
  membership.answered([DENIED]);
  expect(answer.length).toBe(2);
});

test('one that has gone before the answer is left alone', () => {
  const { membership, answer, owner } = unsure();
  owner.ended({ end: 'closed', fromSource: 0, toSource: 0, durationMs: 1 });
  membership.answered([DENIED]);
  expect(answer).toEqual([]);
});
