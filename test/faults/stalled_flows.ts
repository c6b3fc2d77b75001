/** Flows whose reader never reads, of case 7: the app sends on loopback, as fast as the kernel takes it. */
import { setTimeout as delay } from 'node:timers/promises';
import { namespace, node, pod } from '../builders/manifests.ts';
import { type TestLab, useLab } from '../netns/harness.ts';

/** Address of the app that sends, and that others ask. */
export const APP = '10.1.1.10';

/** How many there are. */
export const STALLED = 60;

const GIB = 1024 ** 3;
const WARM_UP_MS = 5_000;

/** A lab with the app `x/app`, and with clients that read (`x/client`) and that do not (`x/stalled`). */
export function useStalledLab(): TestLab {
  return useLab({
    objects: [
      node(1),
      namespace('x'),
      pod('x/app', { ips: [APP] }),
      pod('x/client', { ips: ['10.1.1.11'] }),
      pod('x/stalled', { ips: ['10.1.1.12'] }),
    ],
  });
}

/** Opens such flows. */
export async function openStalled(net: TestLab, group: string): Promise<void> {
  const work = { kind: 'receive', bytes: 10 * GIB, bytesPerSecond: 1 } as const;
  await net.open('x/stalled', { group, count: STALLED, address: APP, port: 80, work });
}

/** Opens and closes some: the heap of a young Node process grows to its size with the first of them. */
export async function warmUp(net: TestLab): Promise<void> {
  await openStalled(net, 'warm');
  await delay(WARM_UP_MS);
  await net.agent('x/stalled').ask({ do: 'close', group: 'warm' });
}

/** Expects all of a group to be there still, and closes them. */
export async function closeStalled(net: TestLab, group: string): Promise<void> {
  const flows = await net.report('x/stalled', group);
  if (flows.length !== STALLED || flows.some(({ state }) => state !== 'open'))
    throw new Error(`flows that stall have ended: ${JSON.stringify(flows)}`);
  await net.agent('x/stalled').ask({ do: 'close', group });
}
