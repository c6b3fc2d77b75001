/** How long a pod waits for its proxy. */
import { setTimeout as delay } from 'node:timers/promises';
import { APP_PORT } from '../rig/rig.ts';
import { type Figure, proxied } from './figure.ts';

/** Between two attempts, in milliseconds: what the figure is exact to. */
const INTERVAL_MS = 5;

/** How long it may take, in milliseconds. */
const PATIENCE_MS = 20_000;

/** From the start of the process to the first answer through it. */
export const START_UP: Figure = {
  name: 'start-up',
  title: 'From start to the first verdict',
  method: `From the start of the process, its redirect rules in place, to the first connection that is answered; an attempt each ${INTERVAL_MS} ms. Sluice has fetched its table from the injector by then, and opened its gate.`,
  slow: true,
  metrics: () => [{ id: 'start_up', title: 'first answer', unit: 'ms', better: 'less' }],
  // Connections of a direct path do not wait for its sidecar.
  paths: (chosen) => proxied(chosen).filter(({ isDirect = false }) => !isDirect),
  measure: async (rig, path) => {
    const first = Promise.withResolvers<number>();
    const deadline = AbortSignal.timeout(PATIENCE_MS);
    const attempts: Promise<void>[] = [];
    let answered = false;
    const startedAt = await rig.restart(path);
    while (!answered) {
      deadline.throwIfAborted();
      attempts.push(
        rig.agent
          .ask({ do: 'connect', address: rig.address(path), port: APP_PORT, timeoutMs: 1000 })
          .then(({ allowed }) => {
            if (!allowed || answered) return;
            answered = true;
            first.resolve(performance.now());
          }),
      );
      await delay(INTERVAL_MS, undefined, { signal: rig.signal });
    }
    await Promise.all(attempts);
    return { start_up: (await first.promise) - startedAt };
  },
};
