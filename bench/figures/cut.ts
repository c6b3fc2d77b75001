/** How long flows go on that a changed policy no longer allows. */
import { setTimeout as delay } from 'node:timers/promises';
import { admission } from '../rig/manifests.ts';
import type { Path } from '../rig/path.ts';
import type { Rig } from '../rig/rig.ts';
import { quantile } from '../statistics.ts';
import type { Figure } from './figure.ts';
import { openFlows } from './open_flows.ts';

const FLOWS = 1000;

/** How long cutting may take, and how often to look, in milliseconds. */
const PATIENCE_MS = 10_000;
const POLL_MS = 50;

/** From the change of a policy to the reset at the client. */
export const CUT: Figure = {
  name: 'cut',
  title: 'From a changed policy to the end of live flows',
  method: `${FLOWS} flows are held. The policy that admits them is replaced in the injector's folder by one that does not: time from then to the reset of each flow at the client. Neither kernel rules nor the other proxies end flows that run.`,
  metrics: () => [
    { id: 'cut_p50', title: 'p50', unit: 'ms', better: 'less' },
    { id: 'cut_p99', title: 'p99', unit: 'ms', better: 'less' },
  ],
  paths: (chosen) => chosen.filter((path) => path.policies > 0),
  measure: async (rig, path) => {
    const groups = await openFlows(rig, path, FLOWS);
    const changedAt = performance.timeOrigin + performance.now();
    rig.lab.writeObjects(admission(path, 'nobody'));
    try {
      const delays = (await endsOf(rig, path, groups))
        .map((end) => end - changedAt)
        .toSorted((a, b) => a - b);
      return { cut_p50: quantile(delays, 0.5), cut_p99: quantile(delays, 0.99) };
    } finally {
      rig.lab.writeObjects(admission(path, 'client'));
      await rig.untilAnswers(path);
    }
  },
};

/** When each flow ended, in wall-clock milliseconds. */
async function endsOf(rig: Rig, path: Path, groups: readonly string[]): Promise<readonly number[]> {
  const giveUpAt = Date.now() + PATIENCE_MS;
  for (;;) {
    // Looking takes time from the client that is to notice.
    await delay(POLL_MS, undefined, { signal: rig.signal });
    const reports = await Promise.all(groups.map((group) => rig.agent.ask({ do: 'report', group })));
    const ends = reports.flat().flatMap((flow) => (flow.overAt === undefined ? [] : [flow.overAt]));
    if (ends.length === FLOWS) return ends;
    if (Date.now() > giveUpAt)
      throw new Error(`${path.name}: ${FLOWS - ends.length} of ${FLOWS} flows were not cut`);
  }
}
