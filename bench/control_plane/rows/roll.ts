/** A Deployment is rolled out in a large namespace, over TLS: all sidecars hear of every pod that goes and comes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { delaysOf } from '../crowd/delays.ts';
import { PODS_ONLY, type Shape, sidecarPods } from '../scale/shapes.ts';
import { PATIENCE_MS, p99, runRow, watchLateness } from './run_row.ts';

/** `rolled` pods beside those with sidecars are replaced in `seconds`. */
const SIZES = {
  full: { sidecars: 2_000, rolled: 500, seconds: 30 },
  quick: { sidecars: 50, rolled: 20, seconds: 1 },
} as const;

/** For what is on its way when the roll ends, ms. */
const TAIL_MS = 2_000;

await runRow('roll', async (run) => {
  const { sidecars, rolled, seconds } = run.isQuick ? SIZES.quick : SIZES.full;
  const podsPerNamespace = sidecars + rolled;
  const shape: Shape = { ...PODS_ONLY, namespaces: 1, podsPerNamespace, policiesPerNamespace: 1 };
  const way = await run.tlsWay();
  const injector = await run.startInjector(way, shape);
  const crowd = await run.startCrowd(way, sidecarPods(shape, 0, sidecars));
  await crowd.allServed(0, PATIENCE_MS);
  await run.settle();
  run.progress(`${sidecars} pods have tables, ${rolled} others are replaced in ${seconds} s`);
  crowd.takeFrames();
  await injector.longestTurnMs();
  const late = watchLateness();
  const cpuBefore = injector.cpuSeconds;
  const changesPerSecond = (2 * rolled) / seconds;
  injector.roll({ firstNamespace: 0, namespaces: 1, firstPlace: sidecars, changesPerSecond });
  await sleep(seconds * 1000);
  const cpu = injector.cpuSeconds - cpuBefore;
  const changes = await injector.rest();
  const lateMs = late();
  await sleep(TAIL_MS);
  const frames = crowd.takeFrames();
  const { ms, missed } = delaysOf(
    changes,
    frames,
    Array.from({ length: sidecars }, () => 0),
  );
  return {
    p99: p99(ms),
    core: (100 * cpu) / seconds,
    turn: await injector.longestTurnMs(),
    frames: frames.length / seconds,
    missed,
    late: lateMs,
  };
});
