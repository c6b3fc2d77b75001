import { expect, test } from 'vitest';
import { documentOf, printed } from '../../../bench/report/document.ts';
import { pages } from '../../../bench/report/page.ts';
import type { Results } from '../../../bench/report/results.ts';
import { judge } from '../../../bench/report/targets.ts';
import { resultsOf } from './results_builder.ts';

const bulk = (sluice: number) =>
  resultsOf({
    bulk_8_down: { direct: [20], 'sluice-splice': [sluice], 'haproxy-splice': [10], envoy: [8] },
  });

const bulkTargets = (results: Results) =>
  judge(results).filter(({ metric, reached }) => metric === 'bulk_8_down' && reached !== undefined);

test('a target that is just reached is met, one that is missed by a little is not', () => {
  expect(bulkTargets(bulk(11.5))).toMatchObject([
    { against: 'haproxy-splice', value: 1.15, reached: 1.15, met: true },
    { against: 'envoy', value: 1.2, met: true },
  ]);
  expect(bulkTargets(bulk(11.49))[0]).toMatchObject({ met: false });
});

test('a target with an upper bound is missed above it', () => {
  const cut = (p99: number) => judge(resultsOf({ cut_p99: { 'sluice-splice': [p99] } }));
  expect(cut(60).find(({ metric }) => metric === 'cut_p99')).toMatchObject({ reached: 60, met: true });
  expect(cut(61).find(({ metric }) => metric === 'cut_p99')).toMatchObject({ met: false });
});

test('the direct path is compared with no rules at all, and its processor time with that of the proxy', () => {
  const targets = judge(
    resultsOf({
      bulk_1_down: { direct: [20], 'sluice-direct': [19.4], 'sluice-splice': [14] },
      connections_cpu: { 'sluice-direct': [50], 'sluice-splice': [100] },
    }),
  );
  const own = targets.filter(({ path, reached }) => path === 'sluice-direct' && reached !== undefined);
  expect(own).toMatchObject([
    { metric: 'bulk_1_down', against: 'direct', reached: 0.97, met: true },
    { metric: 'connections_cpu', against: 'sluice-splice', reached: 0.5, met: false },
  ]);
});

test('one stream through a relay has no target against HAProxy', () => {
  const targets = judge(resultsOf({ bulk_1_up: { 'sluice-splice': [9], 'haproxy-splice': [10] } }));
  expect(targets.filter(({ reached }) => reached !== undefined)).toEqual([]);
});

test('each row of what is to be reached is there: the gate, the cuts, the memory of a flow, and the direct path', () => {
  const targets = judge(
    resultsOf({
      packets_tcp: { direct: [100], 'gate-0': [99], 'gate-10000': [97] },
      cut_many_p99: { 'sluice-splice': [400], 'sluice-direct': [401] },
      memory_flow_more: { 'sluice-direct': [0.25] },
      connections_rate: { direct: [100], 'sluice-direct': [79] },
    }),
  );
  expect(targets.filter(({ reached }) => reached !== undefined)).toMatchObject([
    { metric: 'cut_many_p99', value: 400, reached: 400, met: true },
    { metric: 'connections_rate', path: 'sluice-direct', reached: 0.79, met: false },
    { metric: 'memory_flow_more', path: 'sluice-direct', value: 0.3, reached: 0.25, met: true },
    { metric: 'cut_many_p99', path: 'sluice-direct', reached: 401, met: false },
    { metric: 'packets_tcp', path: 'gate-10000', reached: 0.97, met: true },
  ]);
});

test('what was not measured is neither met nor missed', () => {
  const targets = judge(resultsOf({ bulk_1_down: { 'sluice-splice': [10] } }));
  expect(targets.every(({ met }) => met === undefined)).toBe(true);
});

test('the document has the ratios to each path that others are compared with', () => {
  const { ratios } = JSON.parse(printed(documentOf(bulk(12))));
  expect(ratios.bulk_8_down.direct['sluice-splice'].ratio).toBe(0.6);
  expect(ratios.bulk_8_down['haproxy-splice']['sluice-splice'].ratio).toBe(1.2);
  expect(ratios.bulk_8_down.envoy['sluice-splice'].ratio).toBe(1.5);
});

test('the page says of each target whether it was met, and shows a missed one as it is', () => {
  const page = pages(bulk(11)).get('benchmarks.md') ?? '';
  expect(page).toContain(
    '| Bulk, 8 streams down | Sluice, splice relay | HAProxy, splice | at least 1.15 | 1.100 | **no** |',
  );
  expect(page).toContain(
    '| Bulk, 8 streams down | Sluice, splice relay | Envoy | at least 1.2 | 1.375 | yes |',
  );
});

test('the page has a row for each path, with spread and ratios, and its plot', () => {
  const made = pages(resultsOf({ bulk_1_down: { direct: [20, 30, 25], 'haproxy-splice': [10, 15, 12.5] } }));
  expect(made.get('benchmarks.md')).toContain('| HAProxy, splice | 12.5 | 10 - 15 | 0.50 | 1.00 |');
  expect(made.get('benchmarks.md')).toContain('(benchmarks/some.svg)');
  expect(made.get('benchmarks/some.svg')).toMatch(/^<svg .*>HAProxy, splice<.*>0\.50<.*<\/svg>\n$/s);
});

test('the page warns where others were at work on the machine', () => {
  const quiet = bulk(12);
  const busy = { ...quiet, machine: { ...quiet.machine, loadBefore: 3.5 } };
  expect(pages(quiet).get('benchmarks.md')).not.toContain('provisional');
  expect(pages(busy).get('benchmarks.md')).toContain('its load was 3.5 before the run');
});

test('the page says how many runs were disturbed and how many were made again, and warns where they are many', () => {
  const quietly = (disturbed: number, repeated: number) => {
    const results = bulk(12);
    const quiet = { runs: 40, disturbed, repeated, most: 0.31 };
    return pages({ ...results, figures: results.figures.map((figure) => ({ ...figure, quiet })) }).get(
      'benchmarks.md',
    );
  };
  expect(quietly(0, 0)).not.toContain('others were at work');
  expect(quietly(0, 2)).toContain('because others were at work on the machine: 2; so disturbed were 0 of');
  expect(quietly(2, 2)).not.toContain('provisional');
  expect(quietly(3, 2)).toContain('others used more than 5 % during 3 of 40 runs. Take these figures');
});

test('the page warns where others used the processors before the run', () => {
  const quiet = bulk(12);
  const busy = { ...quiet, machine: { ...quiet.machine, othersBefore: 0.4 } };
  expect(pages(busy).get('benchmarks.md')).toContain('others used 40 % of its processors before the run');
});

test('the page says of which paths there were fewer runs', () => {
  const page = pages(resultsOf({ rate: { direct: [1, 1, 1, 1, 1], envoy: [1, 1, 1] } })).get('benchmarks.md');
  expect(page).toContain('5 runs on each path; 3 on Envoy.');
});

test('values without a reference are drawn as they were measured', () => {
  const svg = pages(resultsOf({ cut_p99: { 'sluice-splice': [40, 50, 60] } })).get('benchmarks/some.svg');
  expect(svg).toMatch(/cut_p99 \(more is better\), Gbit\/s<.*>Sluice, splice relay<.*>50<.*<\/svg>/s);
});

test('the page names the congestion control, and says whether other proxies had the gate before them, where a run noted it', () => {
  const before = bulk(12);
  const noted = {
    ...before,
    gateBeforePeers: true,
    machine: { ...before.machine, congestionControl: 'cubic' },
  };
  expect(pages(noted).get('benchmarks.md')).toContain('Linux 6.1, TCP congestion control cubic; load 0.1');
  expect(pages(noted).get('benchmarks.md')).toContain('the same TPROXY rules and the same gate, in one run');
  expect(pages(before).get('benchmarks.md')).toContain('Linux 6.1; load 0.1');
  expect(pages(before).get('benchmarks.md')).toContain("though without Sluice's gate, in one run");
});

test('the page says how many runs failed and were made again', () => {
  const results = bulk(12);
  const figures = results.figures.map((figure) => ({ ...figure, failures: ['envoy: no answer'] }));
  expect(pages(results).get('benchmarks.md')).not.toContain('failed');
  expect(pages({ ...results, figures }).get('benchmarks.md')).toContain(
    'Runs that failed and were made again: 1',
  );
});

test('what people say of the results stands under the targets', () => {
  const page = pages(bulk(12), 'Bulk: see the profile.\n').get('benchmarks.md') ?? '';
  expect(page).toMatch(/## Targets\n.*\n\nBulk: see the profile\.\n\n## How it is measured/s);
});

test('before the first full run the page says so, and has no plots', () => {
  expect([...pages(undefined)]).toEqual([
    ['benchmarks.md', expect.stringContaining('No full run has been recorded yet')],
  ]);
});
