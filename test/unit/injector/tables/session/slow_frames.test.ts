/** A frame that is made in several goes: what happens meanwhile comes after it, and nothing is lost. */
import { beforeEach, expect, test, vi } from 'vitest';
import { unpack } from '../../../../../common/pack.ts';
import { createInjectorMetrics } from '../../../../../injector/metrics.ts';
import { type FrameBytes, Heartbeats } from '../../../../../injector/tables/frames/frame_bytes.ts';
import { TableWriterV2 } from '../../../../../injector/tables/frames/table_writer_v2.ts';
import type { SessionLink } from '../../../../../injector/tables/session/session_link.ts';
import { TableSession } from '../../../../../injector/tables/session/table_session.ts';
import {
  applyChange,
  type InjectorFrame,
  readInjectorFrame,
  TABLE_SCHEMA,
  type Table,
  tableJson,
  tableOf,
} from '../../../../../policy/index.ts';
import { servicesTable, withBackend } from '../../../../builders/services_table.ts';
import { captureLog } from '../../captured_log.ts';

const ports = 2_000;

/** Puts in force what it gets. */
class Sidecar implements SessionLink {
  readonly types: InjectorFrame['type'][] = [];
  readonly queuedBytes = 0;
  table: Table | undefined;

  send(bytes: FrameBytes): void {
    const frame = readInjectorFrame(JSON.parse(Buffer.concat(bytes).toString()), unpack);
    this.types.push(frame.type);
    if (frame.type === 'snapshot') this.table = tableOf(frame.table);
    if (frame.type === 'change' && this.table !== undefined)
      this.table = applyChange(this.table, frame.change).table;
  }

  close(): void {}
}

const writer = new TableWriterV2();

let sidecar: Sidecar;
let session: TableSession;

beforeEach(() => {
  sidecar = new Sidecar();
  const limits = {
    maxQueuedBytes: 1,
    maxStalledBeats: 1,
    refusedRetryMs: 1,
    maxQuestions: 1,
    leastAgeMs: 600_000,
    maxMet: 0,
    maxMeets: 0,
    mostAgeMs: 600_000,
  };
  const host = {
    revision: 1,
    limits,
    heartbeats: new Heartbeats(),
    metrics: createInjectorMetrics(),
    admit: vi.fn(),
    resend: vi.fn(),
    update: vi.fn(),
    writer: () => writer,
    identify: () => undefined,
    flows: vi.fn(),
    mayMeet: () => false,
    mayStartOver: () => true,
    viewHost: () => {
      throw new Error('no partial groups here');
    },
    isDue: () => false,
    moved: vi.fn(),
    leave: vi.fn(),
  };
  session = new TableSession(host, sidecar, captureLog().log);
  session.open({ namespace: 'shop', name: 'api' }, { schema: TABLE_SCHEMA });
});

const never = () => false;
const always = () => true;

/** How often it has to be called. */
function delivered(kind: 'table' | 'change', table: Table): number {
  for (let calls = 1; ; calls += 1) if (session.deliver(kind, () => table, never) !== 'begun') return calls;
}

const held = () => sidecar.table && tableJson(sidecar.table);

test('a table is sent as it was when it was begun, and what has changed since after it', () => {
  const first = servicesTable(ports, 20);
  const second = withBackend(first, 7, '10.9.0.1');
  expect(session.deliver('table', () => first, never)).toBe('begun');
  expect(session.deliver('table', () => second, never)).toBe('begun');
  expect(delivered('table', second)).toBeGreaterThan(20);
  expect(sidecar.types).toEqual(['snapshot']);
  expect(held()).toEqual(tableJson(first));
  expect(session.revision).toBe(first.revision);
  session.deliver('change', () => second, always);
  expect(sidecar.types).toEqual(['snapshot', 'change']);
  expect(held()).toEqual(tableJson(second));
});

test('a change that leads on from a table that was refused meanwhile is not sent, but the whole table', () => {
  const first = servicesTable(ports, 20);
  const second = { ...servicesTable(ports, 21), revision: 2 };
  session.deliver('table', () => first, always);
  expect(session.deliver('change', () => second, never)).toBe('begun');
  session.receive({ type: 'nack', revision: 1, code: 'TABLE_MALFORMED', message: 'no' });
  expect(delivered('change', second)).toBeGreaterThan(1);
  expect(sidecar.types).toEqual(['snapshot', 'snapshot']);
  expect(held()).toEqual(tableJson(second));
});

test('what is being made for a pod that has no table any more is not sent', () => {
  session.deliver('table', () => servicesTable(ports, 22), never);
  session.withhold('gone');
  expect(sidecar.types).toEqual(['unknown-pod']);
  const next = servicesTable(ports, 3);
  delivered('table', next);
  expect(held()).toEqual(tableJson(next));
});

test('a table that was begun is not sent to a pod that has gone and come back meanwhile', () => {
  const first = servicesTable(ports, 20);
  const second = withBackend(first, 7, '10.9.0.1');
  session.withhold('no such pod');
  expect(session.deliver('table', () => first, never)).toBe('begun');
  session.withhold('no such pod');
  expect(sidecar.types).toEqual(['unknown-pod']);
  session.deliver('table', () => second, always);
  expect(sidecar.types).toEqual(['unknown-pod', 'snapshot']);
  expect(held()).toEqual(tableJson(second));
});
