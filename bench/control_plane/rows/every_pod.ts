/** In a large cluster, one namespace is given a policy whose peers are every pod of the cluster: what do the others notice? */
import { setTimeout as sleep } from 'node:timers/promises';
import { delaysOf } from '../crowd/delays.ts';
import { everyPodPolicy, PODS_ONLY, podOf, type Shape, sidecarPods } from '../scale/shapes.ts';
import { MIB, PATIENCE_MS, p99, runRow, watchLateness } from './run_row.ts';

/** The first namespace has sidecars in all its pods; `others` have them in their first `quiet` pods, and change. */
const SIZES = {
  full: { namespaces: 500, pods: 200, policies: 10, others: 20, quiet: 10, changes: 20, seconds: 30 },
  quick: { namespaces: 10, pods: 20, policies: 10, others: 4, quiet: 5, changes: 20, seconds: 1 },
} as const;

/** Of a quick run: else no group of it would be large. */
const QUICK_LARGE_GROUP = 100;

/** Pods of other namespaces that each sidecar of the policy asks about, once it has the policy. */
const MET = 20;

/** For what is on its way when the changes end, ms. */
const TAIL_MS = 2_000;

await runRow('every-pod', async (run) => {
  const { namespaces, pods, policies, others, quiet, changes, seconds } = run.isQuick
    ? SIZES.quick
    : SIZES.full;
  const shape: Shape = {
    ...PODS_ONLY,
    namespaces,
    podsPerNamespace: pods,
    policiesPerNamespace: policies,
    ...(run.isQuick ? { largeGroup: QUICK_LARGE_GROUP } : {}),
  };
  const way = run.unixWay();
  const injector = await run.startInjector(way, shape);
  const own = await run.startCrowd(way, sidecarPods(shape, 0, pods));
  const quietNamespaces = Array.from({ length: others }, (_, index) => index + 1);
  const crowd = await run.startCrowd(
    way,
    quietNamespaces.flatMap((namespace) => sidecarPods(shape, namespace, quiet, namespace * pods)),
  );
  const members = quietNamespaces.flatMap((namespace) => Array.from({ length: quiet }, () => namespace));
  await Promise.all([own.allServed(0, PATIENCE_MS), crowd.allServed(0, PATIENCE_MS)]);
  await run.settle();
  const roll = { firstNamespace: 1, namespaces: others, firstPlace: quiet, changesPerSecond: changes };
  /** Pods that stay: the last ones of the namespaces after those that change. */
  const peersOf = (place: number): readonly string[] =>
    Array.from({ length: MET }, (_, i) => {
      const namespace = 1 + others + ((place + i) % (namespaces - others - 1));
      return podOf(shape, namespace, (place * MET + i) % pods).ips[0] ?? '';
    });
  const change = async (whileMs: number) => {
    injector.roll(roll);
    await sleep(whileMs);
    const made = await injector.rest();
    await sleep(TAIL_MS);
    return delaysOf(made, crowd.takeFrames(), members);
  };
  crowd.takeFrames();
  run.progress(`${namespaces * pods} pods, the others change alone`);
  const alone = await change((seconds * 1000) / 6);
  run.progress('the policy is applied');
  own.takeFrames();
  injector.forgetPeak();
  await injector.longestTurnMs();
  const late = watchLateness();
  const atMs = await injector.apply(everyPodPolicy(0));
  const meeting = own.allServed(atMs, PATIENCE_MS).then(
    async (firstAtMs) => ({ firstAtMs, met: await own.meet(peersOf, PATIENCE_MS) }),
    () => ({ firstAtMs: Number.NaN, met: [] }),
  );
  const beside = await change(seconds * 1000);
  const lateMs = late();
  const longestTurnMs = await injector.longestTurnMs();
  const { firstAtMs, met } = await meeting;
  return {
    others_p99: p99(beside.ms),
    turn: longestTurnMs,
    alone_p99: p99(alone.ms),
    missed: beside.missed,
    others_cut: crowd.reconnects,
    own_first: firstAtMs - atMs,
    own_met: p99(met),
    own_bytes: own.frames.reduce((sum, { bytes }) => sum + bytes, 0) / MIB,
    peak: injector.peakBytes / MIB,
    late: lateMs,
  };
});
