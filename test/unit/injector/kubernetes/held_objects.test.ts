/** While many objects are taken in, few are held: each is trimmed as it comes, and others have turns in between. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { ApiClient } from '../../../../injector/api/api_client.ts';
import { Reflector } from '../../../../injector/api/reflector.ts';
import { TurnSlice } from '../../../../injector/api/turn_slice.ts';
import { namespace } from '../../../builders/manifests.ts';
import { pod } from '../../../builders/stored_objects.ts';
import { ApiServer } from '../../../support/api_server/api_server.ts';
import { resourceOfKind } from '../../../support/api_server/resources.ts';
import type { WatchLists } from '../../../support/api_server/watch.ts';
import { captureLog } from '../captured_log.ts';
import { waitFor } from '../wait_for.ts';
import { configOf } from './reflected_pods.ts';

const PODS = 1_000;

/** Of a pod with `managedFields`, bytes. */
const POD_BYTES = 7_000;

/** How often it is counted, in pods. */
const STEP = 250;

/** Those of a chunk or two. All are far more. */
const MAX_HELD = 40;

const WAIT_MS = 15_000;

function collect(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

test.each<WatchLists>(['served', 'refused'])('streamed lists are %s', async (watchLists) => {
  const server = await ApiServer.start({ watchLists });
  await server.create(namespace('shop'));
  const resource = resourceOfKind('v1', 'Pod');
  for (let index = 0; index < PODS && resource !== undefined; index += 1) {
    const { metadata, ...rest } = pod('shop', `p${index}`);
    const annotations = { padding: 'x'.repeat(POD_BYTES) };
    server.api.store.create(resource, { ...rest, metadata: { ...metadata, annotations } });
  }
  const objects: WeakRef<object>[] = [];
  const held: number[] = [];
  let turns = 0;
  let parts = 0;
  const count = () => {
    collect();
    held.push(objects.filter((object) => object.deref() !== undefined).length);
  };
  const client = new ApiClient(configOf(server), WAIT_MS, new TurnSlice(0));
  const reflector = new Reflector<string>({
    client,
    path: '/api/v1/pods',
    trim(object) {
      objects.push(new WeakRef(object));
      if (objects.length % STEP === 0) setImmediate(count);
      return object.metadata.uid;
    },
    sink: () => {
      parts += 1;
    },
    events: { listed: () => undefined, event: () => undefined, failed: () => undefined },
    log: captureLog().log,
  });
  const turn = () => {
    turns += 1;
    next = setImmediate(turn);
  };
  let next = setImmediate(turn);
  await waitFor(() => reflector.synced, WAIT_MS);
  clearImmediate(next);
  expect(objects).toHaveLength(PODS);
  expect(held.length).toBe(PODS / STEP);
  expect(Math.max(...held)).toBeLessThan(MAX_HELD);
  // With slices of no length each object has a turn of its own.
  expect(turns).toBeGreaterThan(PODS);
  expect(parts).toBe(PODS / 100);
  await reflector.close();
  client.close();
  await server.close();
});
