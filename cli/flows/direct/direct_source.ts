/** Flows that sidecars remember themselves: the last few of each pod. */
import { setTimeout as delay } from 'node:timers/promises';
import { type FlowQuestion, flowTest, mergeAnswers, type ObservedFlow } from '../../../flows/index.ts';
import type { FlowSource } from '../flow_source.ts';
import { type AskContext, askPods, silentText } from './ask_pods.ts';
import { edgeOfRecord, type FlowRecordLine, flowsPage } from './records.ts';
import type { SidecarPod, SidecarPods } from './sidecar_pods.ts';

/** Between two looks at what sidecars have recorded, ms: each costs a connection or a process for each pod. */
const LOOK_MS = 2_000;

const FLOWS = '/flows';

/** @param complain gets what a look that goes on could not see */
export function createDirectSource(
  sidecars: SidecarPods,
  context: AskContext,
  complain: (text: string) => void,
): FlowSource {
  return {
    async ask(question) {
      const found = await askPods(sidecars, sidecars.pods, FLOWS, flowsPage, context);
      const fits = flowTest(question);
      const edges = found.pages.flatMap(({ pod, page }) =>
        page.map((record) => edgeOfRecord(record, pod, sidecars.names)).filter(fits),
      );
      const silent = silentText(found);
      const now = new Date().toISOString();
      const oldest = found.pages.flatMap(({ page: [first] }) => (first === undefined ? [] : [first.time]));
      return mergeAnswers(
        [
          {
            since: timeText(question.since),
            until: timeText(Math.min(question.until, Date.parse(now))),
            // A sidecar forgets its oldest records: before this time some pod's may be gone.
            observed_since: oldest.reduce(
              (latest, time) => (time > latest ? time : latest),
              oldest[0] ?? now,
            ),
            lost: silent === undefined ? [] : [{ flows: 0, why: silent }],
            flows: edges,
          },
        ],
        question,
      );
    },
    follow: (question, signal) => follow(sidecars, question, { ...context, signal }, complain),
    close: () => undefined,
  };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

async function* follow(
  sidecars: SidecarPods,
  question: FlowQuestion,
  context: AskContext,
  complain: (text: string) => void,
): AsyncGenerator<ObservedFlow, void> {
  const fits = flowTest({ ...question, since: 0, until: Number.MAX_SAFE_INTEGER });
  const seen = new Map<SidecarPod, SeenRecords>();
  let said: string | undefined;
  while (!context.signal.aborted) {
    try {
      const found = await askPods(sidecars, sidecars.pods, FLOWS, flowsPage, context);
      const silent = silentText(found);
      if (silent !== undefined && silent !== said) complain(silent);
      said = silent;
      for (const { pod, page } of found.pages) {
        const known = seen.get(pod) ?? new SeenRecords(page);
        seen.set(pod, known);
        for (const record of known.fresh(page)) {
          const edge = edgeOfRecord(record, pod, sidecars.names);
          if (fits(edge)) yield edge;
        }
      }
      await delay(LOOK_MS, undefined, { signal: context.signal });
    } catch (error) {
      if (context.signal.aborted) return;
      throw error;
    }
  }
}

/** Which records of a sidecar have been seen. It shows them oldest first, and forgets the oldest. */
class SeenRecords {
  #seen: ReadonlyMap<string, number>;

  /** @param first what is there when following begins: nothing of it is new */
  constructor(first: readonly FlowRecordLine[]) {
    this.#seen = counted(first);
  }

  /** Those that were not on the page before. */
  fresh(page: readonly FlowRecordLine[]): readonly FlowRecordLine[] {
    const before = new Map(this.#seen);
    this.#seen = counted(page);
    return page.filter((record) => {
      const key = JSON.stringify(record);
      const left = before.get(key) ?? 0;
      if (left > 0) before.set(key, left - 1);
      return left === 0;
    });
  }
}

/** Two records may be the same. */
function counted(page: readonly FlowRecordLine[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const record of page) {
    const key = JSON.stringify(record);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}
