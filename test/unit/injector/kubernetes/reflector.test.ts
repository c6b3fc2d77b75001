/** A reflector's copy is what the API server has, whatever happens on the way. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ReflectorTimes } from '../../../../injector/api/reflector.ts';
import { namespace } from '../../../builders/manifests.ts';
import { pod } from '../../../builders/stored_objects.ts';
import { ApiServer } from '../../../support/api_server/api_server.ts';
import { waitFor } from '../wait_for.ts';
import { podsOf, ReflectedPods } from './reflected_pods.ts';

let server: ApiServer;
let pods: ReflectedPods;

beforeEach(async () => {
  server = await ApiServer.start();
  await server.create(namespace('shop'));
});

afterEach(async () => {
  expect(pods.faults).toEqual([]);
  await pods.close();
  await server.close();
});

async function reflect(times: Partial<ReflectorTimes> = {}): Promise<void> {
  pods = new ReflectedPods(server, times);
  await waitFor(() => pods.reflector.synced);
}

/** Waits until a watch is open that was not before `action`. */
async function withNewWatch(action: () => unknown): Promise<void> {
  const before = new Set(server.watches());
  await action();
  await waitFor(() => server.watches().some((watch) => !before.has(watch)));
}

const same = () =>
  waitFor(() => JSON.stringify([...pods.copy].sort()) === JSON.stringify([...podsOf(server)].sort()));
const watching = () => waitFor(() => server.watches().length === 1);
const lists = () => server.requests.filter(({ query }) => query.watch === undefined);
const watches = () => server.requests.filter(({ query }) => query.watch === 'true');

test('lists what is there in pages, then follows changes', async () => {
  for (let index = 0; index < 501; index += 1) await server.create(pod('shop', `p${index}`));
  await reflect();
  expect(pods.copy.size).toBe(501);
  expect(lists().map(({ query }) => query.limit)).toEqual(['500', '500']);
  await watching();
  await server.patch(pod('shop', 'p7'), { metadata: { labels: { app: 'web' } } });
  await server.delete(pod('shop', 'p8'));
  await server.create(pod('shop', 'q'));
  await same();
  // A pod is told to end before it is gone.
  const last = ['put shop/p7', 'put shop/p8', 'remove shop/p8', 'put shop/q'];
  expect(pods.changes.slice(-last.length)).toEqual(last);
});

test('asks for bookmarks and for an end between 240 and 300 s', async () => {
  await reflect();
  await watching();
  const query = watches()[0]?.query;
  expect(query?.allowWatchBookmarks).toBe('true');
  expect(Number(query?.timeoutSeconds)).toBeGreaterThanOrEqual(240);
  expect(Number(query?.timeoutSeconds)).toBeLessThanOrEqual(300);
});

test.each([
  ['between events', { midLine: false }],
  ['in the middle of an event', { midLine: true }],
])('a connection cut %s: goes on from the last event, without a list', async (_where, how) => {
  await reflect();
  await watching();
  const { metadata } = await server.create(pod('shop', 'a'));
  await same();
  await withNewWatch(async () => {
    await server.cutWatches(how);
    await server.create(pod('shop', 'b'));
  });
  await same();
  expect(watches().at(-1)?.query.resourceVersion).toBe(metadata.resourceVersion);
  expect(pods.changes).toEqual(['put shop/a', 'put shop/b']);
  expect(lists()).toHaveLength(1);
});

test('goes on from a bookmark: what was before it may be forgotten', async () => {
  await reflect();
  await watching();
  // Changes of other kinds only: the reflector hears of them by bookmark.
  await server.create(namespace('other'));
  server.compact();
  for (const watch of server.watches()) watch.bookmark();
  await waitFor(() => pods.counts.bookmarks === 1);
  await withNewWatch(() => server.cutWatches());
  await server.create(pod('shop', 'a'));
  await same();
  expect(lists()).toHaveLength(1);
});

describe('a forgotten revision (410)', () => {
  test('learnt in the watch: lists again, and passes on the differences only', async () => {
    for (const name of ['a', 'b', 'c']) await server.create(pod('shop', name));
    await reflect();
    await watching();
    pods.changes.length = 0;
    const cut = server.cutWatches();
    await server.delete(pod('shop', 'a'));
    await server.recreate(pod('shop', 'b'));
    await server.create(pod('shop', 'd'));
    server.compact();
    await cut;
    await same();
    // A pod that was deleted and made again under its name is the end of one and another one.
    expect(pods.changes).toEqual(['remove shop/a', 'remove shop/b', 'put shop/b', 'put shop/d']);
  });

  test('learnt by the answer to the watch', async () => {
    await reflect();
    await watching();
    server.faults.add({ on: { plural: 'pods', watch: true }, action: { do: 'fail', code: 410 } });
    await server.cutWatches();
    await waitFor(() => lists().length === 2);
    await server.create(pod('shop', 'a'));
    await same();
  });

  test('between two pages: begins the list again', async () => {
    for (let index = 0; index < 600; index += 1) await server.create(pod('shop', `p${index}`));
    const pageOf = server.api.lists.page.bind(server.api.lists);
    let forgotten = false;
    server.api.lists.page = (...page) => {
      const answer = pageOf(...page);
      if (!forgotten) server.compact();
      forgotten = true;
      return answer;
    };
    await reflect();
    expect(pods.copy.size).toBe(600);
    expect(lists().map(({ query }) => query.continue !== undefined)).toEqual([false, true, false, true]);
  });
});

test('429: waits as long as the server asks', async () => {
  server.faults.add({ on: { plural: 'pods' }, action: { do: 'too-many-requests', retryAfterSeconds: 1 } });
  const beganMs = performance.now();
  await reflect();
  expect(performance.now() - beganMs).toBeGreaterThan(1_000);
  expect(lists()).toHaveLength(2);
});

test('an answer that is cut short is not taken in', async () => {
  for (const name of ['a', 'b']) await server.create(pod('shop', name));
  server.faults.add({ on: { plural: 'pods' }, action: { do: 'truncate' } });
  await reflect();
  await same();
  expect(pods.changes).toEqual(['put shop/a', 'put shop/b']);
});

test.each(['hang', 'stop-midway'] as const)(
  'a list whose answer does not come whole (%s) is asked for again',
  async (fault) => {
    await server.create(pod('shop', 'a'));
    server.faults.add({ on: { plural: 'pods' }, action: { do: fault } });
    await reflect();
    expect(pods.changes).toEqual(['put shop/a']);
    expect(pods.counts.failures).toBe(1);
  },
);

test('a watch that falls silent is given up for another one', async () => {
  await reflect({ idleTimeoutMs: 100 });
  await watching();
  await withNewWatch(() => {
    for (const watch of server.watches()) watch.stall();
  });
  await server.create(pod('shop', 'a'));
  await same();
});

test('a watch that ends in good order goes on without a list', async () => {
  await reflect({ watchSeconds: [1, 1] });
  await waitFor(() => watches().length > 1);
  await server.create(pod('shop', 'a'));
  await same();
  expect(lists()).toHaveLength(1);
  expect(pods.counts.failures).toBe(0);
});

test('lists again from time to time, and passes on nothing that is known', async () => {
  await server.create(pod('shop', 'a'));
  await reflect({ relistMs: [30, 60] });
  await waitFor(() => pods.counts.lists >= 3);
  expect(pods.changes).toEqual(['put shop/a']);
});

test('a list that fails does not end the watch', async () => {
  await reflect({ relistMs: [30, 60] });
  server.faults.add({
    on: { plural: 'pods', watch: false },
    action: { do: 'fail', code: 500 },
    times: 1_000_000,
  });
  await waitFor(() => pods.counts.failures > 1);
  await server.create(pod('shop', 'a'));
  await same();
});

test('the server is away: the copy stays; when it is back, the copy follows', async () => {
  await server.create(pod('shop', 'a'));
  await reflect();
  await server.goAway();
  await waitFor(() => pods.counts.failures > 3);
  expect(pods.copy.size).toBe(1);
  await server.comeBack();
  await server.create(pod('shop', 'b'));
  await same();
});

test('an event of an unknown form is not passed over: a list follows', async () => {
  await reflect();
  await watching();
  for (const watch of server.watches()) watch.write({ type: 'CHANGED', object: {} });
  await waitFor(() => lists().length === 2);
  await server.create(pod('shop', 'a'));
  await same();
});

test('on demand it lists once more; what was written before is there then', async () => {
  await reflect();
  await watching();
  for (const watch of server.watches()) watch.stall();
  await server.create(pod('shop', 'a'));
  await pods.reflector.relist();
  expect(pods.copy).toEqual(podsOf(server));
});

test('its age grows while nothing is heard, and a bookmark is heard', async () => {
  await reflect();
  await watching();
  await waitFor(() => pods.reflector.ageMs > 50);
  for (const watch of server.watches()) watch.bookmark();
  await waitFor(() => pods.reflector.ageMs < 50);
});
