/** What changes for many sidecars alike is put into bytes once, in one piece. */
import { afterEach, expect, test } from 'vitest';
import { MemorySource } from '../../../../bench/control_plane/memory_source.ts';
import { createInjectorMetrics } from '../../../../injector/metrics.ts';
import type { FrameBytes } from '../../../../injector/tables/frames/frame_bytes.ts';
import { TableServer } from '../../../../injector/tables/table_server.ts';
import { objectKey, parseNetworkPolicy, parsePod, TABLE_SCHEMA } from '../../../../policy/index.ts';
import { accepted, apiPod, apiPolicy } from '../../../builders/api_objects.ts';
import { captureLog } from '../captured_log.ts';
import { waitFor } from '../wait_for.ts';

const SIDECARS = 20;

/** Enough members for a text of more than one write. */
const PODS = 3_000;

/** What is written at a time, bytes. */
const WRITE_BYTES = 16 * 1024;

let server: TableServer | undefined;
afterEach(() => server?.close());

const addressOf = (place: number): string => `10.1.${place >> 8}.${place & 255}`;

/** A namespace of pods, some of them with sidecars. */
function start(partial: boolean) {
  const source = new MemorySource();
  for (const pod of Array.from({ length: PODS }, (_, i) => apiPod(`shop/p${i}`, { ips: [addressOf(i)] }))) {
    const object = accepted(parsePod(pod));
    source.cluster.apply({ kind: 'Pod', key: objectKey('shop', object.name), object });
  }
  const tables = new TableServer(source, createInjectorMetrics(), captureLog().log, {
    heartbeatMs: 600_000,
  });
  server = tables;
  const frames: FrameBytes[] = [];
  for (let place = 0; place < SIDECARS; place += 1) {
    const session = tables.attach({
      queuedBytes: 0,
      send: (bytes) => frames.push(bytes),
      close: () => undefined,
    });
    session.receive({ type: 'hello', schema: TABLE_SCHEMA, namespace: 'shop', pod: `p${place}`, partial });
  }
  return { source, frames };
}

for (const partial of [true, false])
  test(`of a namespace's first policy ${partial ? 'for' : 'without'} partial groups`, async () => {
    const { source, frames } = start(partial);
    await waitFor(() => frames.length === SIDECARS);
    const spec = { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] };
    const object = accepted(parseNetworkPolicy(apiPolicy('shop/own', spec)));
    source.change({ kind: 'NetworkPolicy', key: 'shop/own', object });
    await waitFor(() => frames.length === 2 * SIDECARS);
    const changes = frames.slice(SIDECARS);
    expect(changes.map(({ length }) => length)).toEqual(changes.map(() => 1));
    expect(new Set(changes.map(([bytes]) => bytes)).size).toBe(1);
    expect(changes[0]?.[0]?.length).toBeGreaterThan(WRITE_BYTES);
  });
