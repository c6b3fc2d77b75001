/** The first policy that isolates egress, in a namespace with many pods and Services: every table gets the Services. */
import { lastFrames } from '../crowd/delays.ts';
import { egressPolicy, PODS_ONLY, type Shape, sidecarPods } from '../scale/shapes.ts';
import { MIB, PATIENCE_MS, p99, runRow, watchLateness } from './run_row.ts';

const SIZES = {
  full: { pods: 2_000, services: 2_000 },
  quick: { pods: 50, services: 50 },
} as const;

const ENDPOINTS = 5;

await runRow('services', async (run) => {
  const { pods, services } = run.isQuick ? SIZES.quick : SIZES.full;
  const shape: Shape = {
    ...PODS_ONLY,
    namespaces: 1,
    podsPerNamespace: pods,
    services,
    endpointsPerService: ENDPOINTS,
  };
  const way = run.unixWay();
  const injector = await run.startInjector(way, shape);
  const crowd = await run.startCrowd(way, sidecarPods(shape, 0, pods));
  await crowd.allServed(0, PATIENCE_MS);
  await run.settle();
  run.progress(`${pods} pods have tables, the policy is applied`);
  crowd.takeFrames();
  injector.forgetPeak();
  await injector.longestTurnMs();
  const late = watchLateness();
  const atMs = await injector.apply(egressPolicy(0));
  await crowd.allQuiet(atMs, PATIENCE_MS);
  return {
    p99: p99(lastFrames(crowd.frames, atMs)),
    peak: injector.peakBytes / MIB,
    turn: await injector.longestTurnMs(),
    bytes: crowd.frames.reduce((sum, { bytes }) => sum + bytes, 0) / MIB,
    late: late(),
  };
});
