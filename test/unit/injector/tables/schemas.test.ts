/** What sidecars of each schema are sent, and how little one that comes back with its table. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { digestOf } from '../../../../common/digest.ts';
import { pack, unpack } from '../../../../common/pack.ts';
import {
  applyChange,
  applyDelta,
  createJudge,
  type InjectorFrame,
  type InjectorFrameV1,
  PartDigests,
  readInjectorFrame,
  readInjectorFrameV1,
  resolveOutline,
  type SidecarFrame,
  type Table,
  type TableV1,
  tableFromV1,
  tableJson,
  tableOf,
} from '../../../../policy/index.ts';
import { pod, policy } from '../../../builders/injector_manifests.ts';
import { RunningInjector } from '../running_injector.ts';
import { waitFor } from '../wait_for.ts';

let injector: RunningInjector;

const read = (value: unknown): InjectorFrame => readInjectorFrame(value, unpack);

beforeEach(async () => {
  injector = new RunningInjector();
  injector.dir.write('pods.yaml', pod('web', '10.0.0.1'), pod('api', '10.0.0.2'), pod('db', '10.0.0.3'));
  injector.dir.write('p.yaml', policy('api', 'api', ['web']));
  await injector.start();
});
afterEach(() => injector.close());

/** A connection that reads frames by one schema's rules, and keeps them. */
class Reader<Frame> {
  readonly frames: Frame[] = [];
  readonly #socket = injector.door.connect();
  bytes = 0;

  constructor(read: (value: unknown) => Frame, hello: object) {
    let text = '';
    this.#socket.setEncoding('utf8');
    this.#socket.on('error', () => {});
    this.#socket.on('data', (chunk: string) => {
      this.bytes += chunk.length;
      const lines = (text + chunk).split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) this.frames.push(read(JSON.parse(line)));
    });
    this.send(hello);
  }

  send(frame: object): void {
    this.#socket.write(`${JSON.stringify(frame)}\n`);
  }

  close(): void {
    this.#socket.destroy();
  }
}

const hello = (schema: number, more: object = {}): SidecarFrame & object => ({
  type: 'hello',
  schema,
  namespace: 'shop',
  pod: 'api',
  ...more,
});

function tableV1({ frames }: Reader<InjectorFrameV1>): TableV1 | undefined {
  return frames.reduce<TableV1 | undefined>((table, frame) => {
    if (frame.type === 'snapshot') return frame.table;
    return frame.type === 'delta' && table !== undefined ? applyDelta(table, frame.delta) : table;
  }, undefined);
}

describe('a sidecar of schema 1', () => {
  test('is served tables and deltas of its schema, with names and labels', async () => {
    const old = new Reader(readInjectorFrameV1, hello(1));
    await waitFor(() => tableV1(old));
    expect(tableV1(old)).toMatchObject({
      schema: 1,
      pods: { '10.0.0.1': { name: 'web', labels: { app: 'web' } }, '10.0.0.2': { name: 'api' } },
      namespaces: { shop: {} },
    });
    const admitted = (): readonly string[] => {
      const table = tableV1(old);
      if (table === undefined) return [];
      const judge = createJudge(tableFromV1(table));
      const all = ['10.0.0.1', '10.0.0.3', '10.0.0.4'];
      return all.filter((address) => judge.judge('ingress', address, 'TCP', 80).verdict === 'allow');
    };
    expect(admitted()).toEqual(['10.0.0.1']);
    injector.dir.write('more.yaml', pod('web2', '10.0.0.4', { app: 'web' }));
    await waitFor(() => admitted().length === 2);
    injector.dir.write('p.yaml', policy('api', 'api', ['db']));
    await waitFor(() => admitted().join() === '10.0.0.3');
    expect(old.frames.map(({ type }) => type).filter((type) => type !== 'heartbeat')).toEqual([
      'snapshot',
      'delta',
      'delta',
    ]);
    expect(Object.keys(tableV1(old)?.pods ?? {}).sort()).toEqual(['10.0.0.2', '10.0.0.3']);
    old.close();
  });

  test('has no table before its pod has an address, by which such a table says who the pod is', async () => {
    injector.dir.write('new.yaml', { ...pod('new', ''), status: { phase: 'Pending' } });
    const old = new Reader(readInjectorFrameV1, hello(1, { pod: 'new' }));
    await waitFor(() => old.frames.some(({ type }) => type === 'unknown-pod'));
    injector.dir.write('new.yaml', pod('new', '10.0.0.9'));
    await waitFor(() => tableV1(old)?.subject.ips[0] === '10.0.0.9');
    old.close();
  });

  test('is answered who an address is without a tag, which it does not know', async () => {
    const old = new Reader(readInjectorFrameV1, hello(1));
    await waitFor(() => tableV1(old));
    old.send({ type: 'identify', address: '10.0.0.1' });
    const answer = await waitFor(() => old.frames.find(({ type }) => type === 'identity'));
    expect(answer).toEqual({
      type: 'identity',
      address: '10.0.0.1',
      pod: expect.objectContaining({ name: 'web' }),
    });
    old.close();
  });
});

test.each(['direct', 'mixed', 'proxy'])(
  'a sidecar that says so has the path %s in the status and the metrics, for as long as it is connected',
  async (path) => {
    const sidecar = new Reader(read, hello(2, { path }));
    const status = async () => (await injector.status()).sidecars.find(({ pod }) => pod === 'api');
    const metrics = async () => (await injector.get('/metrics')).body;
    await waitFor(() => sidecar.frames.length > 0);
    expect(await status()).toMatchObject({ connected: true, path });
    expect(await metrics()).toContain(`sluice_injector_sidecar_paths{path="${path}"} 1`);
    sidecar.close();
    await waitFor(async () => (await status())?.connected === false);
    expect(await status()).not.toHaveProperty('path');
    expect(await metrics()).toContain(`sluice_injector_sidecar_paths{path="${path}"} 0`);
  },
);

test('a hello with a path that is none is refused', async () => {
  const sidecar = new Reader(read, hello(2, { path: 'auto' }));
  const frame = await waitFor(() => sidecar.frames[0]);
  expect(frame).toMatchObject({ type: 'refused', message: expect.stringContaining('frame.path') });
  sidecar.close();
});

/** The table of the pod as a sidecar holds it that has just been served. */
async function heldTable(): Promise<Table> {
  const sidecar = await injector.sidecar('shop/api');
  const { table } = sidecar;
  sidecar.close();
  if (table === undefined) throw new Error('no table came');
  return table;
}

describe('a sidecar that holds a table', () => {
  const digests = new PartDigests(digestOf);
  const outlines = ({ frames }: Reader<InjectorFrame>) =>
    frames.flatMap((frame) => (frame.type === 'outline' ? [frame.outline] : []));

  test('is sent an outline; when it has all parts, that is all, and changes go on from there', async () => {
    const held = await heldTable();
    const back = new Reader(read, hello(2, { holds: true }));
    const outline = await waitFor(() => outlines(back)[0]);
    const resolved = resolveOutline(outline, held, digests);
    if (resolved.kind !== 'table') throw new Error(`parts ${resolved.parts.join()} are missing`);
    expect(tableJson(resolved.table)).toEqual({ ...tableJson(held), revision: outline.revision });
    back.send({ type: 'want', parts: [] });
    injector.dir.write('more.yaml', pod('web2', '10.0.0.4', { app: 'web' }));
    const change = await waitFor(() => back.frames.find((frame) => frame.type === 'change'));
    const { table } = applyChange(resolved.table, change.change);
    expect(createJudge(table).judge('ingress', '10.0.0.4', 'TCP', 80).verdict).toBe('allow');
    expect(back.frames.some(({ type }) => type === 'snapshot')).toBe(false);
    back.close();
  });

  test('is sent the parts that have changed meanwhile, and those only', async () => {
    const held = await heldTable();
    injector.dir.write('q.yaml', policy('second', 'api', ['db']));
    await injector.status('?refresh=1');
    const back = new Reader(read, hello(2, { holds: true }));
    const outline = await waitFor(() => outlines(back)[0]);
    const resolved = resolveOutline(outline, held, digests);
    if (resolved.kind !== 'missing') throw new Error('nothing is missing');
    expect(resolved.parts).toHaveLength(2); // the new policy, and its group
    // What changes before the answer comes is in it too.
    injector.dir.write('more.yaml', pod('web2', '10.0.0.4', { app: 'web' }));
    await injector.status('?refresh=1');
    back.send({ type: 'want', parts: resolved.parts });
    const second = await waitFor(() => outlines(back)[1]);
    const parts = [...Object.values(second.policies), ...Object.values(second.groups)];
    expect(parts.filter((part) => typeof part === 'string')).toHaveLength(1); // the first policy
    const table = resolveOutline(second, held, digests);
    if (table.kind !== 'table') throw new Error(`parts ${table.parts.join()} are missing`);
    const judge = createJudge(table.table);
    for (const address of ['10.0.0.1', '10.0.0.3', '10.0.0.4'])
      expect(judge.judge('ingress', address, 'TCP', 80).verdict).toBe('allow');
    back.close();
  });

  test('that refuses the outline is sent the whole table', async () => {
    const back = new Reader(read, hello(2, { holds: true }));
    await waitFor(() => outlines(back)[0]);
    back.send({ type: 'nack', revision: 1, code: 'TABLE_MALFORMED', message: 'no' });
    const snapshot = await waitFor(() => back.frames.find((frame) => frame.type === 'snapshot'));
    expect(tableOf(snapshot.table).policies.size).toBe(1);
    back.close();
  });

  test('does not count as enforcing what came since the outline', async () => {
    const held = await heldTable();
    const back = new Reader(read, hello(2, { holds: true }));
    const outline = await waitFor(() => outlines(back)[0]);
    back.send({ type: 'ack', revision: outline.revision });
    injector.dir.write('p.yaml', policy('api', 'api', ['db']));
    const own = async () =>
      (await injector.status('?refresh=1')).sidecars.find(({ pod: name }) => name === 'api');
    const status = await own();
    expect(status?.revision).toBeGreaterThan(status?.enforced ?? 0);
    back.send({ type: 'want', parts: [] });
    await waitFor(() => back.frames.find((frame) => frame.type === 'change'));
    expect(held.revision).toBeLessThanOrEqual(outline.revision);
    back.close();
  });
});

test('large parts come packed, and a part that cannot be unpacked is refused', async () => {
  const crowd = Array.from({ length: 1_000 }, (_, i) =>
    pod(`p${i}`, `10.1.${i >> 8}.${i & 255}`, { app: 'web' }),
  );
  injector.dir.write('crowd.json', JSON.stringify({ apiVersion: 'v1', kind: 'List', items: crowd }));
  await injector.status('?refresh=1');
  const raw = new Reader((value) => value as { type: string; table?: { groups: object } }, hello(2));
  const snapshot = await waitFor(() => raw.frames.find(({ type }) => type === 'snapshot'));
  expect(Object.values(snapshot.table?.groups ?? {})).toEqual([{ packed: expect.any(String) }]);
  const frame = read(structuredClone(snapshot));
  if (frame.type !== 'snapshot') throw new Error(`a ${frame.type} was read`);
  expect([...tableOf(frame.table).groups.values()][0]?.members.size).toBe(1_001);
  for (const packed of ['', 'none', pack(Buffer.from('{'))]) {
    const [id = ''] = Object.keys(snapshot.table?.groups ?? {});
    const broken = { ...snapshot, table: { ...snapshot.table, groups: { [id]: { packed } } } };
    expect(() => read(broken)).toThrowError(/^a part of the frame cannot be unpacked/);
  }
  raw.close();
});

test('a change that brings a large group is read as it is sent', async () => {
  const crowd = Array.from({ length: 1_000 }, (_, i) =>
    pod(`p${i}`, `10.1.${i >> 8}.${i & 255}`, { app: 'crowd' }),
  );
  injector.dir.write('crowd.json', JSON.stringify({ apiVersion: 'v1', kind: 'List', items: crowd }));
  await injector.status('?refresh=1');
  const reader = new Reader(read, hello(2));
  const snapshot = await waitFor(() => reader.frames.find((frame) => frame.type === 'snapshot'));
  injector.dir.write('q.yaml', policy('second', 'api', ['crowd']));
  const change = await waitFor(() => reader.frames.find((frame) => frame.type === 'change'));
  const { table } = applyChange(tableOf(snapshot.table), change.change);
  expect([...table.groups.values()].map(({ members }) => members.size).sort((a, b) => a - b)).toEqual([
    1, 1_000,
  ]);
  reader.close();
});
