/** How long flows go on that a changed policy no longer allows. */
import { setTimeout as delay } from 'node:timers/promises';
import { resetsOf } from '../load/resets.ts';
import { admission } from '../rig/manifests.ts';
import type { Path } from '../rig/path.ts';
import type { Rig } from '../rig/rig.ts';
import { quantile } from '../statistics.ts';
import { type Figure, type Metric, type Sample, sluices, usualSluices } from './figure.ts';
import { openFlows } from './open_flows.ts';

const FLOWS = 1000;

/** How long cutting may take, in milliseconds. */
const PATIENCE_MS = 10_000;

/** How long the client is left alone between two questions, in milliseconds: asking takes time from the one that is to notice. */
const ASK_MS = 150;

/** As long for many flows: of them a Node program hears for half a second. */
const ASK_MANY_MS = 1000;

const WHEN =
  "The policy that admits them is replaced in the injector's folder by one that does not: time from then to the reset of each flow at the client.";

/** 1,000 flows, as their program sees it. */
export const CUT: Figure = {
  name: 'cut',
  title: 'From a changed policy to the end of live flows',
  method: `${FLOWS} flows are held. ${WHEN} The client is one Node program, to whose time p50, p99 and last are; when its kernel has the resets is read there every 2 ms. Neither kernel rules nor the other proxies end flows that run.`,
  metrics: () => [
    ...quantiles('cut'),
    { id: 'cut_kernel_p99', title: "p99 at the client's kernel", unit: 'ms', better: 'less' },
  ],
  paths: sluices,
  measure: async (rig, path) => {
    const groups = await openFlows(rig, path, FLOWS);
    return await withCut(rig, path, async (change) => {
      const seen = resetsOf(clientPid(rig), FLOWS, PATIENCE_MS, rig.signal);
      const changedAt = change();
      const [kernel, program] = await Promise.all([
        seen,
        endsOf(rig, path, groups, { flows: FLOWS, askMs: ASK_MS }),
      ]);
      return {
        ...sampleOf('cut', program, changedAt),
        cut_kernel_p99: quantile(kernel, 0.99) - changedAt,
      };
    });
  },
};

/** 10,000 flows, as the client's kernel sees it. */
export const CUT_MANY: Figure = {
  name: 'cut-many',
  title: 'From a changed policy to the end of 10,000 live flows',
  method: `10,000 flows are held, or what the limit of open files allows. ${WHEN} When the client's kernel has the resets is read there every 2 ms. The client's program is stopped meanwhile: for so many it would need half a second of the processors that the sidecar has in the lab alone.`,
  slow: true,
  mostRounds: 3,
  metrics: () => quantiles('cut_many'),
  paths: usualSluices,
  measure: async (rig, path) => {
    const flows = rig.maxFlows;
    const client = clientPid(rig);
    const groups = await openFlows(rig, path, flows);
    return await withCut(rig, path, async (change) => {
      process.kill(client, 'SIGSTOP');
      try {
        const seen = resetsOf(client, flows, PATIENCE_MS, rig.signal);
        const changedAt = change();
        return sampleOf('cut_many', await seen, changedAt);
      } finally {
        process.kill(client, 'SIGCONT');
        // Its program has to agree: no flow is left.
        await endsOf(rig, path, groups, { flows, askMs: ASK_MANY_MS });
      }
    });
  },
};

function quantiles(id: string): readonly Metric[] {
  return [
    { id: `${id}_p50`, title: 'p50', unit: 'ms', better: 'less' },
    { id: `${id}_p99`, title: 'p99', unit: 'ms', better: 'less' },
    { id: `${id}_last`, title: 'last', unit: 'ms', better: 'less' },
  ];
}

/** @param ends and `changedAt` by `performance.now` */
function sampleOf(id: string, ends: readonly number[], changedAt: number): Sample {
  const delays = ends.map((end) => end - changedAt).toSorted((a, b) => a - b);
  return {
    [`${id}_p50`]: quantile(delays, 0.5),
    [`${id}_p99`]: quantile(delays, 0.99),
    [`${id}_last`]: quantile(delays, 1),
  };
}

/** @param run is given what changes the policy, which returns when it began to, by `performance.now` */
async function withCut(
  rig: Rig,
  path: Path,
  run: (change: () => number) => Promise<Sample>,
): Promise<Sample> {
  try {
    return await run(() => {
      const changedAt = performance.now();
      rig.lab.writeObjects(admission(path, 'nobody'));
      return changedAt;
    });
  } finally {
    rig.lab.writeObjects(admission(path, 'client'));
    await rig.untilAnswers(path);
  }
}

function clientPid({ agent }: Rig): number {
  if (agent.pid === undefined) throw new Error('the client has no process');
  return agent.pid;
}

/** When the client's program heard of each flow's end, by `performance.now`. */
async function endsOf(
  rig: Rig,
  path: Path,
  groups: readonly string[],
  { flows, askMs }: { readonly flows: number; readonly askMs: number },
): Promise<readonly number[]> {
  const giveUpAt = Date.now() + PATIENCE_MS;
  for (;;) {
    await delay(askMs, undefined, { signal: rig.signal });
    const reports = await Promise.all(groups.map((group) => rig.agent.ask({ do: 'report', group })));
    const ends = reports.flat().flatMap((flow) => (flow.overAt === undefined ? [] : [flow.overAt]));
    if (ends.length === flows) return ends.map((end) => end - performance.timeOrigin);
    if (Date.now() > giveUpAt)
      throw new Error(`${path.name}: ${flows - ends.length} of ${flows} flows were not cut`);
  }
}
