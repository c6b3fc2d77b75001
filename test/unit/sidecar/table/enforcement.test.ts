import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BEFORE_MS, Enforcement } from '../../../../sidecar/table/enforcement.ts';
import { type LiveFlow, LiveTable } from '../../../../sidecar/table/live_table.ts';
import { MembershipQueries } from '../../../../sidecar/table/membership_queries.ts';
import { admittingGroup, groupOf, partialGroupOf, table } from '../../../builders/tables.ts';

test('before the first table everything is denied', () => {
  const enforcement = new Enforcement(new LiveTable());
  expect(enforcement.verdict('ingress', '10.0.0.9', 'TCP', 80)).toEqual({
    verdict: 'deny',
    direction: 'ingress',
    reason: 'no-table',
  });
});

test('a change before any snapshot, or across a gap, is refused and the table stays', () => {
  const enforcement = new Enforcement(new LiveTable());
  expect(() => enforcement.apply({ schema: 2, from: 1, revision: 2 })).toThrow(
    expect.objectContaining({ code: 'TABLE_GAP' }),
  );
  enforcement.replace(table({ revision: 5 }));
  expect(() => enforcement.apply({ schema: 2, from: 4, revision: 6 })).toThrow(
    expect.objectContaining({ code: 'TABLE_GAP' }),
  );
  expect(enforcement.revision).toBe(5);
});

describe('the judge before', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** Two tables in a row, of which nothing is settled. */
  function changed(): Enforcement {
    const enforcement = new Enforcement(new LiveTable());
    for (const revision of [1, 2]) enforcement.replace(table({ revision }));
    return enforcement;
  }

  test('is forgotten when all flows are known to have ended', () => {
    const enforcement = changed();
    expect(enforcement.before?.table.revision).toBe(1);
    enforcement.settled(enforcement.judge);
    expect(enforcement.before).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('is that of a settled table where another one has come since', () => {
    const enforcement = changed();
    const { judge } = enforcement;
    enforcement.replace(table({ revision: 3 }));
    enforcement.settled(judge);
    expect(enforcement.before?.table.revision).toBe(2);
  });

  test('is forgotten some time after the last table, where that is never known', () => {
    const enforcement = changed();
    vi.advanceTimersByTime(BEFORE_MS - 1);
    enforcement.replace(table({ revision: 3 }));
    vi.advanceTimersByTime(BEFORE_MS - 1);
    expect(enforcement.before?.table.revision).toBe(1);
    vi.advanceTimersByTime(1);
    expect(enforcement.before).toBeUndefined();
    enforcement.replace(table({ revision: 4 }));
    expect(enforcement.before?.table.revision).toBe(3);
  });

  test('leaves no timer behind', () => {
    const enforcement = changed();
    enforcement.close();
    expect(enforcement.before).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
    expect(enforcement.revision).toBe(2);
  });
});

test('a new table ends what it denies, sources first, and nothing else', () => {
  const live = new LiveTable();
  const enforcement = new Enforcement(live);
  const events: string[] = [];
  const flow = (peer: string): LiveFlow => ({
    path: 'proxy',
    sourceAddress: peer,
    revoked(judge) {
      const verdict = judge.judge('ingress', peer, 'TCP', 80);
      return verdict.verdict === 'deny' ? { cause: 'policy-changed', verdict } : undefined;
    },
    resetSource: () => events.push(`reset ${peer}`),
    cut: ({ verdict }) => events.push(`cut ${peer} ${verdict.reason}`),
    drain: () => undefined,
    view: () => peer,
  });
  enforcement.replace(table({ revision: 1 }));
  for (const peer of ['10.0.0.1', '10.0.0.2', '10.0.0.3']) live.register(flow(peer));
  const ended = enforcement.replace(table({ revision: 2, allowed: ['10.0.0.2'] }));
  expect(ended).toBe(2);
  expect(events).toEqual([
    'reset 10.0.0.1',
    'reset 10.0.0.3',
    'cut 10.0.0.1 no-rule',
    'cut 10.0.0.3 no-rule',
  ]);
});

test('a change that touches one address has only its flows judged again', () => {
  const live = new LiveTable();
  const enforcement = new Enforcement(live);
  const group = groupOf({ '10.0.0.1': 'one', '10.0.0.2': 'two' });
  const outdated: (readonly string[] | 'all')[] = [];
  enforcement.replace(admittingGroup(table({ revision: 1 }), ['ingress'], group));
  enforcement.outdates({
    outdated: (touched) => outdated.push(touched === undefined ? 'all' : [...touched]),
  });
  const judged: string[] = [];
  for (const sourceAddress of ['10.0.0.1', '10.0.0.2', '10.0.0.2', '10.0.0.3'])
    live.register({
      path: 'proxy',
      sourceAddress,
      revoked: () => void judged.push(sourceAddress),
      resetSource() {},
      cut() {},
      drain() {},
      view() {},
    });
  enforcement.apply({ schema: 2, from: 1, revision: 2, groups: { g: { members: { '10.0.0.2': null } } } });
  expect(judged).toEqual(['10.0.0.2', '10.0.0.2']);
  enforcement.apply({ schema: 2, from: 2, revision: 3, groups: { g: { group: { members: {} } } } });
  expect(judged.length).toBe(6); // any of them may be concerned
  expect(outdated).toEqual([['10.0.0.2'], 'all']);
});

test('a change that does not fit leaves the table, its judge, the flows and what is known of peers as they were', () => {
  const live = new LiveTable();
  const enforcement = new Enforcement(live);
  enforcement.replace(admittingGroup(table({ revision: 1 }), ['ingress'], groupOf({ '10.0.0.1': 'one' })));
  const { judge } = enforcement;
  let disturbed = 0;
  const disturb = () => {
    disturbed += 1;
  };
  enforcement.attach({ forgetAdmissions: disturb, settled: async () => undefined });
  enforcement.outdates({ outdated: disturb });
  live.register({
    path: 'proxy',
    sourceAddress: '10.0.0.1',
    revoked: () => void disturb(),
    resetSource() {},
    cut() {},
    drain() {},
    view() {},
  });
  const members = { '10.0.0.1': null, '10.0.0.9': null }; // the first is a member, the second is not
  expect(() => enforcement.apply({ schema: 2, from: 1, revision: 2, groups: { g: { members } } })).toThrow(
    expect.objectContaining({ code: 'TABLE_MALFORMED' }),
  );
  expect(enforcement.judge).toBe(judge);
  expect(enforcement.verdict('ingress', '10.0.0.1', 'TCP', 80)).toMatchObject({ verdict: 'allow' });
  expect([enforcement.revision, disturbed]).toEqual([1, 0]);
});

test('an explanation is that of the table that denied, and of what is known of the peer', () => {
  const enforcement = new Enforcement(new LiveTable());
  const asked = { direction: 'ingress', peer: '10.0.0.9', protocol: 'TCP', port: 80 } as const;
  expect(enforcement.explain(undefined, asked, null)).toMatchObject({ verdict: 'deny', reason: 'no-table' });
  enforcement.replace(table({ revision: 1, allowed: ['10.0.0.2'] }));
  const { judge } = enforcement;
  const first = enforcement.explain(judge, asked, null);
  expect(first).toMatchObject({
    verdict: 'deny',
    near: [{ tests: [{ failed: 'ipBlock', wanted: '10.0.0.2/32' }] }],
  });
  expect(enforcement.explain(judge, asked, null)).toBe(first);
  expect(enforcement.explain(judge, asked, undefined)).not.toBe(first);
  enforcement.replace(table({ revision: 2, allowed: ['10.0.0.3'] }));
  expect(enforcement.explain(enforcement.judge, asked, null)).toMatchObject({
    near: [{ tests: [{ wanted: '10.0.0.3/32' }] }],
  });
  expect(enforcement.explain(judge, asked, null)).toMatchObject({
    near: [{ tests: [{ wanted: '10.0.0.2/32' }] }],
  });
});

describe('a flow that only a partial group may allow', () => {
  const PEER = '10.0.0.1';
  const MEMBER = { g: { members: { [PEER]: 'one' } } };
  const partly = (revision: number) => admittingGroup(table({ revision }), ['ingress'], partialGroupOf({}));

  /** An enforcement with a live flow from `PEER`, which the first table allows. */
  function withFlow() {
    const [asked, events]: [string[], string[]] = [[], []];
    const membership = new MembershipQueries({ meet: (addresses) => asked.push(...addresses) });
    const live = new LiveTable();
    const enforcement = new Enforcement(live);
    enforcement.asks(membership);
    enforcement.replace(table({ revision: 1, allowed: [PEER] }));
    live.register({
      path: 'proxy',
      sourceAddress: PEER,
      revoked(judge) {
        const verdict = judge.judge('ingress', PEER, 'TCP', 80);
        const isUnsure = judge.isUnsure('ingress', PEER, 'TCP', 80);
        return verdict.verdict === 'deny' ? { cause: 'policy-changed', verdict, isUnsure } : undefined;
      },
      resetSource: () => events.push('reset'),
      cut: () => events.push('cut'),
      drain: () => undefined,
      view: () => PEER,
    });
    void enforcement.allEnded().then(() => events.push('ended'));
    const ended = () => enforcement.allEnded().then(() => events.push('ended'));
    return { enforcement, membership, asked, events, ended };
  }

  test('goes on where its source proves to be a member', async () => {
    const { enforcement, membership, asked, events, ended } = withFlow();
    expect(enforcement.replace(partly(2))).toBe(0);
    expect(asked).toEqual([PEER]);
    const all = ended();
    enforcement.apply({ schema: 2, from: 2, revision: 3, groups: MEMBER });
    membership.answered([PEER]);
    await all;
    expect(events.filter((event) => event !== 'ended')).toEqual([]);
  });

  test('ends where it does not, before all that the table forbids counts as ended', async () => {
    const { enforcement, membership, events, ended } = withFlow();
    await enforcement.allEnded();
    events.length = 0;
    enforcement.replace(partly(2));
    const all = ended();
    expect(events).toEqual([]);
    membership.answered([PEER]);
    expect(events).toEqual(['reset', 'cut']);
    await all;
    expect(events).toEqual(['reset', 'cut', 'ended']);
  });

  test('ends where nobody answers', async () => {
    vi.useFakeTimers();
    const { enforcement, events } = withFlow();
    enforcement.replace(partly(2));
    vi.advanceTimersByTime(499);
    expect(events).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(events).toEqual(['reset', 'cut']);
    vi.useRealTimers();
    await enforcement.allEnded();
  });

  test('ends at once where a later table leaves no partial group that may allow it', () => {
    const { enforcement, events } = withFlow();
    enforcement.replace(partly(2));
    expect(enforcement.replace(table({ revision: 3, allowed: [] }))).toBe(1);
    expect(events).toEqual(['reset', 'cut']);
  });

  test('is among those that another injector is asked about first, beside the members that are known', () => {
    const { enforcement } = withFlow();
    enforcement.replace(
      admittingGroup(table({ revision: 2 }), ['ingress'], partialGroupOf({ '10.0.0.7': 'seven' })),
    );
    expect(enforcement.acquaintances()).toEqual(['10.0.0.7', PEER]);
  });

  test('is among those as well where the groups are whole that another injector may send in part', () => {
    const { enforcement } = withFlow();
    const many = Array.from({ length: 4_097 }, (_, i) => [`10.1.${i >> 8}.${i & 255}`, 'pod']);
    enforcement.replace(
      admittingGroup(table({ revision: 2 }), ['ingress'], groupOf(Object.fromEntries(many))),
    );
    expect(enforcement.acquaintances()).toEqual([PEER]);
    enforcement.replace(
      admittingGroup(table({ revision: 3 }), ['ingress'], groupOf({ '10.0.0.7': 'seven' })),
    );
    expect(enforcement.acquaintances()).toEqual([]);
  });
});
