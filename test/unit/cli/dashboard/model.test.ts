/** What the dashboard's page works out: links, filters, commands, words, use of rules. */
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  agoText,
  canCommand,
  countText,
  FlowStore,
  flowFilter,
  keyOf,
  linkGraph,
  ruleUse,
  shellWord,
  workloadEnd,
} from '../../../../cli/dashboard/page/model/index.ts';
import { anyEdge, edge } from '../../../builders/observed_flows.ts';

const NOTHING = { allowed: [], alone: [], byNamespace: false };

describe('links', () => {
  test('flows of one outcome between two ends are one link, whatever their ports', () => {
    const flows = [
      edge('shop/deploy/web', 'shop/deploy/cart', { flows: 2 }),
      edge('shop/deploy/web', 'shop/deploy/cart', { flows: 5, port: 9090 }),
      edge('shop/deploy/web', 'shop/deploy/cart', { outcome: 'deny' }),
    ];
    const { links } = linkGraph({ ...NOTHING, flows });
    expect(links.map(({ state, count }) => [state, count])).toEqual([
      ['allow', 7],
      ['deny', 1],
    ]);
    expect(links[0]?.flows.map(({ flows: count }) => count)).toEqual([5, 2]);
  });

  test('what is allowed and was not used is a link; what was used is none', () => {
    const pair = (name: string) => ({
      src: { namespace: 'shop', workload: 'deploy/web' },
      dst: { namespace: 'shop', workload: `deploy/${name}` },
      ports: 'TCP/8080',
      rules: [],
    });
    const flows = [
      edge('shop/deploy/web', 'shop/deploy/used'),
      edge('shop/deploy/web', 'shop/deploy/denied', { outcome: 'deny' }),
    ];
    const { links } = linkGraph({ ...NOTHING, flows, allowed: ['used', 'unused', 'denied'].map(pair) });
    expect(links.filter(({ state }) => state === 'unused').map(({ to }) => to.label)).toEqual([
      'unused',
      'denied',
    ]);
  });

  test('ends of other names are other ends, even where their names run together', () => {
    const ends = [
      workloadEnd('a', 'deploy/b'),
      workloadEnd('a/deploy', 'b'),
      workloadEnd('a","deploy/b', ''),
    ];
    expect(new Set(ends.map(({ id }) => id)).size).toBe(3);
  });

  test('many addresses outside are one end; a few are drawn', () => {
    const flowsTo = (count: number) =>
      Array.from({ length: count }, (_, at) => edge('shop/deploy/web', `203.0.113.${at}`));
    expect(linkGraph({ ...NOTHING, flows: flowsTo(6) }).ends).toHaveLength(7);
    expect(linkGraph({ ...NOTHING, flows: flowsTo(7) }).ends).toHaveLength(2);
  });

  test('no flow is lost or counted twice', () => {
    fc.assert(
      fc.property(fc.array(anyEdge), fc.boolean(), (flows, byNamespace) => {
        const sum = (counts: readonly number[]) => counts.reduce((all, count) => all + count, 0);
        const { links } = linkGraph({ ...NOTHING, flows, byNamespace });
        expect(sum(links.map(({ count }) => count))).toBe(sum(flows.map((flow) => flow.flows)));
        const store = new FlowStore({ flows });
        expect(sum(store.flows.map((flow) => flow.flows))).toBe(sum(flows.map((flow) => flow.flows)));
        expect(store.flows).toHaveLength(new Set(flows.map(keyOf)).size);
      }),
    );
  });
});

test('keeps as many kinds of flows as an answer has, and counts the rest', () => {
  const store = new FlowStore();
  for (let at = 0; at < 10_002; at += 1)
    store.add(edge('shop/deploy/web', `shop/deploy/a-${at}`, { flows: 3 }));
  expect([store.flows.length, store.left]).toEqual([10_000, 6]);
});

describe('commands', () => {
  test('name both ends, the port and the objects', () => {
    const flow = edge('shop/deploy/web', 'shop/sts/db', { port: 53, protocol: 'UDP' });
    expect(canCommand(flow, ['-f', 'my files/'])).toBe(
      "sluice can shop/deploy/web shop/sts/db 53/UDP -f 'my files/'",
    );
    expect(canCommand(edge('203.0.113.7', 'shop/sts/db'), [])).toBe(
      'sluice can 203.0.113.7 shop/sts/db 8080',
    );
  });

  test('are one word each for a shell, whatever names hold', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')),
          { minLength: 1, maxLength: 4 },
        ),
        (words) => {
          const line = words.map(shellWord).join(' ');
          const printed = execFileSync('sh', ['-c', `for word in ${line}; do printf '%s\\0' "$word"; done`], {
            encoding: 'utf8',
          });
          expect(printed.split('\0').slice(0, -1)).toEqual(words);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('are none where a name would steer a terminal, or an end has no name', () => {
    for (const name of ['a\u001b[2J', 'a\nrm -rf ~', 'a\u009b31m', 'a\r'])
      expect(canCommand(edge(`shop/deploy/${name}`, 'shop/sts/db'), [])).toBeUndefined();
    expect(canCommand(edge('node/n1', 'shop/sts/db'), [])).toBeUndefined();
  });
});

test('filters by namespace of either end, and by words in any order', () => {
  const flow = edge('front/deploy/gateway', 'shop/deploy/web', { policy: 'shop/web-from-front', port: 8080 });
  const fits = (namespace: string, text: string) => flowFilter({ namespace, text })(flow);
  expect([fits('shop', ''), fits('front', ''), fits('other', '')]).toEqual([true, true, false]);
  expect([fits('', 'WEB gate'), fits('', '8080 from-front'), fits('', 'gate cart')]).toEqual([
    true,
    true,
    false,
  ]);
});

test('counts what a rule admitted, and the denials to which it came nearest', () => {
  const near = [
    { policy: 'shop/a', rule: 1, lacks: [] },
    { policy: 'shop/b', rule: 0, lacks: [] },
  ];
  const useOf = ruleUse([
    edge('shop/deploy/web', 'shop/sts/db', { policy: 'shop/a', rule: 0, flows: 4 }),
    edge('shop/deploy/web', 'shop/sts/db', { policy: 'shop/a', rule: 0, flows: 1, direction: 'egress' }),
    edge('shop/deploy/mail', 'shop/sts/db', { outcome: 'deny', flows: 9, near }),
  ]);
  expect(useOf('shop/a', 'ingress', 0)).toMatchObject({ hits: 4, nearest: 0 });
  expect(useOf('shop/a', 'ingress', 1)).toEqual({ hits: 0, nearest: 9, last: '' });
  expect(useOf('shop/b', 'ingress', 0)).toMatchObject({ hits: 0, nearest: 0 });
});

test('numbers and times are short', () => {
  expect([0, 999, 1_000, 9_940, 9_999, 48_210, 999_499, 3_100_000].map(countText)).toEqual([
    '0',
    '999',
    '1k',
    '9.9k',
    '10k',
    '48k',
    '999k',
    '3.1M',
  ]);
  const now = Date.parse('2026-11-30T12:00:00Z');
  expect(
    ['2026-11-30T11:59:58Z', '2026-11-30T11:00:00Z', '2026-11-28T12:00:00Z', 'x'].map((time) =>
      agoText(time, now),
    ),
  ).toEqual(['2 s ago', '60 min ago', '2 days ago', 'at an unknown time']);
});
