/** Asks the server that the page came from. */
import type { ObservedAnswer, ObservedFlow } from '../../../flows/index.ts';
import type { DashboardFacts } from '../form.ts';
import { createEventReader } from './event_reader.ts';

/** Where the secret of the session is kept: for this tab and this origin, port included. */
const KEPT_AS = 'sluice-session';

/** The server does not know this page: it needs a new link. */
export class NoSession extends Error {}

/** What the stream of live flows says. */
export interface LiveEvents {
  onOpen(): void;
  onFlow(flow: ObservedFlow): void;
  /** No more will come. */
  onEnd(): void;
}

/** Asks with the session's secret. */
export interface Api {
  facts(): Promise<DashboardFacts>;
  /** @param span seconds, or `all` */
  flows(span: string): Promise<ObservedAnswer>;
  /** Resolves when the stream ends; rejects when it breaks. */
  live(events: LiveEvents, signal: AbortSignal): Promise<void>;
}

/**
 * Opens a session with the token of the address, or goes on with that of this tab.
 * @throws NoSession
 */
export async function openApi(): Promise<Api> {
  const [, token] = /^#token=([\w-]+)$/.exec(location.hash) ?? [];
  if (token !== undefined) {
    // It has no place in the history, and works once.
    history.replaceState(null, '', '/');
    const body = JSON.stringify({ token });
    const answer = await fetch('/api/session', { method: 'POST', body });
    if (answer.ok) sessionStorage.setItem(KEPT_AS, (await answer.json()).session);
    else if (sessionStorage.getItem(KEPT_AS) === null) throw new NoSession(await problemIn(answer));
  }
  const secret = sessionStorage.getItem(KEPT_AS);
  if (secret === null) throw new NoSession('this address has no token');
  return apiOf(secret);
}

function apiOf(secret: string): Api {
  const ask = async (path: string, signal?: AbortSignal): Promise<Response> => {
    const headers = { authorization: `Bearer ${secret}` };
    const answer = await fetch(path, { headers, ...(signal === undefined ? {} : { signal }) });
    if (answer.ok) return answer;
    if (answer.status === 401) throw new NoSession('the dashboard was started again');
    throw new Error(await problemIn(answer));
  };
  return {
    facts: async () => await (await ask('/api/facts')).json(),
    flows: async (span) => await (await ask(`/api/flows?span=${span}`)).json(),
    live: async (events, signal) => {
      const { body } = await ask('/api/live', signal);
      if (body === null) throw new Error('the stream is empty');
      events.onOpen();
      const read = createEventReader(({ event, data }) => {
        if (event === 'flow') events.onFlow(JSON.parse(data));
        else if (event === 'end') events.onEnd();
        else if (event === 'problem') throw new Error(JSON.parse(data).text);
      });
      const text = new TextDecoder();
      const reader = body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        read(text.decode(value, { stream: true }));
      }
    },
  };
}

async function problemIn(answer: Response): Promise<string> {
  try {
    return String((await answer.json()).problem);
  } catch {
    return `the server answered ${answer.status}`;
  }
}
