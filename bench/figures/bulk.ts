/** How fast bytes go, and what they cost. */
import { type BulkDirection, iperfClient, readBulk } from '../load/iperf3.ts';
import { runIperf } from '../load/iperf3_run.ts';
import { cpuSeconds } from '../process_usage.ts';
import type { Path } from '../rig/path.ts';
import type { Rig } from '../rig/rig.ts';
import type { Figure, Metric, Sample, Scale } from './figure.ts';

const STREAMS: readonly number[] = [1, 8];
const BITS_PER_GBIT = 1e9;

/** One and eight streams, both ways. */
export const BULK: Figure = {
  name: 'bulk',
  title: 'Bulk throughput, and processor time for it',
  method:
    'iperf3 with one and with eight streams, from the client (up) and to it (down). Processor time is that of the proxy alone, user and system, its threads and the tools it runs included; what the kernel does in the names of others is not in it.',
  tools: ['iperf3'],
  metrics: (scale) =>
    loads(scale).flatMap(({ streams, direction }): Metric[] => {
      const what = `${streams} stream${streams > 1 ? 's' : ''} ${direction}`;
      return [
        { id: rateId(streams, direction), title: what, unit: 'Gbit/s', better: 'more' },
        { id: cpuId(streams, direction), title: `CPU, ${what}`, unit: 's/Gbit', better: 'less' },
      ];
    }),
  paths: (chosen) => chosen,
  prepare: (rig, path) => rig.serve(path, 'iperf3'),
  measure: async (rig, path, scale) => {
    const sample: Record<string, number> = {};
    for (const load of loads(scale)) Object.assign(sample, await run(rig, path, { ...load, ...scale }));
    return sample;
  },
};

interface Load {
  readonly streams: number;
  readonly direction: BulkDirection;
}

/** A quick run goes one way: bytes come from the app. */
function loads(scale: Scale): readonly Load[] {
  const directions: readonly BulkDirection[] = scale.name === 'quick' ? ['down'] : ['up', 'down'];
  return directions.flatMap((direction) => STREAMS.map((streams) => ({ streams, direction })));
}

async function run(rig: Rig, path: Path, load: Load & { readonly seconds: number }): Promise<Sample> {
  const { streams, direction } = load;
  const { bitsPerSecond, cpuPerBit } = await moveBulk(rig, path, load);
  return {
    [rateId(streams, direction)]: bitsPerSecond / BITS_PER_GBIT,
    ...(cpuPerBit === undefined ? {} : { [cpuId(streams, direction)]: cpuPerBit * BITS_PER_GBIT }),
  };
}

/** One run of iperf3. `cpuPerBit`: seconds of the proxy's processor time; absent where there is no proxy. */
export async function moveBulk(
  rig: Rig,
  path: Path,
  load: { readonly streams: number; readonly direction: BulkDirection; readonly seconds: number },
): Promise<{ readonly bitsPerSecond: number; readonly cpuPerBit: number | undefined }> {
  const proxy = path.isDirect ? undefined : rig.proxy(path);
  const cpu = () => (proxy === undefined ? 0 : cpuSeconds(proxy.pid));
  const { output, before } = await runIperf(rig, iperfClient(rig.address(path), load), load.seconds, cpu);
  const bulk = readBulk(output);
  if (bulk === undefined) throw new Error(output);
  return {
    bitsPerSecond: bulk.bitsPerSecond,
    cpuPerBit: proxy === undefined ? undefined : (cpu() - before) / bulk.bits,
  };
}

function rateId(streams: number, direction: BulkDirection): string {
  return `bulk_${streams}_${direction}`;
}

function cpuId(streams: number, direction: BulkDirection): string {
  return `bulk_${streams}_${direction}_cpu`;
}
