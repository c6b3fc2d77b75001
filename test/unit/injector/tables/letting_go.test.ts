/** Which sidecars a replica has move, and how often it speaks to those of each version. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { podAt } from '../../../../bench/control_plane/cluster.ts';
import { MemorySource } from '../../../../bench/control_plane/memory_source.ts';
import { unpack } from '../../../../common/pack.ts';
import { createInjectorMetrics } from '../../../../injector/metrics.ts';
import type { FrameBytes } from '../../../../injector/tables/frames/frame_bytes.ts';
import type { SessionLink } from '../../../../injector/tables/session/session_link.ts';
import { TableServer, type TableServerOptions } from '../../../../injector/tables/table_server.ts';
import {
  type InjectorFrame,
  objectKey,
  readInjectorFrame,
  TABLE_SCHEMA,
  type WireVersion,
} from '../../../../policy/index.ts';
import { captureLog } from '../captured_log.ts';
import { waitFor } from '../wait_for.ts';

const MESSAGE = 'too many here';
const PODS = 10;

let source: MemorySource;
let tables: TableServer;

/** A connection whose frames stay where they are. */
class RecordingLink implements SessionLink {
  readonly frames: InjectorFrame[] = [];
  readonly queuedBytes = 0;
  closed = false;

  send(bytes: FrameBytes): void {
    this.frames.push(readInjectorFrame(JSON.parse(Buffer.concat(bytes).toString()), unpack));
  }

  close(): void {
    this.closed = true;
  }

  count(type: InjectorFrame['type']): number {
    return this.frames.filter((frame) => frame.type === type).length;
  }
}

function start(options: TableServerOptions = { heartbeatMs: 600_000 }): void {
  tables?.close();
  tables = new TableServer(source, createInjectorMetrics(), captureLog().log, options);
}

async function connect(place: number, wire: WireVersion, hasTable = true): Promise<RecordingLink> {
  const link = new RecordingLink();
  const { namespace, name, uid } = podAt(0, place, 0, 0);
  tables.attach(link).open({ namespace, name, uid }, { schema: TABLE_SCHEMA }, wire);
  await waitFor(() => link.count(hasTable ? 'snapshot' : 'unknown-pod') === 1);
  return link;
}

beforeEach(() => {
  source = new MemorySource();
  for (let place = 0; place < PODS; place += 1) {
    const object = podAt(0, place, 0, 0);
    source.change({ kind: 'Pod', key: objectKey(object.namespace, object.name), object });
  }
  start();
});

afterEach(() => tables.close());

test('sidecars that know how to move are asked to, those that came first before others, each once', async () => {
  const old = await connect(0, 1);
  const links = [await connect(1, 2), await connect(2, 2), await connect(3, 2)];
  expect(tables.carried).toBe(4);
  expect(tables.letGo('all', 2, MESSAGE)).toBe(2);
  expect(links.map((link) => link.count('moved'))).toEqual([1, 1, 0]);
  expect(links[0]?.frames.at(-1)).toEqual({ type: 'moved', message: MESSAGE });
  // They are as good as gone, and are served until they are.
  expect(tables.carried).toBe(2);
  expect(links.map(({ closed }) => closed)).toEqual([false, false, false]);
  expect(tables.letGo('all', 5, MESSAGE)).toBe(1);
  expect(tables.letGo('all', 5, MESSAGE)).toBe(0);
  expect(old.count('moved')).toBe(0);
  expect(tables.carried).toBe(1);
});

test('one that waits for its table is not asked: another replica has none for it either', async () => {
  const link = await connect(PODS, 2, false);
  expect(tables.letGo('all', 5, MESSAGE)).toBe(0);
  expect(link.count('moved')).toBe(0);
});

test('one that fills in an outline is asked when it has its table, and is served as before when it was asked', async () => {
  const link = new RecordingLink();
  const { namespace, name, uid } = podAt(0, 0, 0, 0);
  const session = tables.attach(link);
  session.open({ namespace, name, uid }, { schema: TABLE_SCHEMA, holds: true }, 2);
  await waitFor(() => link.count('outline') === 1);
  expect(tables.letGo('all', 5, MESSAGE)).toBe(0);
  expect(tables.carried).toBe(1);
  session.receive({ type: 'want', parts: [0] });
  expect(tables.letGo('all', 5, MESSAGE)).toBe(0);
  await waitFor(() => link.count('outline') === 2);
  expect(tables.letGo('all', 5, MESSAGE)).toBe(1);
  expect(link.count('moved')).toBe(1);
  const object = { ...podAt(0, 0, 0, 0), labels: { app: 'other' } };
  source.change({ kind: 'Pod', key: objectKey(namespace, name), object });
  await waitFor(() => link.count('change') === 1);
});

test('one that comes back with its table to the same replica is sent an outline of it', async () => {
  const older = await connect(0, 2);
  expect(tables.letGo('all', 1, MESSAGE)).toBe(1);
  const link = new RecordingLink();
  const { namespace, name, uid } = podAt(0, 0, 0, 0);
  const session = tables.attach(link);
  session.open({ namespace, name, uid }, { schema: TABLE_SCHEMA, holds: true }, 2);
  await waitFor(() => link.count('outline') === 1);
  expect(older.closed).toBe(true);
  session.receive({ type: 'want', parts: [] });
  expect(tables.carried).toBe(1);
  expect(tables.letGo('all', 1, MESSAGE)).toBe(1);
});

test('those who have been here long enough are asked alone', async () => {
  start({ heartbeatMs: 600_000, leastAgeMs: 1_500, mostAgeMs: 1_500 });
  const aged = await connect(0, 2);
  await delay(1_600);
  const young = await connect(1, 2);
  expect(tables.letGo('aged', 5, MESSAGE)).toBe(1);
  expect([aged, young].map((link) => link.count('moved'))).toEqual([1, 0]);
});

test('one that comes back to the same replica takes the place of its older connection, and counts again', async () => {
  const older = await connect(0, 2);
  expect(tables.letGo('all', 1, MESSAGE)).toBe(1);
  await connect(0, 2);
  expect(older.closed).toBe(true);
  expect(tables.carried).toBe(1);
});

test('sidecars of either version hear something once an interval', async () => {
  start({ heartbeatMs: 20 });
  const links = [await connect(0, 1), await connect(1, 2)];
  await waitFor(() => links.every((link) => link.count('heartbeat') >= 5));
});

test('a heartbeat is left out only where a table was sent within a quarter of the time between them', async () => {
  const link = new RecordingLink();
  const { namespace, name, uid } = podAt(0, 0, 0, 0);
  const session = tables.attach(link);
  session.open({ namespace, name, uid }, { schema: TABLE_SCHEMA }, 2);
  await waitFor(() => link.count('snapshot') === 1);
  session.beat(60_000);
  expect(link.count('heartbeat')).toBe(0);
  await delay(30);
  session.beat(100);
  expect(link.count('heartbeat')).toBe(1);
});
