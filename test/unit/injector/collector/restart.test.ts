/** The thread of the collector may fail: another takes its place, and nothing else is concerned. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Collector } from '../../../../injector/collector/index.ts';
import { createInjectorMetrics } from '../../../../injector/metrics.ts';
import type { ClusterSource, SourceListener } from '../../../../injector/source.ts';
import { flowsLine, LiveCluster, type Pod } from '../../../../policy/index.ts';
import { flowCount, flowsWindow } from '../../../builders/flow_windows.ts';
import { captureLog, type LogLine } from '../captured_log.ts';
import { waitFor } from '../wait_for.ts';

let collector: Collector;
let listeners: Set<SourceListener>;
let lines: LogLine[];

beforeEach(() => {
  listeners = new Set();
  const cluster = new LiveCluster();
  const object: Pod = {
    ...{
      namespace: 'shop',
      name: 'api',
      uid: 'api',
      labels: {},
      ips: ['10.0.0.2'],
      hostIPs: [],
      hostNetwork: false,
    },
    ...{ phase: 'Running', ports: [], workload: 'deploy/api' },
  };
  cluster.apply({ kind: 'Pod', key: 'shop/api', object });
  const source: ClusterSource = {
    ...{ cluster, problems: [], changeOrder: 'seen' },
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    refresh: async () => {},
    close: async () => {},
  };
  const captured = captureLog();
  lines = captured.lines;
  collector = new Collector({
    source,
    settings: { minutesHours: 24, hoursDays: 30, maxMegabytes: 100 },
    metrics: createInjectorMetrics(),
    log: captured.log,
    restartMs: 50,
  });
});
afterEach(() => collector.close());

const ask = () => collector.ask({ since: 0, until: Number.MAX_SAFE_INTEGER });

function take(): void {
  const line = flowsLine(1, JSON.stringify(flowsWindow([flowCount()])));
  collector.take({ namespace: 'shop', name: 'api' }, Buffer.from(line));
}

/** Something that no source tells, as a defect would. */
function breakThread(): void {
  for (const listener of listeners)
    listener.clusterChanged([{ kind: 'Pod', key: 'shop/bad', object: { ips: 7 } as never }]);
}

/** The collector's thread is started twice, which takes seconds on a busy machine; ms. */
const PATIENCE_MS = 15_000;

test('questions under way are refused, and the next thread knows the cluster and collects', async () => {
  take();
  await waitFor(async () => (await ask()).flows.length === 1, PATIENCE_MS);
  breakThread();
  await expect(ask()).rejects.toThrow(/^the collector/);
  await waitFor(
    () => lines.some(({ msg }) => msg.includes('until the collector is started again')),
    PATIENCE_MS,
  );
  take();
  const lost = [{ flows: 1, why: 'the collector had failed, and was started again' }];
  await waitFor(async () => (await ask().catch(() => undefined))?.lost.length === 1, PATIENCE_MS);
  expect(await ask()).toMatchObject({ flows: [], lost });
  take();
  await waitFor(async () => (await ask()).flows[0]?.dst.workload === 'deploy/api', PATIENCE_MS);
});

test('it ends while it waits to be started again', async () => {
  breakThread();
  await waitFor(
    () => lines.some(({ msg }) => msg.includes('until the collector is started again')),
    PATIENCE_MS,
  );
  await collector.close();
  expect(listeners.size).toBe(0);
});
