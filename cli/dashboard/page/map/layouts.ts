/** Asks the worker for layouts. */
import type { Layout, LayoutInput } from './places.ts';

/** The worker's script. Where browsers check the sources of scripts, this one is let through, and no other. */
const WORKER = '/worker.js';

/** What the worker answers. */
interface Answer {
  readonly id: number;
  readonly layout?: Layout;
  readonly problem?: string;
}

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): {
    createScriptURL(url: string): string;
  };
}

/** One worker, of whose answers only the latest counts. */
export interface Layouts {
  /** Calls back unless something else is asked for meanwhile. */
  ask(input: LayoutInput, done: (layout: Layout | undefined, problem: string) => void): void;
  close(): void;
}

/** Starts a worker. */
export function createLayouts(): Layouts {
  const worker = new Worker(workerUrl());
  let latest = 0;
  let waiting: ((layout: Layout | undefined, problem: string) => void) | undefined;
  worker.addEventListener('message', ({ data }: MessageEvent<Answer>) => {
    if (data.id === latest) waiting?.(data.layout, data.problem ?? '');
  });
  worker.addEventListener('error', () => waiting?.(undefined, 'the layout failed'));
  return {
    ask(input, done) {
      latest += 1;
      waiting = done;
      worker.postMessage({ id: latest, input });
    },
    close: () => worker.terminate(),
  };
}

let policy: ReturnType<TrustedTypes['createPolicy']> | undefined;

function workerUrl(): string {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
  if (trustedTypes === undefined) return WORKER;
  policy ??= trustedTypes.createPolicy('sluice', {
    createScriptURL(url) {
      if (url === WORKER) return url;
      throw new TypeError('no such script');
    },
  });
  return policy.createScriptURL(WORKER);
}
