/** Which edges fit a question, and what of them is one row: by examples, and compared with an obvious way that is slow. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type FlowQuestion,
  FlowSelection,
  GROUPS,
  MAX_EDGES,
  mergeAnswers,
  type ObservedEnd,
  type ObservedFlow,
  OUTCOMES,
  observedFlow,
  selectFlows,
} from '../../../flows/index.ts';
import { anyEdge, edge, NOON_MS } from '../../builders/observed_flows.ts';

const ALWAYS = { since: 0, until: Number.MAX_SAFE_INTEGER };

const web = edge('shop/deploy/web', 'shop/deploy/cart', { policy: 'shop/cart', rule: 0 });
const scrape = edge('monitoring/sts/prometheus', 'shop/deploy/web', {
  outcome: 'deny',
  near: [{ policy: 'shop/scrape', rule: 0, lacks: ['port 9090 wanted'] }],
});
const out = edge('shop/deploy/cart', '203.0.113.7', { port: 443 });
const bucket = edge('shop/deploy/cart', '198.51.100.0/24', { port: 443 });
const kubelet = edge('node/n1', 'shop/deploy/web');
const ALL = [web, scrape, out, bucket, kubelet];

test.each<[string, Partial<FlowQuestion>, ObservedFlow[]]>([
  ['nothing named', {}, ALL],
  ['a namespace of either end', { namespaces: ['monitoring'] }, [scrape]],
  ['a source', { from: [{ namespace: 'shop', workload: 'deploy/web' }] }, [web]],
  [
    'one of several sources',
    { from: [{ namespace: 'monitoring' }, { workload: 'node/n1' }] },
    [scrape, kubelet],
  ],
  ['an address', { to: [{ address: '203.0.113.7' }] }, [out]],
  ['a network', { to: [{ address: '203.0.113.0/24' }] }, [out]],
  ['all that a network of an edge is in', { to: [{ address: '198.51.0.0/16' }] }, [bucket]],
  ['a part of it only', { to: [{ address: '198.51.100.0/25' }] }, []],
  ['a port', { ports: [443, 80] }, [out, bucket]],
  ['an outcome', { outcomes: ['deny', 'cut'] }, [scrape]],
  ['a policy that admitted', { policies: ['shop/cart'] }, [web]],
  ['a policy that came near', { policies: ['shop/scrape'] }, [scrape]],
  ['outside', { external: true }, [out, bucket]],
  ['not outside', { external: false }, [web, scrape, kubelet]],
  ['other ports', { ports: [443], not: ['ports'] }, [web, scrape, kubelet]],
  ['what is negated and not named', { not: ['ports'] }, ALL],
  ['later', { since: NOON_MS + 60_001 }, []],
  ['until its last flow', { since: NOON_MS + 60_000 }, ALL],
  ['before', { until: NOON_MS - 1 }, []],
])('%s', (_, question, found) => {
  expect(new Set(selectFlows(ALL, { ...ALWAYS, ...question }).flows)).toEqual(new Set(found));
});

test('an edge with a time that is no time fits nothing', () => {
  expect(selectFlows([{ ...web, last: 'yesterday' }], ALWAYS).flows).toEqual([]);
});

test('rows that are put together keep what they have in common', () => {
  const [row, ...others] = selectFlows(
    [
      edge('shop/deploy/web', 'kube-system/deploy/dns', { port: 53, flows: 2 }),
      edge('shop/deploy/cart', 'kube-system/deploy/dns', {
        port: 53,
        flows: 3,
        first: '2026-11-30T11:00:00Z',
      }),
      edge('shop/deploy/cart', 'kube-system/deploy/dns', { port: 9153 }),
    ],
    { ...ALWAYS, groupBy: ['dst'] },
  ).flows;
  expect(others).toEqual([]);
  expect(row).toMatchObject({ src: { kind: 'workload', namespace: 'shop' }, port: 0, flows: 6 });
  expect(row?.src).not.toHaveProperty('workload');
  expect(row?.first).toBe('2026-11-30T11:00:00Z');
});

test('what the limit cuts is counted, and is the least', () => {
  const edges = [3, 1, 2].map((flows) => edge('a/deploy/x', 'a/deploy/y', { port: flows, flows }));
  expect(selectFlows(edges, { ...ALWAYS, limit: 1 })).toEqual({
    flows: [edges[0]],
    lost: [{ flows: 3, why: 'only the 1 kinds with the most flows are in the answer' }],
  });
});

test('rows beyond the bound are counted while edges come, and known ones go on', () => {
  const selection = new FlowSelection(ALWAYS, 1);
  for (const one of [web, web, scrape]) selection.add(one);
  const { flows, lost } = selection.result();
  expect(flows).toMatchObject([{ flows: 2 }]);
  expect(lost).toMatchObject([{ flows: 1 }]);
});

const answer = (flows: readonly ObservedFlow[], observed: string, lost = 0) => ({
  since: '2026-11-30T11:00:00Z',
  until: '2026-11-30T12:00:00Z',
  observed_since: observed,
  lost: lost === 0 ? [] : [{ flows: lost, why: 'the queue was full' }],
  flows,
});

test('the two ends of a flow at two replicas are one flow, and the destination counts', () => {
  const source = edge('shop/deploy/web', 'shop/deploy/cart', {
    direction: 'egress',
    reported_by: 'source',
    flows: 5,
    service: 'shop/cart',
    policy: 'shop/out',
  });
  const destination = edge('shop/deploy/web', 'shop/deploy/cart', {
    reported_by: 'destination',
    flows: 4,
    policy: 'shop/cart',
  });
  const merged = mergeAnswers(
    [
      answer([source], '2026-11-29T00:00:00Z', 2),
      answer([destination, scrape], '2026-11-30T00:00:00Z', 3),
      answer([scrape], '2026-11-28T00:00:00Z'),
    ],
    ALWAYS,
  );
  expect(merged).toEqual({
    since: '2026-11-30T11:00:00Z',
    until: '2026-11-30T12:00:00Z',
    observed_since: '2026-11-30T00:00:00Z',
    lost: [{ flows: 5, why: 'the queue was full' }],
    flows: [
      { ...destination, reported_by: 'both', service: 'shop/cart' },
      { ...scrape, flows: 2 },
    ],
  });
});

test.each<[string, readonly Partial<ObservedFlow>[], readonly number[], readonly number[]]>([
  ['as many', [{ flows: 4 }], [4], [4]],
  ['more', [{ flows: 3 }], [9], [9]],
  ['fewer', [{ flows: 5, bytes_sent: 7 }], [2], [2, 3]],
  ['as many in two edges', [{ flows: 4 }], [3, 1], [3, 1]],
  ['fewer than two edges of the source', [{ flows: 4 }, { flows: 3, service: 'shop/cart' }], [6], [6, 1]],
  ['none', [{ flows: 4 }], [], [4]],
])(
  'of what the source let out the destination has denied %s: so many are not shown as allowed',
  (_, out, denials, left) => {
    const halves = (reported_by: 'source' | 'destination', parts: Partial<ObservedFlow>) =>
      edge('shop/deploy/web', 'shop/deploy/cart', { reported_by, ...parts });
    const edges = [
      ...out.map((parts) => halves('source', { direction: 'egress', ...parts })),
      ...denials.map((flows, rule) => halves('destination', { outcome: 'deny', rule, flows })),
    ];
    const { flows } = mergeAnswers([answer(edges, '2026-11-30T00:00:00Z')], ALWAYS);
    const counts = (outcome: string) =>
      flows.filter((one) => one.outcome === outcome).map((one) => one.flows);
    expect([...counts('deny'), ...counts('allow')]).toEqual(left);
    expect(new Set(flows.map(({ reported_by }) => reported_by))).not.toContain('both');
  },
);

test('what the destination has cut is not shown as allowed', () => {
  const ends = ['shop/deploy/web', 'shop/deploy/cart'] as const;
  const source = edge(...ends, { direction: 'egress', reported_by: 'source', flows: 3 });
  const cut = edge(...ends, { outcome: 'cut', reported_by: 'destination', flows: 1 });
  const { flows } = mergeAnswers([answer([source, cut], '2026-11-30T00:00:00Z')], ALWAYS);
  expect(flows.map((one) => [one.outcome, one.flows])).toEqual([
    ['allow', 2],
    ['cut', 1],
  ]);
});

test('a denial of another port, peer or end takes nothing from what is allowed', () => {
  const source = edge('shop/deploy/web', 'shop/deploy/cart', { direction: 'egress', reported_by: 'source' });
  const denial = { outcome: 'deny', reported_by: 'destination', flows: 9 } as const;
  const others = [
    edge('shop/deploy/web', 'shop/deploy/cart', { ...denial, port: 1 }),
    edge('shop/deploy/api', 'shop/deploy/cart', denial),
    { ...source, outcome: 'deny', flows: 9 } as const,
  ];
  const { flows } = mergeAnswers([answer([source, ...others], '2026-11-30T00:00:00Z')], ALWAYS);
  expect(new Set(flows)).toEqual(new Set([source, ...others]));
});

/** The obvious way: each test by itself, and rows by comparing all with all. */
function obvious(edges: readonly ObservedFlow[], question: FlowQuestion) {
  const has = (end: ObservedEnd, asked: { namespace?: string; workload?: string }) =>
    (asked.namespace === undefined || end.namespace === asked.namespace) &&
    (asked.workload === undefined || end.workload === asked.workload || `pod/${end.pod}` === asked.workload);
  const wanted = (field: 'from' | 'to' | 'ports' | 'outcomes' | 'policies', fits: boolean | undefined) =>
    question[field] === undefined || fits !== (question.not ?? []).includes(field);
  const fitting = edges.filter(
    (one) =>
      Date.parse(one.first) <= question.until &&
      Date.parse(one.last) >= question.since &&
      (question.namespaces ?? [one.src.namespace]).some(
        (ns) => ns === one.src.namespace || (ns !== undefined && ns === one.dst.namespace),
      ) &&
      wanted(
        'from',
        question.from?.some((asked) => has(one.src, asked)),
      ) &&
      wanted(
        'to',
        question.to?.some((asked) => has(one.dst, asked)),
      ) &&
      wanted('ports', question.ports?.includes(one.port)) &&
      wanted('outcomes', question.outcomes?.includes(one.outcome)) &&
      wanted(
        'policies',
        question.policies?.some((name) => [one, ...(one.near ?? [])].some(({ policy }) => policy === name)),
      ) &&
      (question.external === undefined ||
        question.external === [one.src, one.dst].some(({ kind }) => kind === 'external')),
  );
  const alike = (a: ObservedFlow, b: ObservedFlow) => {
    const ends = (field: 'src' | 'dst') =>
      (['kind', 'namespace', 'workload', 'address'] as const).every(
        (part) => a[field][part] === b[field][part],
      );
    const equal = (...fields: (keyof ObservedFlow)[]) => fields.every((field) => a[field] === b[field]);
    const by = question.groupBy;
    if (by === undefined)
      return (
        ends('src') &&
        ends('dst') &&
        equal('service', 'protocol', 'port', 'outcome', 'direction', 'reason', 'policy', 'rule')
      );
    return (
      equal('outcome', 'direction', 'protocol') &&
      (!by.includes('src') || ends('src')) &&
      (!by.includes('dst') || ends('dst')) &&
      (!by.includes('port') || equal('port')) &&
      (!by.includes('policy') || equal('policy', 'rule'))
    );
  };
  const rows: ObservedFlow[][] = [];
  for (const one of fitting) {
    const row = rows.find(([first]) => first !== undefined && alike(first, one));
    if (row === undefined) rows.push([one]);
    else row.push(one);
  }
  const sum = (row: readonly ObservedFlow[], field: 'flows' | 'packets' | 'bytes_sent' | 'bytes_received') =>
    row.reduce((total, one) => total + one[field], 0);
  return rows
    .map((row) => ({
      flows: sum(row, 'flows'),
      packets: sum(row, 'packets'),
      bytes: sum(row, 'bytes_sent') + sum(row, 'bytes_received'),
      first: row.map(({ first }) => first).sort()[0],
      last: row
        .map(({ last }) => last)
        .sort()
        .at(-1),
    }))
    .map((row) => JSON.stringify(row))
    .sort();
}

const names = fc.constantFrom('a', 'b');
const askedEnd = fc.record(
  { namespace: names, workload: names.map((text) => `deploy/${text}`) },
  { requiredKeys: [] },
);
const few = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: 1, maxLength: 2 });
const anyQuestion = fc.record(
  {
    since: fc.nat(1_500).map((ms) => NOON_MS + ms),
    until: fc.nat(2_000).map((ms) => NOON_MS + ms),
    namespaces: few(names),
    from: few(askedEnd),
    to: few(askedEnd),
    ports: few(fc.constantFrom(53, 80)),
    outcomes: few(fc.constantFrom(...OUTCOMES)),
    policies: few(names.map((text) => `a/${text}`)),
    external: fc.boolean(),
    not: few(fc.constantFrom('from', 'to', 'ports', 'outcomes', 'policies')),
    groupBy: fc.subarray([...GROUPS]),
  },
  { requiredKeys: ['since', 'until'] },
);

test('any question of any edges is answered as the obvious way does', () => {
  fc.assert(
    fc.property(fc.array(anyEdge, { maxLength: 40 }), anyQuestion, (edges, question) => {
      const { flows } = selectFlows(edges, question);
      const rows = flows.map(({ flows: count, packets, bytes_sent, bytes_received, first, last }) =>
        JSON.stringify({ flows: count, packets, bytes: bytes_sent + bytes_received, first, last }),
      );
      expect(rows.sort()).toEqual(obvious(edges, question));
      expect(flows.map((row) => observedFlow.check(row))).toEqual(flows.map(() => undefined));
      expect(flows.map((row) => row.flows)).toEqual(flows.map((row) => row.flows).sort((a, b) => b - a));
    }),
    { numRuns: 500 },
  );
});

test('the order in which edges come changes nothing, and no flow is lost uncounted', () => {
  fc.assert(
    fc.property(fc.array(anyEdge, { maxLength: 30 }), fc.integer({ min: 1, max: 5 }), (edges, limit) => {
      const asked = { ...ALWAYS, limit };
      const counts = (list: readonly ObservedFlow[]) => {
        const { flows, lost } = selectFlows(list, asked);
        return { rows: flows.map((row) => row.flows), lost: lost.map((one) => one.flows) };
      };
      const { rows, lost } = counts(edges);
      expect(counts([...edges].reverse())).toEqual({ rows, lost });
      const total = edges.reduce((sum, { flows }) => sum + flows, 0);
      expect([...rows, ...lost].reduce((sum, flows) => sum + flows, 0)).toBe(total);
    }),
  );
});

test('the bound of an answer is that of the form', () => {
  const edges = Array.from({ length: MAX_EDGES + 1 }, (_, at) =>
    edge('a/deploy/x', 'a/deploy/y', { service: `a/${at}` }),
  );
  expect(selectFlows(edges, ALWAYS).flows).toHaveLength(MAX_EDGES);
});
