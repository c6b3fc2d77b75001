/** What a flow costs the sidecar's main thread: it judges, follows and records each. */
import { SIDECAR_PORTS } from '../../common/contract.ts';
import { SMALL_RESPONSE_BYTES } from '../load/web_server.ts';
import { mainThreadSeconds } from '../process_usage.ts';
import type { Path } from '../rig/path.ts';
import type { Rig } from '../rig/rig.ts';
import { connectOften } from './connections.ts';
import { type Figure, type Sample, usualSluices } from './figure.ts';

/** Connections under way at a time: some thousands a second, and as many as come, which is some 10,000 a second. */
const LOADS: readonly number[] = [1, 8];

const MS_PER_SECOND = 1000;
const CONNECTIONS_PER_VALUE = 1000;

/** How long records may wait, until the counters are read, in milliseconds. */
const TO_RECORD_MS = 500;

/** Connections that come as fast as the path takes them. */
export const FLOW_EVENTS: Figure = {
  name: 'flow-events',
  title: "Cost of a flow's events",
  method: `ab asks nginx for ${SMALL_RESPONSE_BYTES} bytes on a connection of its own each time, one and eight at a time. Processor time is that of the sidecar's main thread, which hears of each connection and of its end, judges and records it. What has no record is counted by the sidecar's metrics.`,
  tools: ['ab', 'nginx'],
  slow: true,
  metrics: () =>
    LOADS.flatMap((load) => [
      { id: `events_${load}_rate`, title: `rate, ${load} at a time`, unit: '1/s', better: 'more' },
      {
        id: `events_${load}_cpu`,
        title: `main thread's CPU per 1,000 connections, ${load} at a time`,
        unit: 'ms',
        better: 'less',
      },
      {
        id: `events_${load}_lost`,
        title: `connections without a record, ${load} at a time`,
        unit: 'of 1,000',
        better: 'less',
      },
    ]),
  paths: usualSluices,
  prepare: (rig, path) => rig.serve(path, 'nginx'),
  measure: async (rig, path, { seconds }) => {
    const sample: Record<string, number> = {};
    for (const load of LOADS) Object.assign(sample, await run(rig, path, load, seconds));
    return sample;
  },
};

async function run(rig: Rig, path: Path, concurrency: number, seconds: number): Promise<Sample> {
  const proxy = rig.proxy(path);
  if (proxy === undefined) throw new Error(`${path.name} has no sidecar`);
  const recordedBefore = await recorded(rig, path);
  const before = mainThreadSeconds(proxy.pid);
  const load = { concurrency, seconds, bytes: SMALL_RESPONSE_BYTES };
  const { requests, perSecond } = await connectOften(rig, path, load);
  await new Promise((resolve) => setTimeout(resolve, TO_RECORD_MS));
  const cpuSeconds = mainThreadSeconds(proxy.pid) - before;
  const records = (await recorded(rig, path)) - recordedBefore;
  return {
    [`events_${concurrency}_rate`]: perSecond,
    [`events_${concurrency}_cpu`]: (cpuSeconds * MS_PER_SECOND * CONNECTIONS_PER_VALUE) / requests,
    [`events_${concurrency}_lost`]: (Math.max(requests - records, 0) * CONNECTIONS_PER_VALUE) / requests,
  };
}

/** Flows that the sidecar has recorded since it began. */
async function recorded(rig: Rig, path: Path): Promise<number> {
  const asked = {
    do: 'http',
    address: rig.address(path),
    port: SIDECAR_PORTS.admin,
    path: '/metrics',
  } as const;
  const { status, body } = await rig.agent.ask(asked);
  if (status !== 200) throw new Error(`${path.name}: no metrics, status ${status}`);
  return [...body.matchAll(/^sluice_connections_total\{[^}]*direction="ingress"[^}]*\} (\d+)$/gm)].reduce(
    (sum, [, value]) => sum + Number(value),
    0,
  );
}
