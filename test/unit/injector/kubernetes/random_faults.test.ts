/** Whatever is done to the objects, and to the connection at the same time, the copy ends up as the server is, nothing twice. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { unreachable } from '../../../../common/errors.ts';
import { namespace } from '../../../builders/manifests.ts';
import { pod } from '../../../builders/stored_objects.ts';
import { ApiServer } from '../../../support/api_server/api_server.ts';
import type { WatchLists } from '../../../support/api_server/watch.ts';
import { waitFor } from '../wait_for.ts';
import { podsOf, ReflectedPods } from './reflected_pods.ts';

const NAMES = ['a', 'b', 'c', 'd'] as const;

const EVENTS = [
  'cut',
  'cut-mid-line',
  'compact',
  'compact-now',
  'bookmark',
  'away',
  'breathe',
  'hold-cache',
  'release-cache',
] as const;

type Step =
  | { readonly do: 'create' | 'change' | 'delete' | 'recreate'; readonly name: string }
  | { readonly do: (typeof EVENTS)[number] }
  | { readonly do: 'break-list'; readonly after: number; readonly by: 'cut' | 'gone' }
  | { readonly do: 'refuse'; readonly code: 410 | 429 | 500 | 504; readonly watch: boolean }
  | { readonly do: 'reset' | 'truncate'; readonly watch: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('create', 'change', 'delete', 'recreate'),
      name: fc.constantFrom(...NAMES),
    }) as fc.Arbitrary<Step>,
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Step>(...EVENTS.map((name) => ({ do: name }))),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('break-list'),
      after: fc.integer({ min: 0, max: 2 }),
      by: fc.constantFrom('cut', 'gone'),
    }) as fc.Arbitrary<Step>,
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('refuse'),
      code: fc.constantFrom(410, 429, 500, 504),
      watch: fc.boolean(),
    }) as fc.Arbitrary<Step>,
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('reset', 'truncate'),
      watch: fc.boolean(),
    }) as fc.Arbitrary<Step>,
  },
);

test.each<WatchLists>(['served', 'refused'])(
  'nothing is lost, passed on twice or older than before, under random changes and faults; streamed lists are %s',
  {
    timeout: 120_000,
  },
  async (watchLists) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const server = await ApiServer.start({ watchLists });
        await server.create(namespace('shop'));
        const pods = new ReflectedPods(server);
        try {
          await waitFor(() => pods.reflector.synced);
          for (const next of steps) await play(server, next);
          server.faults.clear();
          server.api.lists.releaseCache();
          await waitFor(() => sorted(pods.copy) === sorted(podsOf(server)));
          expect(pods.faults).toEqual([]);
        } finally {
          await pods.close();
          await server.close();
        }
      }),
      { numRuns: 40 },
    );
  },
);

async function play(server: ApiServer, next: Step): Promise<void> {
  switch (next.do) {
    case 'create':
      return ignoring(server.create(pod('shop', next.name)));
    case 'change':
      return ignoring(
        server.patch(pod('shop', next.name), {
          metadata: { labels: { now: String(server.api.store.revision) } },
        }),
      );
    case 'delete':
      return ignoring(server.delete(pod('shop', next.name)));
    case 'recreate':
      return ignoring(server.recreate(pod('shop', next.name)));
    case 'cut':
      return server.cutWatches();
    case 'cut-mid-line':
      return server.cutWatches({ midLine: true });
    case 'compact':
      return server.compact();
    case 'compact-now':
      return server.compact({ endWatches: true });
    case 'bookmark':
      for (const watch of server.watches()) watch.bookmark();
      return;
    case 'away':
      await server.goAway();
      return server.comeBack();
    case 'breathe':
      return new Promise((resolve) => setImmediate(resolve));
    case 'hold-cache':
      return server.api.lists.holdCache();
    case 'release-cache':
      return server.api.lists.releaseCache();
    case 'break-list': {
      const { after, by } = next;
      const on = { plural: 'pods', initial: true };
      return server.faults.add({ on, action: { do: 'break-initial-events', after, by } });
    }
    case 'refuse': {
      const { code, watch } = next;
      const action =
        code === 429
          ? ({ do: 'too-many-requests', retryAfterSeconds: 0 } as const)
          : ({ do: 'fail', code } as const);
      return server.faults.add({ on: { plural: 'pods', watch }, action });
    }
    case 'reset':
    case 'truncate':
      return server.faults.add({ on: { plural: 'pods', watch: next.watch }, action: { do: next.do } });
    default:
      return unreachable(next);
  }
}

/** Creating what is there, and changing what is not, is no matter here. */
async function ignoring(done: Promise<unknown>): Promise<void> {
  await done.catch(() => undefined);
}

function sorted(pods: ReadonlyMap<string, string>): string {
  return JSON.stringify([...pods].sort());
}
