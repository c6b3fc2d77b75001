/** Many sidecars of a quiet cluster at one replica, over TLS: what keeping their connections costs. */
import { setTimeout as sleep } from 'node:timers/promises';
import { PODS_ONLY, type Shape, sidecarPods } from '../scale/shapes.ts';
import { MIB, PATIENCE_MS, runRow } from './run_row.ts';

const SIZES = {
  full: { namespaces: 50, pods: 100, seconds: 30 },
  quick: { namespaces: 5, pods: 10, seconds: 1 },
} as const;

await runRow('idle', async (run) => {
  const { namespaces, pods, seconds } = run.isQuick ? SIZES.quick : SIZES.full;
  const shape: Shape = { ...PODS_ONLY, namespaces, podsPerNamespace: pods, policiesPerNamespace: 1 };
  const way = await run.tlsWay();
  const injector = await run.startInjector(way, shape);
  const all = Array.from({ length: namespaces }, (_, namespace) =>
    sidecarPods(shape, namespace, pods, namespace * pods),
  );
  const crowd = await run.startCrowd(way, all.flat());
  await crowd.allServed(0, PATIENCE_MS);
  await run.settle();
  run.progress(`${all.flat().length} sidecars have tables, nothing happens for ${seconds} s`);
  const before = injector.cpuSeconds;
  await sleep(seconds * 1000);
  return {
    core: (100 * (injector.cpuSeconds - before)) / seconds,
    resident: injector.residentBytes / MIB,
    reconnects: crowd.reconnects,
  };
});
