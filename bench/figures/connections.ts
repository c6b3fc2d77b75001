/** How many flows can come and go: where the verdict is taken. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { abClient, type Connections, readConnections } from '../load/ab.ts';
import { runTool } from '../load/tool.ts';
import { fileUrl, SMALL_RESPONSE_BYTES } from '../load/web_server.ts';
import { cpuSeconds } from '../process_usage.ts';
import type { Path } from '../rig/path.ts';
import type { Rig } from '../rig/rig.ts';
import type { Figure } from './figure.ts';

/** Connections under way at a time: enough to keep two processors busy, few enough to queue little. */
const CONCURRENCY = 8;

const MS_PER_SECOND = 1000;

/** The processor time is that of so many. */
const CONNECTIONS_PER_VALUE = 1000;

/** A connection for each request. */
export const CONNECTIONS: Figure = {
  name: 'connections',
  title: 'Connect, request, close',
  method: `ab asks nginx for ${SMALL_RESPONSE_BYTES} bytes on a connection of its own each time, ${CONCURRENCY} at a time. Sluice writes a record of each flow, as it ships; the others log nothing. A sidecar of the direct path has no part in a connection but its record.`,
  tools: ['ab', 'nginx'],
  metrics: () => [
    { id: 'connections_rate', title: 'rate', unit: '1/s', better: 'more' },
    { id: 'connections_p99', title: 'p99', unit: 'ms', better: 'less' },
    { id: 'connections_cpu', title: "the proxy's CPU per 1,000 connections", unit: 'ms', better: 'less' },
  ],
  paths: (chosen) => chosen,
  prepare: (rig, path) => rig.serve(path, 'nginx'),
  measure: async (rig, path, { seconds }) => {
    const load = { concurrency: CONCURRENCY, seconds, bytes: SMALL_RESPONSE_BYTES };
    const proxy = rig.proxy(path);
    const before = proxy === undefined ? 0 : cpuSeconds(proxy.pid);
    const { requests, perSecond, p99Ms } = await connectOften(rig, path, load);
    return {
      connections_rate: perSecond,
      connections_p99: p99Ms,
      ...(proxy === undefined
        ? {}
        : {
            connections_cpu:
              ((cpuSeconds(proxy.pid) - before) * MS_PER_SECOND * CONNECTIONS_PER_VALUE) / requests,
          }),
    };
  },
};

/** Runs ab on a path. */
export async function connectOften(
  rig: Rig,
  path: Path,
  load: { readonly concurrency: number; readonly seconds: number; readonly bytes: number },
): Promise<Connections> {
  const csv = join(rig.folder, 'ab.csv');
  const argv = abClient(fileUrl(rig.address(path), load.bytes), { ...load, csv });
  const output = await runTool(rig, argv, load.seconds * MS_PER_SECOND);
  return readConnections(output, readFileSync(csv, 'utf8'));
}
