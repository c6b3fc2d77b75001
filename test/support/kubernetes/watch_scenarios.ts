/** What the reflector relies on: pages and watches, asked of any API server. */
import { CoreV1Api, PatchStrategy, setHeaderOptions, Watch } from '@kubernetes/client-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Access, idlePod, TestCluster } from './test_cluster.ts';

/** How long a watch may take to show what has happened, ms. */
const SHOWN_MS = 10_000;

interface Seen {
  /** As `ADDED a`. */
  readonly events: string[];
  /** Ends with the watch, with what it failed with. */
  readonly over: Promise<unknown>;
}

const expectShown = (events: readonly string[]) => expect.poll(() => events, { timeout: SHOWN_MS });

/** Registers the scenarios. */
export function watchScenarios(open: () => Promise<Access>): void {
  let cluster: TestCluster;
  let namespace: string;
  let core: CoreV1Api;
  const watches: AbortController[] = [];

  beforeEach(async () => {
    cluster = new TestCluster(await open());
    core = cluster.config.makeApiClient(CoreV1Api);
    namespace = await cluster.namespace();
  });

  afterEach(async () => {
    for (const watch of watches.splice(0)) watch.abort();
    await cluster.close();
  });

  const create = (name: string) => core.createNamespacedPod({ namespace, body: idlePod(namespace, name) });
  const label = (name: string, app: string) =>
    core.patchNamespacedPod(
      { name, namespace, body: { metadata: { labels: { app } } } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    );
  const remove = (name: string) => core.deleteNamespacedPod({ name, namespace, gracePeriodSeconds: 0 });

  /** Follows the pods of the namespace. */
  async function watchPods(query: Record<string, string | number | boolean>): Promise<Seen> {
    const events: string[] = [];
    const over = Promise.withResolvers<unknown>();
    const watch = await new Watch(cluster.config).watch(
      `/api/v1/namespaces/${namespace}/pods`,
      query,
      (type, object) =>
        events.push(`${type} ${type === 'ERROR' ? object.code : (object.metadata?.name ?? '')}`.trim()),
      over.resolve,
    );
    watches.push(watch);
    return { events, over: over.promise };
  }

  test('a list comes in pages of one moment, whatever is created meanwhile', async () => {
    for (const name of ['a', 'b', 'd']) await create(name);
    const first = await core.listNamespacedPod({ namespace, limit: 2 });
    await create('c');
    const next = first.metadata?._continue ?? '';
    const second = await core.listNamespacedPod({ namespace, limit: 2, _continue: next });
    expect([...first.items, ...second.items].map((item) => item.metadata?.name)).toEqual(['a', 'b', 'd']);
    expect(first.metadata?.remainingItemCount).toBe(1);
    expect(second.metadata?.resourceVersion).toBe(first.metadata?.resourceVersion);
    expect(second.metadata?._continue).toBeUndefined();
  });

  test('a watch shows what happened since its revision, then what happens; a pod is told to end before it is gone', async () => {
    const list = await core.listNamespacedPod({ namespace });
    await create('a');
    const { events } = await watchPods({ resourceVersion: list.metadata?.resourceVersion ?? '' });
    await label('a', 'web');
    await remove('a');
    await expectShown(events).toEqual(['ADDED a', 'MODIFIED a', 'MODIFIED a', 'DELETED a']);
  });

  test('a pod deleted and created under the same name is deleted and added', async () => {
    const list = await core.listNamespacedPod({ namespace });
    for (const step of [create, remove, create]) await step('a');
    const { events } = await watchPods({ resourceVersion: list.metadata?.resourceVersion ?? '' });
    await expectShown(events).toEqual(['ADDED a', 'MODIFIED a', 'DELETED a', 'ADDED a']);
  });

  test('a watch without a revision begins with all that is there', async () => {
    await create('a');
    const { events } = await watchPods({});
    await expectShown(events).toEqual(['ADDED a']);
  });

  test('to a selector an object that comes to match is added, and one that no longer does is deleted', async () => {
    await create('a');
    const { events } = await watchPods({ labelSelector: 'app=web' });
    await label('a', 'web');
    await label('a', 'api');
    await expectShown(events).toEqual(['ADDED a', 'DELETED a']);
  });

  test('a watch from a revision of the future has nothing to show, and ends with its time', async () => {
    const { resourceVersion } = (await core.listNamespacedPod({ namespace })).metadata ?? {};
    const future = String(Number(resourceVersion) + 1_000_000);
    const { events, over } = await watchPods({ resourceVersion: future, timeoutSeconds: 2 });
    await create('a');
    expect(await over).toBeNull();
    expect(events).toEqual([]);
  });

  test('a watch ends with its time, with a bookmark for who wants one', async () => {
    const { resourceVersion = '' } = (await core.listNamespacedPod({ namespace })).metadata ?? {};
    const { events, over } = await watchPods({
      resourceVersion,
      timeoutSeconds: 3,
      allowWatchBookmarks: true,
    });
    await over;
    expect(new Set(events)).toEqual(new Set(['BOOKMARK']));
  });
}
