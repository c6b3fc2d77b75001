import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compile, tableJson } from '../../../../policy/index.ts';
import { readManifests } from '../../../../sources/manifests.ts';
import { pod, policy } from '../../../builders/injector_manifests.ts';
import { endpointSlice, namespace, service } from '../../../builders/manifests.ts';
import { RunningInjector } from '../running_injector.ts';
import type { TestSidecar } from '../test_sidecar.ts';
import { waitFor } from '../wait_for.ts';

/** How long an edit may take, in milliseconds. */
const EDIT_BOUND_MS = 200;

/** Of so many edits of a kind the one in the middle counts: a busy moment of the machine does not. */
const ROUNDS = 5;

const DB = service('shop/db', { ips: ['10.96.0.1'] });
const dbAt = (...addresses: readonly string[]) => endpointSlice('shop/db-1', 'db', addresses, [8080]);

let injector: RunningInjector;

beforeEach(() => {
  injector = new RunningInjector();
  injector.dir.write('pods.yaml', pod('web', '10.0.0.1'), pod('api', '10.0.0.2'), pod('db', '10.0.0.3'));
});
afterEach(() => injector.close());

const rules = (sidecar: TestSidecar): number | undefined => sidecar.table?.ingress.rules.length;
const isolated = (sidecar: TestSidecar): boolean => (sidecar.table?.ingress.isolating.length ?? 0) > 0;

/** What a sidecar has is what a fresh compilation of the files gives, whichever changes led there. */
async function expectCurrent(sidecar: TestSidecar, podKey: string): Promise<void> {
  const { cluster } = await readManifests([injector.dir.path]);
  const { table } = sidecar;
  expect(table && tableJson(table)).toEqual(tableJson(compile(cluster, podKey, table?.revision ?? 0)));
}

describe('table delivery', () => {
  test('starts with a snapshot and goes on with changes that lead to the same table', async () => {
    await injector.start();
    const api = await injector.sidecar('shop/api');
    expect(isolated(api)).toBe(false);
    injector.dir.write('p.yaml', policy('api', 'api', ['web']));
    await waitFor(() => rules(api) === 1);
    injector.dir.write('p.yaml', policy('api', 'api', ['web', 'db']));
    await waitFor(() => api.table?.groups.size === 2);
    injector.dir.write('q.yaml', pod('web2', '10.0.0.4', { app: 'web' }));
    await waitFor(() => [...(api.table?.groups.values() ?? [])].some(({ members }) => members.size === 2));
    await expectCurrent(api, 'shop/api');
    injector.dir.remove('p.yaml');
    await waitFor(() => !isolated(api));
    await expectCurrent(api, 'shop/api');
    expect(api.types[0]).toBe('snapshot');
    expect(api.types.slice(1)).toContain('change');
  });

  test('gives each sidecar its own table only, and leaves a table alone that a change does not touch', async () => {
    await injector.start();
    const [api, web] = [await injector.sidecar('shop/api'), await injector.sidecar('shop/web')];
    const before = web.table?.revision;
    injector.dir.write('p.yaml', policy('api', 'api', ['db']));
    await waitFor(() => isolated(api));
    await injector.status('?refresh=1');
    expect(api.table?.subject.name).toBe('api');
    expect(isolated(web)).toBe(false);
    expect(web.table?.revision).toBe(before);
    expect(web.types).toEqual(['snapshot']);
    expect(api.table?.revision).toBeGreaterThan(before ?? 0);
  });

  test('sends only pods that are isolated for egress which backends a service has', async () => {
    injector.dir.write('s.yaml', DB, dbAt('10.0.0.3'));
    injector.dir.write('p.yaml', policy('out', 'api', [], { policyTypes: ['Egress'], ingress: null }));
    await injector.start();
    const [api, web] = [await injector.sidecar('shop/api'), await injector.sidecar('shop/web')];
    const backends = () =>
      api.table?.services.get('10.96.0.1 TCP/80')?.backends.map(({ address, port }) => `${address}:${port}`);
    expect(backends()).toEqual(['10.0.0.3:8080']);
    injector.dir.write('s.yaml', DB, dbAt('10.0.0.3', '10.0.0.4'));
    await waitFor(() => backends()?.length === 2);
    await expectCurrent(api, 'shop/api');
    expect(api.frames.filter(({ type }) => type === 'change')).toEqual([
      { type: 'change', change: expect.objectContaining({ services: expect.anything() }) },
    ]);
    expect(web.table?.services.size).toBe(0);
    expect(web.types).toEqual(['snapshot']);
    injector.dir.write('p.yaml', policy('out', 'web', [], { policyTypes: ['Egress'], ingress: null }));
    await waitFor(() => web.table?.services.get('10.96.0.1 TCP/80'));
    await expectCurrent(web, 'shop/web');
    await expectCurrent(api, 'shop/api');
    expect(api.table?.services.size).toBe(0);
  });

  test('keeps the backends of a service that an edit breaks', async () => {
    injector.dir.write('s.yaml', DB);
    injector.dir.write('e.yaml', dbAt('10.0.0.3'));
    injector.dir.write('p.yaml', policy('out', 'api', [], { policyTypes: ['Egress'], ingress: null }));
    await injector.start();
    const api = await injector.sidecar('shop/api');
    injector.dir.write('e.yaml', dbAt('10.0.0'));
    injector.dir.write('s.yaml', service('shop/db', { ips: ['10.96'] }));
    const { problems } = await injector.status('?refresh=1');
    expect(problems.map(({ object, path }) => [object, path])).toEqual([
      ['EndpointSlice shop/db-1', 'endpoints[0].addresses[0]'],
      ['Service shop/db', 'spec.clusterIPs[0]'],
    ]);
    expect(api.table?.services.get('10.96.0.1 TCP/80')?.backends).toHaveLength(1);
  });

  test('has an edit in force within 200 ms', async () => {
    await injector.start();
    const api = await injector.sidecar('shop/api');
    const took: Record<string, number[]> = { write: [], replace: [], remove: [] };
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [kind, times] of Object.entries(took)) {
        const name = kind === 'remove' ? undefined : `${kind}-${round}`;
        const startMs = performance.now();
        if (name === undefined) injector.dir.remove('p.yaml');
        else injector.dir[kind === 'write' ? 'write' : 'replace']('p.yaml', policy(name, 'api', ['web']));
        await waitFor(() => api.table?.ingress.isolating[0]?.name === name);
        times.push(performance.now() - startMs);
      }
    }
    for (const times of Object.values(took)) {
      const median = times.toSorted((a, b) => a - b)[ROUNDS >> 1];
      expect(median).toBeLessThan(EDIT_BOUND_MS / 2);
    }
  });

  test('keeps the policy in force that an edit breaks, and isolates by a broken new one', async () => {
    injector.dir.write('p.yaml', policy('api', 'api', ['web']));
    await injector.start();
    const [api, db] = [await injector.sidecar('shop/api'), await injector.sidecar('shop/db')];
    injector.dir.write('p.yaml', policy('api', 'api', ['web'], { ingress: [{ from: [{}] }] }));
    injector.dir.write('q.yaml', policy('db', 'db', ['api'], { ingress: 'everyone' }));
    await waitFor(() => isolated(db));
    const status = await injector.status('?refresh=1');
    expect(rules(api)).toBe(1);
    expect(rules(db)).toBe(0);
    expect(status.problems.map(({ file, document, path }) => [file, document, path])).toEqual([
      [injector.dir.file('p.yaml'), 1, 'spec.ingress[0].from[0]'],
      [injector.dir.file('q.yaml'), 1, 'spec.ingress'],
    ]);
  });

  test('shows in the status what each sidecar enforces', async () => {
    await injector.start();
    const api = injector.connection();
    api.autoAck = false;
    api.hello('shop/api');
    await waitFor(() => api.table);
    const revision = api.table?.revision ?? 0;
    const find = async () => (await injector.status()).sidecars.find((sidecar) => sidecar.pod === 'api');
    expect(await find()).toEqual({
      namespace: 'shop',
      pod: 'api',
      connected: true,
      revision,
      enforced: null,
      path: 'proxy',
      warnings: [],
    });
    api.send({ type: 'ack', revision });
    await waitFor(async () => (await find())?.enforced === revision);
    injector.dir.write('p.yaml', policy('api', 'api', []));
    const after = (await injector.status('?refresh=1')).sidecars.find((sidecar) => sidecar.pod === 'api');
    expect(after?.revision).toBeGreaterThan(revision);
    expect(after?.enforced).toBe(revision);
    api.close();
    await waitFor(async () => (await find())?.connected === false);
    expect(await find()).toMatchObject({ revision: 0, enforced: null });
  });

  test('answers a refused change with a snapshot, and a refused snapshot only later', async () => {
    await injector.start({ heartbeatMs: 20, refusedRetryMs: 300 });
    const api = await injector.sidecar('shop/api');
    api.autoAck = false;
    injector.dir.write('p.yaml', policy('api', 'api', ['web']));
    await waitFor(() => api.types.at(-1) === 'change');
    // A sidecar may name the revision it keeps or the one it refused.
    const refuse = (revision: number) =>
      api.send({ type: 'nack', revision, code: 'TABLE_GAP', message: 'a gap' });
    const before = api.frames[0]?.type === 'snapshot' ? api.frames[0].table.revision : 0;
    refuse(before);
    await waitFor(() => api.types.length === 3);
    expect(api.types).toEqual(['snapshot', 'change', 'snapshot']);
    await expectCurrent(api, 'shop/api');
    expect((await injector.status()).sidecars.find(({ pod }) => pod === 'api')?.error).toBe(
      'TABLE_GAP: a gap',
    );
    // Each of these would bring a snapshot at once if refusals were answered without end.
    for (let count = 0; count < 4; count += 1) refuse(count % 2 === 0 ? before : (api.table?.revision ?? 0));
    await waitFor(() => api.types.length > 3);
    expect(api.types).toHaveLength(4);
    api.send({ type: 'ack', revision: api.table?.revision ?? 0 });
    await waitFor(
      async () => (await injector.status()).sidecars.find(({ pod }) => pod === 'api')?.error === undefined,
    );
  });

  test('starts with a snapshot again after a reconnect and after a restart, with a revision that has not fallen', async () => {
    await injector.start();
    const first = await injector.sidecar('shop/api');
    first.close();
    const second = await injector.sidecar('shop/api');
    expect(second.types).toEqual(['snapshot']);
    await injector.stop();
    await waitFor(() => second.closed);
    await injector.start();
    const third = await injector.sidecar('shop/api');
    expect(third.types).toEqual(['snapshot']);
    expect(third.table?.revision).toBeGreaterThanOrEqual(second.table?.revision ?? 0);
  });

  test('lets the newer of two connections for one pod win', async () => {
    await injector.start();
    const older = await injector.sidecar('shop/api');
    const newer = await injector.sidecar('shop/api');
    await waitFor(() => older.closed);
    expect(newer.closed).toBe(false);
    expect((await injector.status()).sidecars.find(({ pod }) => pod === 'api')?.connected).toBe(true);
  });

  test('informs a sidecar that its pod is unknown, and sends the table when the pod appears', async () => {
    await injector.start();
    const late = injector.connection();
    late.hello('shop/late');
    await waitFor(() => late.types.length === 1);
    expect(late.frames[0]).toMatchObject({ type: 'unknown-pod' });
    expect((await injector.status()).waiting).toEqual([
      { pod: 'shop/late', message: expect.stringContaining('not known') },
    ]);
    injector.dir.write('late.yaml', pod('late', '10.0.0.9'));
    await waitFor(() => late.table);
    expect(late.types).toEqual(['unknown-pod', 'snapshot']);
    injector.dir.remove('late.yaml');
    await waitFor(() => late.types.at(-1) === 'unknown-pod');
    expect(late.closed).toBe(false);
    injector.dir.write('late.yaml', pod('late', '10.0.0.10'));
    await waitFor(() => late.table?.subject.ips[0] === '10.0.0.10');
    expect(late.types.at(-1)).toBe('snapshot');
  });

  test('gives no table to pods that policy cannot select', async () => {
    injector.dir.write('more.yaml', pod('host', '192.168.0.1', {}, { hostNetwork: true }), {
      ...pod('done', '10.0.0.8'),
      status: { phase: 'Succeeded', podIP: '10.0.0.8' },
    });
    await injector.start();
    for (const name of ['host', 'done']) {
      const sidecar = injector.connection();
      sidecar.hello(`shop/${name}`);
      await waitFor(() => sidecar.types.length > 0);
      expect(sidecar.types).toEqual(['unknown-pod']);
    }
    expect((await injector.status()).sidecars.map(({ pod }) => pod)).toEqual(['api', 'db', 'web']);
  });

  test('serves a pod that the API server knows no address of yet, which comes as a change', async () => {
    injector.dir.write('new.yaml', { ...pod('new', ''), status: { phase: 'Pending' } });
    injector.dir.write('closed.yaml', policy('closed', 'new', []));
    await injector.start();
    const sidecar = await injector.sidecar('shop/new');
    expect(sidecar.table?.subject).toMatchObject({ name: 'new', ips: [] });
    expect(sidecar.table?.ingress.isolating).toMatchObject([{ name: 'closed' }]);
    // It does not count as a pod of a policy before it has one.
    expect((await injector.status()).sidecars.map(({ pod }) => pod)).not.toContain('new');
    injector.dir.write('new.yaml', pod('new', '10.0.0.9'));
    await waitFor(() => sidecar.table?.subject.ips[0] === '10.0.0.9');
    expect(sidecar.types).toEqual(['snapshot', 'change']);
    expect((await injector.status()).sidecars.map(({ pod }) => pod)).toContain('new');
  });

  test('says who has an address, who had it a short while ago, and of nobody what a sidecar need not know', async () => {
    injector.dir.write('ns.yaml', namespace('shop', { team: 'a' }));
    await injector.start();
    const api = await injector.sidecar('shop/api');
    const ask = async (address: string) => {
      const before = api.frames.length;
      api.send({ type: 'identify', address });
      const answer = () =>
        api.frames.slice(before).find((frame) => frame.type === 'identity' && frame.address === address);
      await waitFor(() => answer());
      const frame = answer();
      return frame?.type === 'identity' ? frame.pod : undefined;
    };
    const db = {
      namespace: 'shop',
      name: 'db',
      workload: 'pod/db',
      labels: {}, // no rule of shop/api asks for one
      namespaceLabels: {},
      ports: [],
    };
    expect(await ask('10.0.0.3')).toEqual(db);
    expect(await ask('192.168.0.1')).toBeNull();
    expect(await ask('203.0.113.7')).toBeNull();
    injector.dir.write('pods.yaml', pod('web', '10.0.0.1'), pod('api', '10.0.0.2'));
    await injector.status('?refresh=1');
    expect(await ask('10.0.0.3')).toEqual(db);
    injector.dir.write('late.yaml', pod('late', '10.0.0.3'));
    await injector.status('?refresh=1');
    expect(await ask('10.0.0.3')).toMatchObject({ name: 'late' });
  });

  test('says of a pod what the rules ask of pods, and no more', async () => {
    const secret = { tier: 'back', owner: 'mergers', app: 'db' };
    injector.dir.write('pods.yaml', pod('api', '10.0.0.2'), pod('db', '10.0.0.3', secret));
    injector.dir.write('ns.yaml', namespace('shop', { team: 'a', cost: 'b7' }));
    const from = [
      { podSelector: { matchLabels: { tier: 'front' } } },
      {
        namespaceSelector: { matchExpressions: [{ key: 'team', operator: 'Exists' }] },
        podSelector: { matchLabels: { x: 'z' } },
      },
    ];
    injector.dir.write('p.yaml', policy('p', 'api', [], { ingress: [{ from }] }));
    await injector.start();
    const api = await injector.sidecar('shop/api');
    api.send({ type: 'identify', address: '10.0.0.3' });
    const frame = await waitFor(() => api.frames.find(({ type }) => type === 'identity'));
    expect(frame).toMatchObject({
      pod: { name: 'db', labels: { tier: 'back' }, namespaceLabels: { team: 'a' } },
    });
    expect(JSON.stringify(frame)).not.toMatch(/owner|mergers|cost|b7|app/);
  });

  test('answers about few addresses that are new to the pod, on any connection', async () => {
    await injector.start({ acquaintances: { burst: 3, perSecond: 1e-6 } });
    const askAll = async (): Promise<string[]> => {
      const api = await injector.sidecar('shop/api');
      for (const last of [1, 2, 3, 4, 5, 1, 2]) api.send({ type: 'identify', address: `10.0.0.${last}` });
      const revision = api.table?.revision ?? 0;
      api.send({ type: 'nack', revision, code: 'TABLE_GAP', message: `after ${api.types.length}` });
      await waitFor(async () => (await injector.status()).sidecars.some(({ error }) => error !== undefined));
      return api.frames.flatMap((frame) => (frame.type === 'identity' ? frame.address : []));
    };
    expect(await askAll()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.1', '10.0.0.2']);
    expect(await askAll()).toEqual([]);
  });

  test('reads a sidecar that sends frames without end at its rate, and others meanwhile', async () => {
    await injector.start({ maxQuestions: 10_000, heartbeatMs: 600_000 });
    const [api, web] = [await injector.sidecar('shop/api'), await injector.sidecar('shop/web')];
    const answers = () => api.types.filter((type) => type === 'identity').length;
    const beganMs = performance.now();
    for (let count = 0; count < 5_000; count += 1) api.send({ type: 'identify', address: '10.0.0.3' });
    await waitFor(() => answers() >= 500);
    web.send({ type: 'identify', address: '10.0.0.3' });
    await waitFor(() => web.types.includes('identity'));
    await sleep(500);
    // 500 at once, 250 a second, and those that come together with the last one.
    const most = 500 + ((performance.now() - beganMs) * 250) / 1_000 + 50;
    expect(answers()).toBeLessThanOrEqual(most);
    expect(api.closed).toBe(false);
  });

  test('answers no more questions than a sidecar may have', async () => {
    await injector.start({ maxQuestions: 3, heartbeatMs: 600_000 });
    const api = await injector.sidecar('shop/api');
    for (let count = 0; count < 10; count += 1) api.send({ type: 'identify', address: `10.0.0.${count}` });
    const revision = api.table?.revision ?? 0;
    api.send({ type: 'nack', revision, code: 'TABLE_GAP', message: 'the last one' });
    await waitFor(async () => (await injector.status()).sidecars.some(({ error }) => error !== undefined));
    expect(api.types.filter((type) => type === 'identity')).toHaveLength(3);
  });

  test('sends heartbeats with the revision of the table', async () => {
    await injector.start({ heartbeatMs: 10 });
    const api = await injector.sidecar('shop/api');
    await waitFor(() => api.frames.filter((frame) => frame.type === 'heartbeat').length >= 2);
    expect(api.frames.at(-1)).toEqual({ type: 'heartbeat', revision: api.table?.revision });
    const unknown = injector.connection();
    unknown.hello('shop/unknown');
    await waitFor(() => unknown.frames.filter((frame) => frame.type === 'heartbeat').length >= 2);
    expect(unknown.types).toEqual(['unknown-pod']);
  });
});
