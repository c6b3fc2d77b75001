/** Results of a run, as tests need them. */
import type { Results } from '../../../bench/report/results.ts';
import { summarize } from '../../../bench/statistics.ts';

/** Results with these metrics: runs by path. */
export function resultsOf(
  metrics: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>,
  more: Partial<Results> = {},
): Results {
  return {
    startedAt: '2030-01-02T03:04:05.000Z',
    seconds: 900,
    scale: 'full',
    rounds: 5,
    sidecar: 'bundle',
    subject: 'sluice-splice',
    maxFlows: 10_000,
    machine: {
      processor: 'Some CPU',
      processors: 2,
      memoryGB: 8,
      system: 'Debian',
      kernel: '6.1',
      loadBefore: 0.1,
      versions: { HAProxy: '2.6' },
    },
    paths: {
      direct: 'direct',
      'sluice-splice': 'Sluice, splice relay',
      'haproxy-splice': 'HAProxy, splice',
      envoy: 'Envoy',
    },
    failed: {},
    figures: [
      {
        name: 'some',
        title: 'Some figure',
        method: 'Somehow.',
        seconds: 10,
        rounds: 5,
        failures: [],
        metrics: Object.entries(metrics).map(([id, paths]) => ({
          id,
          title: id,
          unit: 'Gbit/s',
          better: 'more' as const,
          paths: Object.fromEntries(Object.entries(paths).map(([name, runs]) => [name, summarize(runs)])),
        })),
      },
    ],
    ...more,
  };
}
