/** Whether more policies make a connection slower. */
import { RESPONSE_BYTES, SMALL_RESPONSE_BYTES } from '../load/web_server.ts';
import { policyPaths } from '../paths/catalogue.ts';
import { connectOften } from './connections.ts';
import type { Figure, Scale } from './figure.ts';

/** The size of a quick run: where a connection is most of the work. */
const QUICK_BYTES: readonly number[] = [SMALL_RESPONSE_BYTES];

const WARM_UP_SECONDS = 1;

const OWN_PATHS = policyPaths();

/** 0, 200 and 1,000 policies that select the pod. */
export const POLICIES: Figure = {
  name: 'policies',
  title: 'Time of a request by number of policies',
  method:
    'Sluice with its default relay. ab asks nginx for a file on a connection of its own each time, one at a time: median time from connect to close. All policies select the pod; only the last admits the client.',
  times: 2,
  tools: ['ab', 'nginx'],
  metrics: (scale) =>
    sizes(scale).map((bytes) => ({
      id: metricId(bytes),
      title: `${bytes} bytes`,
      unit: 'ms',
      better: 'less',
    })),
  ownPaths: OWN_PATHS,
  paths: () => OWN_PATHS,
  prepare: async (rig, path) => {
    await rig.serve(path, 'nginx');
    // Differences of a few hundredths are looked for: what a first run compiles and loads would hide them.
    await rig.measureOnly(path);
    await connectOften(rig, path, { concurrency: 1, seconds: WARM_UP_SECONDS, bytes: SMALL_RESPONSE_BYTES });
  },
  measure: async (rig, path, scale) => {
    const sample: Record<string, number> = {};
    for (const bytes of sizes(scale)) {
      const { p50Ms } = await connectOften(rig, path, { concurrency: 1, seconds: 1, bytes });
      sample[metricId(bytes)] = p50Ms;
    }
    return sample;
  },
};

function sizes(scale: Scale): readonly number[] {
  return scale.name === 'quick' ? QUICK_BYTES : RESPONSE_BYTES;
}

function metricId(bytes: number): string {
  return `policies_${bytes}`;
}
