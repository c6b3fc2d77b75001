/** A reflector's copy is what the API server has, whatever happens on the way. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ReflectorTimes } from '../../../../injector/api/reflector.ts';
import { namespace } from '../../../builders/manifests.ts';
import { pod } from '../../../builders/stored_objects.ts';
import { ApiServer } from '../../../support/api_server/api_server.ts';
import type { RequestMatch } from '../../../support/api_server/faults.ts';
import type { WatchLists } from '../../../support/api_server/watch.ts';
import { waitFor } from '../wait_for.ts';
import { podsOf, ReflectedPods } from './reflected_pods.ts';

let server: ApiServer;
let pods: ReflectedPods;

async function start(watchLists: WatchLists): Promise<void> {
  server = await ApiServer.start({ watchLists });
  await server.create(namespace('shop'));
}

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

/** The server forgets what was, and says so to who watches, after `action`, of which nobody hears. */
async function withForgotten(action: () => Promise<unknown>): Promise<void> {
  const cut = server.cutWatches();
  await action();
  server.compact();
  await cut;
}

const same = () =>
  waitFor(() => JSON.stringify([...pods.copy].sort()) === JSON.stringify([...podsOf(server)].sort()));
const watching = () => waitFor(() => server.watches().length === 1);
const streams = () => server.requests.filter(({ query }) => query.sendInitialEvents === 'true');
const lists = () => server.requests.filter(({ query }) => query.watch === undefined);
const watches = () =>
  server.requests.filter(({ query }) => query.watch === 'true' && query.sendInitialEvents === undefined);

describe.each<WatchLists>(['served', 'refused'])('streamed lists are %s', (watchLists) => {
  beforeEach(() => start(watchLists));

  /** Requests for all that there is, but for the first one where it is refused. */
  const wholes = () => (watchLists === 'served' ? streams() : lists());
  const whole: RequestMatch =
    watchLists === 'served' ? { plural: 'pods', initial: true } : { plural: 'pods', watch: false };

  test('takes in what is there, then follows changes', async () => {
    for (let index = 0; index < 501; index += 1) await server.create(pod('shop', `p${index}`));
    await reflect();
    expect(pods.copy.size).toBe(501);
    await watching();
    await server.patch(pod('shop', 'p7'), { metadata: { labels: { app: 'web' } } });
    await server.delete(pod('shop', 'p8'));
    await server.create(pod('shop', 'q'));
    await same();
    // A pod is told to end before it is gone.
    const last = ['put shop/p7', 'put shop/p8', 'remove shop/p8', 'put shop/q'];
    expect(pods.changes.slice(-last.length)).toEqual(last);
    expect(wholes()).toHaveLength(1);
  });

  test('asks for bookmarks and for an end between 240 and 300 s', async () => {
    await reflect();
    await watching();
    for (const { query } of [...streams(), ...watches()]) {
      expect(query.allowWatchBookmarks).toBe('true');
      expect(Number(query.timeoutSeconds)).toBeGreaterThanOrEqual(240);
      expect(Number(query.timeoutSeconds)).toBeLessThanOrEqual(300);
    }
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
    expect(wholes()).toHaveLength(1);
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
    expect(wholes()).toHaveLength(1);
  });

  describe('a forgotten revision (410)', () => {
    test('learnt in the watch: lists again, not older than before, and passes on the differences only', async () => {
      for (const name of ['a', 'b', 'c']) await server.create(pod('shop', name));
      await reflect();
      await watching();
      const shown = String(server.api.store.revision);
      pods.changes.length = 0;
      await withForgotten(async () => {
        await server.delete(pod('shop', 'a'));
        await server.recreate(pod('shop', 'b'));
        await server.create(pod('shop', 'd'));
      });
      await same();
      // A pod that was deleted and made again under its name is the end of one and another one.
      expect(pods.changes).toEqual(['remove shop/a', 'remove shop/b', 'put shop/b', 'put shop/d']);
      expect(wholes().at(-1)?.query).toMatchObject({
        resourceVersion: shown,
        resourceVersionMatch: 'NotOlderThan',
      });
    });

    test('learnt by the answer to the watch', async () => {
      await reflect();
      await watching();
      server.faults.add({
        on: { plural: 'pods', watch: true, initial: false },
        action: { do: 'fail', code: 410 },
      });
      await server.cutWatches();
      await waitFor(() => wholes().length === 2);
      await server.create(pod('shop', 'a'));
      await same();
    });

    test.each([410, 504])(
      'a server that cannot give a list by the last revision (%i) gives one as of now',
      async (code) => {
        await server.create(pod('shop', 'a'));
        await reflect();
        await watching();
        server.faults.add({ on: whole, action: { do: 'fail', code } });
        await withForgotten(() => server.create(pod('shop', 'b')));
        await same();
        const [refused, given] = wholes().slice(-2);
        expect(refused?.query.resourceVersion).toBeDefined();
        expect(given?.query.resourceVersion).toBeUndefined();
      },
    );
  });

  test('429: waits as long as the server asks', async () => {
    server.faults.add({ on: whole, action: { do: 'too-many-requests', retryAfterSeconds: 1 } });
    const beganMs = performance.now();
    await reflect();
    expect(performance.now() - beganMs).toBeGreaterThan(1_000);
    expect(wholes()).toHaveLength(2);
  });

  test('a list that is cut short is not taken in: nothing comes of it, and nothing is gone', async () => {
    for (const name of ['a', 'b']) await server.create(pod('shop', name));
    const cut = (after: number) =>
      server.faults.add({
        on: whole,
        action:
          watchLists === 'served' ? { do: 'break-initial-events', after, by: 'cut' } : { do: 'truncate' },
      });
    cut(1);
    await reflect();
    await watching();
    expect(pods.changes).toEqual(['put shop/a', 'put shop/b']);
    for (const after of [0, 1]) cut(after);
    await withForgotten(() => server.create(pod('shop', 'c')));
    await same();
    expect(pods.changes).toEqual(['put shop/a', 'put shop/b', 'put shop/c']);
    // Three lists, the watch that was cut, and the next one, whose revision was forgotten.
    expect(pods.counts).toMatchObject({ lists: 2, failures: 5 });
  });

  test('a list whose answer does not come is asked for again', async () => {
    await server.create(pod('shop', 'a'));
    server.faults.add({ on: whole, action: { do: 'hang' } });
    await reflect();
    expect(pods.changes).toEqual(['put shop/a']);
    expect(pods.counts.failures).toBe(1);
  });

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
    expect(wholes()).toHaveLength(1);
    expect(pods.counts.failures).toBe(0);
  });

  test('a list that fails does not end the watch', async () => {
    await reflect();
    server.faults.add({ on: whole, action: { do: 'fail', code: 500 }, times: 1_000_000 });
    const listed = pods.reflector.relist();
    await waitFor(() => pods.counts.failures > 1);
    await server.create(pod('shop', 'a'));
    await same();
    server.faults.clear();
    await listed;
    expect(pods.changes).toEqual(['put shop/a']);
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
    expect(wholes()).toHaveLength(1);
  });

  test('an event of an unknown form is not passed over: a list follows', async () => {
    await reflect();
    await watching();
    for (const watch of server.watches()) watch.write({ type: 'CHANGED', object: {} });
    await waitFor(() => wholes().length === 2);
    await server.create(pod('shop', 'a'));
    await same();
  });

  test('on demand it lists once more; what was written before is there then', async () => {
    await reflect();
    await watching();
    for (const watch of server.watches()) watch.stall();
    await server.create(pod('shop', 'a'));
    await Promise.all([pods.reflector.relist(), pods.reflector.relist()]);
    expect(pods.copy).toEqual(podsOf(server));
    expect(wholes()).toHaveLength(2);
    expect(wholes().at(-1)?.query.resourceVersion).toBeUndefined();
  });

  test('its age grows while nothing is heard, and a bookmark is heard', async () => {
    await reflect();
    await watching();
    await waitFor(() => pods.reflector.ageMs > 300);
    for (const watch of server.watches()) watch.bookmark();
    await waitFor(() => pods.reflector.ageMs < 300);
  });
});

describe('a server that streams lists', () => {
  beforeEach(() => start('served'));

  test('is asked for one as of now, which goes on as a watch', async () => {
    await server.create(pod('shop', 'a'));
    await reflect();
    await server.create(pod('shop', 'b'));
    await same();
    const [only] = server.requests.filter(({ path }) => path.endsWith('/pods'));
    expect(only?.query).toMatchObject({
      watch: 'true',
      sendInitialEvents: 'true',
      resourceVersionMatch: 'NotOlderThan',
      allowWatchBookmarks: 'true',
    });
    expect(only?.query.resourceVersion).toBeUndefined();
    expect(server.requests.filter(({ path }) => path.endsWith('/pods'))).toHaveLength(1);
    expect(pods.counts.bookmarks).toBe(0);
  });

  test('and forgets the revision while it shows all that there is, begins again', async () => {
    for (const name of ['a', 'b']) await server.create(pod('shop', name));
    server.faults.add({
      on: { initial: true },
      action: { do: 'break-initial-events', after: 1, by: 'gone' },
    });
    await reflect();
    await same();
    expect(pods.changes).toEqual(['put shop/a', 'put shop/b']);
    expect(lists()).toEqual([]);
  });

  test('and ends one early, is asked again; the third time in a row for another kind of list', async () => {
    for (const name of ['a', 'b']) await server.create(pod('shop', name));
    const endEarly = (times: number) =>
      server.faults.add({
        on: { initial: true },
        action: { do: 'break-initial-events', after: 1, by: 'end' },
        times,
      });
    endEarly(2);
    await reflect();
    expect(lists()).toEqual([]);
    endEarly(3);
    await pods.reflector.relist();
    expect(streams()).toHaveLength(6);
    expect(lists()).toHaveLength(1);
    expect(pods.changes).toEqual(['put shop/a', 'put shop/b']);
  });
});

describe('an older server', () => {
  const fromCache = { resourceVersion: '0', limit: '500' };

  test('that refuses to stream lists is asked once, and then for what its cache has', async () => {
    await start('refused');
    await server.create(pod('shop', 'a'));
    await reflect();
    await watching();
    await withForgotten(() => server.create(pod('shop', 'b')));
    await same();
    expect(streams()).toHaveLength(1);
    expect(lists()[0]?.query).toEqual(fromCache);
    expect(lists()).toHaveLength(2);
    // The watch that was cut, and the next one, whose revision was forgotten.
    expect(pods.counts.failures).toBe(2);
  });

  test('whose etcd is too old for streamed lists is asked once, and then for what its cache has', async () => {
    await start('old etcd');
    await server.create(pod('shop', 'a'));
    await reflect();
    await same();
    expect(streams()).toHaveLength(1);
    expect(lists()[0]?.query).toEqual(fromCache);
  });

  test('that takes no notice, and falls silent, is asked once', async () => {
    await start('ignored');
    await server.create(pod('shop', 'a'));
    await reflect({ initialIdleTimeoutMs: 100 });
    await watching();
    await withForgotten(() => server.create(pod('shop', 'b')));
    await same();
    expect(streams()).toHaveLength(1);
    expect(lists()[0]?.query).toEqual(fromCache);
  });

  test('that takes no notice, and sends a bookmark, is asked once', async () => {
    await start('ignored');
    await server.create(pod('shop', 'a'));
    pods = new ReflectedPods(server);
    await watching();
    expect(pods.changes).toEqual([]);
    for (const watch of server.watches()) watch.bookmark();
    await same();
    expect(lists()[0]?.query).toEqual(fromCache);
  });

  test('whose cache is behind: the watch catches up', async () => {
    await start('refused');
    await server.create(pod('shop', 'a'));
    server.api.lists.holdCache();
    await server.create(pod('shop', 'b'));
    await reflect();
    await same();
    expect(pods.changes).toEqual(['put shop/a', 'put shop/b']);
  });

  test('whose cache falls behind: what was shown never comes back', async () => {
    await start('refused');
    for (const name of ['a', 'b']) await server.create(pod('shop', name));
    server.api.lists.holdCache();
    await reflect();
    await watching();
    await server.delete(pod('shop', 'a'));
    await same();
    pods.changes.length = 0;
    await withForgotten(() => server.create(pod('shop', 'c')));
    await same();
    expect(pods.changes).toEqual(['put shop/c']);
  });

  test('gives a list on demand from its storage, in pages; one that it forgets begins again', async () => {
    await start('refused');
    for (let index = 0; index < 600; index += 1) await server.create(pod('shop', `p${index}`));
    await reflect();
    await watching();
    server.requests.length = 0;
    const pageOf = server.api.lists.page.bind(server.api.lists);
    let forgotten = false;
    server.api.lists.page = (...page) => {
      const answer = pageOf(...page);
      if (!forgotten) server.compact();
      forgotten = true;
      return answer;
    };
    await pods.reflector.relist();
    expect(pods.copy.size).toBe(600);
    expect(lists().map(({ query }) => query.continue !== undefined)).toEqual([false, true, false, true]);
    expect(lists().every(({ query }) => query.limit === '500' && !('resourceVersion' in query))).toBe(true);
  });

  test('a list that stops midway is asked for again', async () => {
    await start('refused');
    await server.create(pod('shop', 'a'));
    server.faults.add({ on: { plural: 'pods', watch: false }, action: { do: 'stop-midway' } });
    await reflect();
    expect(pods.changes).toEqual(['put shop/a']);
    expect(pods.counts.failures).toBe(1);
  });
});
