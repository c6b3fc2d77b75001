import { expect, test } from 'vitest';
import { objectsOf, podOf, type Shape } from '../../../bench/control_plane/scale/shapes.ts';
import { ROWS } from '../../../bench/scale/catalogue.ts';
import { readScaleOptions, scaleHelp } from '../../../bench/scale/options.ts';
import { scalePage } from '../../../bench/scale/page.ts';
import type { ScaleResults } from '../../../bench/scale/results.ts';
import { summarize } from '../../../bench/statistics.ts';
import { resultsOf } from './results_builder.ts';

const read = (...argv: string[]) => readScaleOptions(argv, ['roll', 'idle']);

const results = (p99: number): ScaleResults => ({
  startedAt: '2030-01-02T03:04:05.000Z',
  seconds: 600,
  scale: 'full',
  machine: resultsOf({}).machine,
  rows: [
    {
      name: 'roll',
      title: 'A roll',
      method: 'Somehow.',
      seconds: 100,
      rounds: 3,
      failures: [],
      metrics: [
        {
          id: 'p99',
          title: 'changes, p99',
          unit: 'ms',
          wanted: 150,
          summary: summarize([p99, p99 - 10, p99 + 10]),
        },
        { id: 'core', title: 'core', unit: '%', wanted: 25 },
        { id: 'late', title: 'late', unit: 'ms', summary: summarize([3]) },
      ],
    },
  ],
});

test('without names all rows are measured, three times', () => {
  expect(read()).toEqual({ help: false, quick: false, docs: false, rounds: 3 });
});

test('a quick run is one round', () => {
  expect(read('roll', '--quick', '--schema', '1')).toEqual({
    help: false,
    quick: true,
    docs: false,
    rounds: 1,
    rows: ['roll'],
    schema: 1,
  });
});

test.each([
  [['rolls'], 'there is no row rolls; there is roll, idle'],
  [['--rounds', '0'], "--rounds is '0': wants a whole number 1-99"],
  [['--docs', 'roll'], '--docs wants a full run'],
  [['--docs', '--quick'], '--docs wants a full run'],
  [['--fast'], '--fast'],
])('%j is refused, and the message says what is wrong', (argv, said) => {
  expect(() => read(...argv)).toThrow(
    expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(said) }),
  );
});

test('the help text names every row', () => {
  for (const name of ['roll', 'idle']) expect(scaleHelp(['roll', 'idle'])).toContain(name);
});

test('names of rows, and of metrics in a row, are unique', () => {
  const names = ROWS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const { metrics } of ROWS) expect(new Set(metrics.map(({ id }) => id)).size).toBe(metrics.length);
});

test('the page says of each wanted figure whether it was reached, with the spread', () => {
  expect(scalePage(results(150))).toContain(
    '| roll | changes, p99 | at most 150 ms | 150 ms | 140 - 160 | yes |',
  );
  expect(scalePage(results(151))).toContain(
    '| roll | changes, p99 | at most 150 ms | 151 ms | 141 - 161 | **no** |',
  );
});

test('a figure that was not measured is neither reached nor missed', () => {
  expect(scalePage(results(150))).toContain('| roll | core | at most 25 % | not measured |  |  |');
});

test('what nobody wants stands in the section of its row alone', () => {
  const page = scalePage(results(150));
  expect(page).toContain('| late | ms | 3 | 3 - 3 |');
  expect(page).not.toContain('| roll | late');
});

test('before the first full run the page says so, and names what others reach', () => {
  const page = scalePage(undefined);
  expect(page).toContain('No full run has been recorded yet');
  expect(page).toMatch(/Antrea.*Typha.*istiod/s);
});

test('remarks stand under the table', () => {
  expect(scalePage(results(150), 'The roll: see the profile.\n')).toMatch(/reached \|.*\n\nThe roll: see/s);
});

test('no two pods of a cluster have an address in common, also after many rolls', () => {
  const shape: Shape = {
    namespaces: 500,
    podsPerNamespace: 200,
    policiesPerNamespace: 0,
    services: 0,
    endpointsPerService: 0,
  };
  const addresses = new Set<string>();
  for (let namespace = 0; namespace < shape.namespaces; namespace += 1)
    for (let place = 0; place < shape.podsPerNamespace; place += 1)
      for (const generation of [0, 1, 100])
        addresses.add(podOf(shape, namespace, place, generation).ips[0] ?? '');
  expect(addresses.size).toBe(3 * 100_000);
});

test('a cluster has the objects that its shape says', () => {
  const shape: Shape = {
    namespaces: 3,
    podsPerNamespace: 20,
    policiesPerNamespace: 4,
    services: 6,
    endpointsPerService: 5,
  };
  const counts = Map.groupBy(objectsOf(shape), ({ kind }) => kind);
  expect(Object.fromEntries([...counts].map(([kind, list]) => [kind, list.length]))).toEqual({
    Namespace: 3,
    NetworkPolicy: 12,
    Pod: 60,
    Service: 6,
    EndpointSlice: 6,
  });
});
