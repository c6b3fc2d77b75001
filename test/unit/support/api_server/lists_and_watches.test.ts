/** The API-server double, asked by the published client: pages, watches, and their faults. */
import { get } from 'node:https';
import { CoreV1Api, Watch } from '@kubernetes/client-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { namespace } from '../../../builders/manifests.ts';
import { clientOf, pod } from '../../../builders/stored_objects.ts';
import { ApiServer } from '../../../support/api_server/api_server.ts';
import { resourceOfKind } from '../../../support/api_server/resources.ts';

let server: ApiServer;
const open: AbortController[] = [];

beforeEach(async () => {
  server = await ApiServer.start();
  await server.create(namespace('shop'));
});

afterEach(async () => {
  for (const controller of open.splice(0)) controller.abort();
  await server.close();
});

const core = () => clientOf(server).makeApiClient(CoreV1Api);

interface Seen {
  readonly events: string[];
  readonly over: Promise<unknown>;
}

/** Follows pods; events as `ADDED a`. */
async function watchPods(query: Record<string, string | number | boolean>): Promise<Seen> {
  const events: string[] = [];
  let end: (error: unknown) => void = () => undefined;
  const over = new Promise((resolve) => {
    end = resolve;
  });
  const controller = await new Watch(clientOf(server)).watch(
    '/api/v1/pods',
    query,
    (type, object) =>
      events.push(
        type === 'ERROR' ? `ERROR ${object.code}` : `${type} ${object.metadata?.name ?? ''}`.trim(),
      ),
    end,
  );
  open.push(controller);
  return { events, over };
}

/** The status of the answer to a GET. */
function ask({ url, ca, adminToken }: ApiServer, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(
      `${url}${path}`,
      { ca, agent: false, headers: { authorization: `Bearer ${adminToken}` } },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    ).on('error', reject);
  });
}

test('a page token is gone after a compaction', async () => {
  for (const name of ['a', 'b']) await server.create(pod('shop', name));
  const first = await core().listPodForAllNamespaces({ limit: 1 });
  server.compact();
  const next = core().listPodForAllNamespaces({ limit: 1, _continue: first.metadata?._continue ?? '' });
  await expect(next).rejects.toMatchObject({ code: 410 });
});

test('a watch from a forgotten revision is answered so', async () => {
  const list = await core().listPodForAllNamespaces();
  server.compact();
  const { events, over } = await watchPods({ resourceVersion: list.metadata?.resourceVersion ?? '' });
  await over;
  expect(events).toEqual(['ERROR 410']);
});

test('a revision from the future: a list is refused, a watch has nothing to show', async () => {
  const resourceVersion = String(server.api.store.revision + 100);
  await expect(core().listPodForAllNamespaces({ resourceVersion })).rejects.toMatchObject({ code: 504 });
  const { events, over } = await watchPods({ resourceVersion, timeoutSeconds: 1 });
  await server.create(pod('shop', 'a'));
  await over;
  expect(events).toEqual([]);
});

test('a watch ends with its time, with a bookmark for who wants one', async () => {
  const { events, over } = await watchPods({ timeoutSeconds: 1, allowWatchBookmarks: true });
  await over;
  expect(events).toEqual(['BOOKMARK']);
});

describe('a watch that begins with all that there is', () => {
  const all = { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan', allowWatchBookmarks: true };

  test('says when that is shown, and goes on', async () => {
    for (const name of ['a', 'b']) await server.create(pod('shop', name));
    const { events } = await watchPods(all);
    await server.create(pod('shop', 'c'));
    await expect.poll(() => events).toEqual(['ADDED a', 'ADDED b', 'BOOKMARK', 'ADDED c']);
  });

  test('is refused with parameters that do not go together, for a revision of the future, and by older servers', async () => {
    const refusals = async (query: Record<string, string | number | boolean>) => {
      const { over } = await watchPods(query);
      return over;
    };
    expect(await refusals({ sendInitialEvents: true })).toMatchObject({ message: 'Unprocessable Entity' });
    expect(await refusals({ resourceVersionMatch: 'NotOlderThan' })).toMatchObject({
      message: 'Unprocessable Entity',
    });
    expect(await refusals({ ...all, resourceVersion: '999999' })).toMatchObject({
      message: 'Gateway Timeout',
    });
    const older = await ApiServer.start({ watchLists: 'refused' });
    const response = await ask(older, '/api/v1/pods?watch=true&sendInitialEvents=true');
    expect(response).toBe(422);
    await older.close();
  });
});

describe('the cache', () => {
  test('gives all at once, and what it has', async () => {
    for (const name of ['a', 'b']) await server.create(pod('shop', name));
    server.api.lists.holdCache();
    const { resourceVersion: held = '' } =
      (await core().listPodForAllNamespaces({ resourceVersion: '0' })).metadata ?? {};
    await server.create(pod('shop', 'c'));
    const cached = await core().listPodForAllNamespaces({ resourceVersion: '0', limit: 1 });
    expect(cached.items.map(({ metadata }) => metadata?.name)).toEqual(['a', 'b']);
    expect(cached.metadata?.resourceVersion).toBe(held);
    expect((await core().listPodForAllNamespaces()).items).toHaveLength(3);
  });

  test('of which a later state is wanted has first to catch up', async () => {
    server.api.lists.holdCache();
    await server.create(pod('shop', 'a'));
    const wanted = {
      resourceVersion: String(server.api.store.revision),
      resourceVersionMatch: 'NotOlderThan',
    };
    await expect(core().listPodForAllNamespaces(wanted)).rejects.toMatchObject({ code: 504 });
    server.api.lists.releaseCache();
    expect((await core().listPodForAllNamespaces(wanted)).items).toHaveLength(1);
  });
});

test('a long list comes whole', async () => {
  const resource = resourceOfKind('v1', 'Pod');
  for (let index = 0; index < 1_001 && resource !== undefined; index += 1)
    server.api.store.create(resource, pod('shop', `p${index}`));
  expect((await core().listPodForAllNamespaces()).items).toHaveLength(1_001);
});

test('watches are cut, in the middle of a line too', async () => {
  const whole = await watchPods({});
  await server.cutWatches();
  await whole.over;
  const torn = await watchPods({});
  await server.cutWatches({ midLine: true });
  await torn.over;
  expect(torn.events).toEqual([]);
});

test('ordered faults are played out once, on the requests they are for', async () => {
  server.faults.add({ on: { plural: 'pods' }, action: { do: 'too-many-requests', retryAfterSeconds: 3 } });
  await core().listNamespace();
  const refused = core().listPodForAllNamespaces();
  await expect(refused).rejects.toMatchObject({ code: 429, headers: { 'retry-after': '3' } });
  server.faults.add({ on: { plural: 'pods' }, action: { do: 'truncate' } });
  await expect(core().listPodForAllNamespaces()).rejects.toThrow();
  await core().listPodForAllNamespaces();
});

test('a server that was away is back at the same address with what it knew', async () => {
  await server.create(pod('shop', 'a'));
  await server.goAway();
  await expect(core().listNamespace()).rejects.toThrow();
  await server.comeBack();
  expect((await core().listPodForAllNamespaces()).items).toHaveLength(1);
});
