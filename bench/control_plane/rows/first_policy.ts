/** The first policy of a namespace, for all its pods and from all its pods: when do all have it, and what else waits? */
import { lastFrames } from '../crowd/delays.ts';
import { ownPolicy, PODS_ONLY, type Shape, sidecarPods } from '../scale/shapes.ts';
import { PATIENCE_MS, p99, type RowRun, runRow, type Values, watchLateness } from './run_row.ts';

/** Pods of the namespace, by the name of the size. */
const SIZES = {
  full: { small: 1_000, large: 2_000 },
  quick: { small: 40, large: 80 },
} as const;

async function firstPolicy(run: RowRun, size: 'small' | 'large'): Promise<Values> {
  const pods = SIZES[run.isQuick ? 'quick' : 'full'][size];
  const shape: Shape = { ...PODS_ONLY, namespaces: 1, podsPerNamespace: pods };
  const way = run.unixWay();
  const injector = await run.startInjector(way, shape);
  const crowd = await run.startCrowd(way, sidecarPods(shape, 0, pods));
  await crowd.allServed(0, PATIENCE_MS);
  await run.settle();
  run.progress(`${pods} pods have tables, the policy is applied`);
  crowd.takeFrames();
  await injector.longestTurnMs();
  const late = watchLateness();
  const atMs = await injector.apply(ownPolicy(0));
  await crowd.allQuiet(atMs, PATIENCE_MS);
  const lateMs = late();
  const longestTurnMs = await injector.longestTurnMs();
  crowd.close();
  await injector.kill();
  const enforcedMs = p99(lastFrames(crowd.frames, atMs));
  run.progress(
    `${pods} pods: p99 ${Math.round(enforcedMs)} ms, longest turn ${Math.round(longestTurnMs)} ms of processor time`,
  );
  return {
    [`${size}_p99`]: enforcedMs,
    [`${size}_turn`]: longestTurnMs,
    [`${size}_late`]: lateMs,
  };
}

await runRow('first-policy', async (run) => ({
  ...(await firstPolicy(run, 'small')),
  ...(await firstPolicy(run, 'large')),
}));
