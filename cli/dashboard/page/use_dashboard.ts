/** What the page has of the server, kept up to date. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ObservedAnswer, ObservedFlow } from '../../../flows/index.ts';
import type { DashboardFacts } from '../form.ts';
import { type Api, NoSession, openApi } from './api.ts';
import { FlowStore } from './model/index.ts';

/** Live flows are drawn together, this often at most, ms. */
const DRAW_MS = 250;

/** Of live flows the whole answer is asked for again this often, so that what left the span goes, ms. */
const ASK_AGAIN_MS = 30_000;

/** Policies and pods, ms. */
const FACTS_MS = 10_000;

/** After the stream broke it is opened again, ms. */
const RECONNECT_MS = 2_000;

/** How the page is connected. */
export type Connection = 'loading' | 'live' | 'still' | 'broken' | 'no-session';

/** What the page has. */
export interface Dashboard {
  readonly connection: Connection;
  /** What went wrong last; empty: nothing. */
  readonly problem: string;
  readonly facts?: DashboardFacts;
  readonly answer?: Omit<ObservedAnswer, 'flows'>;
  readonly flows: readonly ObservedFlow[];
  /** Flows that found no place in the page. */
  readonly left: number;
}

/** The span at first: of what is live the last quarter of an hour, and all that is in a file. */
export function spanAtFirst({ source }: DashboardFacts): string {
  return source.live ? '900' : 'all';
}

/** @param span seconds, or `all`; empty: that at first */
export function useDashboard(span: string): Dashboard {
  const [dashboard, setDashboard] = useState<Dashboard>({
    connection: 'loading',
    problem: '',
    flows: [],
    left: 0,
  });
  const change = (part: Partial<Dashboard>) => setDashboard((before) => ({ ...before, ...part }));
  const opening = useRef<Promise<Api> | undefined>(undefined);
  useEffect(() => {
    const ended = new AbortController();
    opening.current ??= openApi();
    keep(opening.current, span, change, ended.signal).catch((error: unknown) => {
      if (ended.signal.aborted) return;
      const connection = error instanceof NoSession ? 'no-session' : 'broken';
      change({ connection, problem: messageOf(error) });
    });
    return () => ended.abort();
  }, [span]);
  return dashboard;
}

async function keep(
  opening: Promise<Api>,
  span: string,
  change: (part: Partial<Dashboard>) => void,
  signal: AbortSignal,
): Promise<void> {
  const api = await opening;
  let store = new FlowStore();
  const readFacts = async () => {
    const facts = await api.facts();
    if (!signal.aborted) change({ facts });
    return facts;
  };
  const facts = await readFacts();
  const ask = async () => {
    const { flows, ...answer } = await api.flows(span === '' ? spanAtFirst(facts) : span);
    if (signal.aborted) return;
    store = new FlowStore({ flows });
    change({ answer, flows: store.flows, left: 0 });
  };
  await ask();
  if (signal.aborted) return;
  if (!facts.source.live) return change({ connection: 'still', problem: '' });
  const timers = [every(ASK_AGAIN_MS, ask, change), every(FACTS_MS, readFacts, change)];
  signal.addEventListener('abort', () => {
    for (const timer of timers) clearInterval(timer);
  });
  let isWaiting = false;
  const soon = () => {
    if (isWaiting) return;
    isWaiting = true;
    setTimeout(() => {
      isWaiting = false;
      if (!signal.aborted) change({ flows: store.flows, left: store.left });
    }, DRAW_MS);
  };
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    try {
      await api.live(
        {
          onOpen: () => {
            change({ connection: 'live', problem: '' });
            // What came while nobody listened.
            if (!isFirst) ask().catch(() => undefined);
          },
          onFlow: (flow) => {
            store.add(flow);
            soon();
          },
          onEnd: () => undefined,
        },
        signal,
      );
      change({ connection: 'broken', problem: 'the stream of live flows has ended' });
    } catch (error) {
      if (error instanceof NoSession || signal.aborted) throw error;
      change({ connection: 'broken', problem: messageOf(error) });
    }
    await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
  }
}

function every(
  ms: number,
  work: () => Promise<unknown>,
  change: (part: Partial<Dashboard>) => void,
): ReturnType<typeof setInterval> {
  let isBusy = false;
  return setInterval(() => {
    if (isBusy || document.hidden) return;
    isBusy = true;
    work()
      .catch((error: unknown) => {
        if (error instanceof NoSession) change({ connection: 'no-session', problem: error.message });
        else change({ problem: messageOf(error) });
      })
      .finally(() => {
        isBusy = false;
      });
  }, ms);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
