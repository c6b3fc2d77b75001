/** One namespace in which all pods may reach each other, over TLS: what its sidecars cost at rest, and when all come at once. */
import { nowMs } from '../crowd/crowd.ts';
import { PODS_ONLY, type Shape, sidecarPods } from '../scale/shapes.ts';
import { MIB, PATIENCE_MS, runRow } from './run_row.ts';

const PODS = { full: 2_000, quick: 60 } as const;

await runRow('one-namespace', async (run) => {
  const pods = run.isQuick ? PODS.quick : PODS.full;
  const shape: Shape = { ...PODS_ONLY, namespaces: 1, podsPerNamespace: pods, policiesPerNamespace: 1 };
  const way = await run.tlsWay();
  const first = await run.startInjector(way, shape);
  const beganMs = nowMs();
  const crowd = await run.startCrowd(way, sidecarPods(shape, 0, pods));
  const servedMs = (await crowd.allServed(beganMs, PATIENCE_MS)) - beganMs;
  await run.settle();
  const idleBytes = first.residentBytes;
  run.progress(
    `${pods} pods have tables after ${Math.round(servedMs)} ms, idle at ${Math.round(idleBytes / MIB)} MiB; the injector is killed`,
  );
  crowd.takeFrames();
  const before = crowd.tries;
  const killedMs = nowMs();
  await first.kill();
  const second = await run.startInjector(way, shape);
  const againMs = (await crowd.allServed(killedMs, PATIENCE_MS)) - killedMs;
  const { begun, made } = crowd.tries;
  run.progress(
    `all again after ${Math.round(againMs)} ms: ${begun - before.begun} connections were begun, ${made - before.made} of them made`,
  );
  await run.settle();
  return {
    idle: idleBytes / MIB,
    storm_peak: second.peakBytes / MIB,
    all_again: againMs,
    first_tables: servedMs,
    storm_core: second.cpuSeconds,
    storm_bytes: crowd.frames.reduce((sum, { bytes }) => sum + bytes, 0) / MIB,
  };
});
