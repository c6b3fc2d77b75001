/** How long a small message and its answer take. */
import { readRoundTrip, sockperfClient } from '../load/sockperf.ts';
import { runTool } from '../load/tool.ts';
import type { Figure } from './figure.ts';

const MESSAGE_BYTES = 64;
const MS_PER_SECOND = 1000;

/** 64 bytes there and back on one connection. */
export const ROUND_TRIP: Figure = {
  name: 'round-trip',
  title: 'Round trip of 64 bytes',
  method: 'sockperf, one connection, one message under way at a time.',
  tools: ['sockperf'],
  metrics: () => [
    { id: 'round_trip_p50', title: 'p50', unit: 'us', better: 'less' },
    { id: 'round_trip_p99', title: 'p99', unit: 'us', better: 'less' },
    { id: 'round_trip_p999', title: 'p99.9', unit: 'us', better: 'less' },
  ],
  paths: (chosen) => chosen,
  prepare: (rig, path) => rig.serve(path, 'sockperf'),
  measure: async (rig, path, { seconds }) => {
    const argv = sockperfClient(rig.address(path), { bytes: MESSAGE_BYTES, seconds });
    const { p50, p99, p999 } = readRoundTrip(await runTool(rig, argv, seconds * MS_PER_SECOND));
    return { round_trip_p50: p50, round_trip_p99: p99, round_trip_p999: p999 };
  },
};
