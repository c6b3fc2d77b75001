/**
 * Case 32: an injector that hangs for a short time keeps its sidecars. How soon one that hangs for long is left is in
 * `32_hung_replica_delays.test.ts`.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { until } from '../netns/harness.ts';
import { START_MS, useReplicas } from './replicas.ts';

const replicas = useReplicas(1, 1);

test(
  'an injector that hangs for two seconds keeps its sidecars',
  async () => {
    const [replica] = replicas().all;
    if (replica === undefined) throw new Error('no replica');
    await replicas().ready();
    const { sidecar } = await replicas().sidecar('pod-0', replica);
    for (const hangMs of [1_500, 5_000]) {
      replica.pause();
      await delay(hangMs);
      replica.resume();
      await until('it speaks again', () => sidecar.ageMs < 1_000, START_MS);
    }
    // After five seconds it had looked for another; the first one spoke before that came to anything.
    expect(sidecar.losses).toEqual([]);
    expect(sidecar.cuts).toBe(0);
  },
  2 * START_MS,
);
