/** A sidecar that takes partial groups is sent of large groups only what it has met, and hears of nothing else in them. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { MemorySource } from '../../../../bench/control_plane/memory_source.ts';
import { digestOf } from '../../../../common/digest.ts';
import { pack, unpack } from '../../../../common/pack.ts';
import { createInjectorMetrics } from '../../../../injector/metrics.ts';
import type { FrameBytes } from '../../../../injector/tables/frames/frame_bytes.ts';
import type { SessionLink } from '../../../../injector/tables/session/session_link.ts';
import type { TableSession } from '../../../../injector/tables/session/table_session.ts';
import { TableServer, type TableServerOptions } from '../../../../injector/tables/table_server.ts';
import {
  type AddressGroup,
  applyChange,
  type Cluster,
  clusterChanges,
  createCompiler,
  createJudge,
  type InjectorFrame,
  isSubject,
  MAX_MET_AT_ONCE,
  type NetworkPolicy,
  objectKey,
  PartDigests,
  type Pod,
  type Protocol,
  readInjectorFrame,
  readInjectorFrameV1,
  resolveOutline,
  TABLE_SCHEMA,
  type Table,
  tableOf,
} from '../../../../policy/index.ts';
import { type ApiCluster, readCluster } from '../../../builders/api_objects.ts';
import { apiCluster } from '../../../builders/random_cluster.ts';
import { captureLog } from '../captured_log.ts';

// Counts what is packed: a large group whole.
vi.mock(import('../../../../common/pack.ts'), async (original) => {
  const actual = await original();
  return { ...actual, pack: vi.fn(actual.pack) };
});

/** Heartbeats do not come by themselves. */
const QUIET: TableServerOptions = { heartbeatMs: 600_000 };

const PROPERTY_TIMEOUT_MS = 120_000;

let source: MemorySource;
let server: TableServer;
let sessions: TableSession[];

beforeEach(() => {
  source = new MemorySource();
  vi.mocked(pack).mockClear();
});
afterEach(() => server.close());

function start(options: TableServerOptions): void {
  sessions = [];
  server = new TableServer(source, createInjectorMetrics(), captureLog().log, { ...QUIET, ...options });
}

/** What has changed is sent to all, however many turns that takes on a busy machine. */
async function sent(): Promise<void> {
  server.catchUp();
  for (let idle = 0; idle < 3; ) {
    await new Promise((resolve) => setImmediate(resolve));
    idle = sessions.some((session) => server.isDue(session)) ? 0 : idle + 1;
  }
}

/** A sidecar that has what it was sent, and acknowledges it when it is asked to. */
class Sidecar implements SessionLink {
  readonly queuedBytes = 0;
  readonly frames: InjectorFrame[] = [];
  readonly session: TableSession;
  table: Table | undefined;
  closed = false;
  readonly #digests = new PartDigests(digestOf);

  /** @param held the table that it comes with */
  constructor(key: string, more: { partial?: boolean; holds?: boolean } = { partial: true }, held?: Table) {
    this.table = held;
    this.session = server.attach(this);
    sessions.push(this.session);
    const [namespace = '', pod = ''] = key.split('/');
    this.session.receive({ type: 'hello', schema: TABLE_SCHEMA, namespace, pod, ...more });
  }

  send(bytes: FrameBytes): void {
    const frame = readInjectorFrame(JSON.parse(Buffer.concat(bytes).toString()), unpack);
    this.frames.push(frame);
    if (frame.type === 'snapshot') this.table = tableOf(frame.table);
    if (frame.type === 'change' && this.table !== undefined)
      this.table = applyChange(this.table, frame.change).table;
    if (frame.type === 'outline') {
      const resolved = resolveOutline(frame.outline, this.table, this.#digests);
      if (resolved.kind === 'table') this.table = resolved.table;
      const parts = resolved.kind === 'table' ? [] : resolved.parts;
      setImmediate(() => this.session.receive({ type: 'want', parts }));
    }
  }

  close(): void {
    this.closed = true;
  }

  meet(...addresses: string[]): void {
    this.session.receive({ type: 'meet', addresses });
  }

  ack(): void {
    this.session.receive({ type: 'ack', revision: this.table?.revision ?? 0 });
  }

  /** Types of the frames since the last call. */
  types(): string[] {
    return this.frames.splice(0).map(({ type }) => type);
  }

  /** Members of all groups. */
  get members(): string[] {
    return [...(this.table?.groups.values() ?? [])].flatMap(({ members }) => [...members.keys()]).sort();
  }

  get group(): AddressGroup | undefined {
    return [...(this.table?.groups.values() ?? [])][0];
  }

  admits(address: string): boolean {
    if (this.table === undefined) return false;
    return createJudge(this.table).judge('ingress', address, 'TCP', 80).verdict === 'allow';
  }
}

function addressOf(place: number): string {
  return `10.1.${place >> 8}.${place & 255}`;
}

function setPod(place: number, app: string | undefined, uid = `u${place}`): void {
  const key = `n/p${place}`;
  const object: Pod | undefined =
    app === undefined
      ? undefined
      : {
          namespace: 'n',
          name: `p${place}`,
          uid,
          labels: { app },
          ips: [addressOf(place)],
          hostIPs: [],
          hostNetwork: false,
          phase: 'Running',
          ports: [],
          workload: 'w',
        };
  source.change({ kind: 'Pod', key, object });
}

const everything = { matchLabels: {}, matchExpressions: [] };

function setPolicy(name: string, peerApp: string | undefined): void {
  const peer = peerApp === undefined ? everything : { matchLabels: { app: peerApp }, matchExpressions: [] };
  const object: NetworkPolicy = {
    namespace: 'n',
    name,
    podSelector: everything,
    policyTypes: ['ingress'],
    ingress: [{ peers: [{ kind: 'pods', namespaceSelector: everything, podSelector: peer }], ports: [] }],
    egress: [],
  };
  source.change({ kind: 'NetworkPolicy', key: objectKey('n', name), object });
}

/** Pods 1 to `count` of one app, which all pods let in; pod 0 is another's. */
async function crowd(count: number, options: TableServerOptions): Promise<void> {
  setPod(0, 'subject');
  for (let place = 1; place <= count; place += 1) setPod(place, 'crowd');
  setPolicy('crowd', 'crowd');
  start(options);
  await sent();
}

describe('a large group', () => {
  test('is sent without members, and has those that the sidecar asks about', async () => {
    await crowd(10, { largeGroup: 5 });
    const sidecar = new Sidecar('n/p0');
    await sent();
    expect(sidecar.types()).toEqual(['snapshot']);
    expect(sidecar.group).toMatchObject({ partial: true });
    expect(sidecar.members).toEqual([]);
    expect(sidecar.admits(addressOf(1))).toBe(false);
    setPod(11, 'other');
    sidecar.meet(addressOf(1), addressOf(11));
    await sent();
    expect(sidecar.frames.at(-1)).toEqual({ type: 'met', addresses: [addressOf(1), addressOf(11)] });
    expect(sidecar.types()).toEqual(['change', 'met']);
    expect(sidecar.members).toEqual([addressOf(1)]);
    expect([sidecar.admits(addressOf(1)), sidecar.admits(addressOf(11))]).toEqual([true, false]);
  });

  test('is answered at once where nothing is news', async () => {
    await crowd(10, { largeGroup: 5 });
    const sidecar = new Sidecar('n/p0');
    await sent();
    sidecar.meet(addressOf(1));
    await sent();
    sidecar.types();
    sidecar.meet(addressOf(1), addressOf(0), '10.9.9.9');
    expect(sidecar.types()).toEqual(['met']);
    await sent();
    expect(sidecar.types()).toEqual([]);
  });

  test('changes reach those who have met who changes, and nobody else', async () => {
    await crowd(10, { largeGroup: 5 });
    const [one, other] = [new Sidecar('n/p0'), new Sidecar('n/p1')];
    const whole = new Sidecar('n/p2', {});
    await sent();
    one.meet(addressOf(3), addressOf(4));
    await sent();
    for (const sidecar of [one, other, whole]) {
      sidecar.ack();
      sidecar.types();
    }
    const enforcing = () => server.counts().of('n/crowd').enforcing;
    expect(enforcing()).toBe(3);

    setPod(5, undefined);
    await sent();
    expect([one.types(), other.types(), whole.types()]).toEqual([[], [], ['change']]);
    whole.ack();
    expect(enforcing()).toBe(3); // those that the change does not touch enforce their tables as before

    setPod(3, undefined);
    setPod(4, 'crowd', 'another');
    await sent();
    expect([one.types(), other.types(), whole.types()]).toEqual([['change'], [], ['change']]);
    expect([...(one.group?.members ?? [])]).toEqual([[addressOf(4), 'another']]);
    expect(enforcing()).toBe(1);
    one.ack();
    whole.ack();
    expect(enforcing()).toBe(3);
    const { sidecars } = server.status();
    expect(
      sidecars.filter(({ connected, revision, enforced }) => connected && revision === enforced),
    ).toHaveLength(3);

    // One that has gone has to be asked about when it is back.
    setPod(3, 'crowd');
    await sent();
    expect(one.types()).toEqual([]);
    one.meet(addressOf(3));
    await sent();
    expect(one.types()).toEqual(['change', 'met']);
    expect(one.members).toEqual([addressOf(3), addressOf(4)]);
  });

  test('is found to have who came a moment ago', async () => {
    await crowd(10, { largeGroup: 5 });
    const sidecar = new Sidecar('n/p0');
    await sent();
    sidecar.types();
    setPod(11, 'crowd');
    sidecar.meet(addressOf(11));
    await sent();
    expect(sidecar.types()).toEqual(['change', 'met']);
    expect(sidecar.admits(addressOf(11))).toBe(true);
  });

  test('comes whole when it is no longer large, and stays so for those who have it when it is again', async () => {
    await crowd(6, { largeGroup: 5 });
    const sidecar = new Sidecar('n/p0');
    await sent();
    sidecar.meet(addressOf(1));
    await sent();
    for (const place of [6, 5]) setPod(place, undefined); // 4 are more than three quarters
    await sent();
    expect([sidecar.members, sidecar.group?.partial]).toEqual([[addressOf(1)], true]);
    setPod(4, undefined);
    await sent();
    expect([sidecar.members, sidecar.group?.partial]).toEqual([[1, 2, 3].map(addressOf), undefined]);
    for (const place of [4, 5, 6]) setPod(place, 'crowd');
    await sent();
    expect([sidecar.members, sidecar.group?.partial]).toEqual([[1, 2, 3, 4, 5, 6].map(addressOf), undefined]);
    // Nothing that it has admitted is taken from it, and it hears of everybody who comes.
    setPod(7, 'crowd');
    await sent();
    expect(sidecar.members).toEqual([1, 2, 3, 4, 5, 6, 7].map(addressOf));
    // A group of another policy is large when it comes: it is sent in part.
    setPolicy('all', undefined);
    await sent();
    expect([...(sidecar.table?.groups.values() ?? [])].map(({ partial }) => partial).sort()).toEqual([
      true,
      undefined,
    ]);
    source.change({ kind: 'NetworkPolicy', key: 'n/all', object: undefined });
    sidecar.session.closed();
    const back = new Sidecar('n/p0');
    await sent();
    expect([back.members, back.group?.partial]).toEqual([[], true]);
  });

  test('of another policy has who was met before', async () => {
    await crowd(10, { largeGroup: 5 });
    const sidecar = new Sidecar('n/p0');
    await sent();
    sidecar.meet(addressOf(1));
    setPolicy('all', undefined);
    await sent();
    expect(sidecar.members).toEqual([addressOf(1), addressOf(1)]);
    source.change({ kind: 'NetworkPolicy', key: 'n/crowd', object: undefined });
    setPod(1, 'other');
    await sent();
    expect(sidecar.members).toEqual([addressOf(1)]);
  });

  test('is never made into text where nobody needs it whole', async () => {
    await crowd(2_000, { largeGroup: 50 });
    const sidecars = [new Sidecar('n/p0'), new Sidecar('n/p1', { partial: true, holds: true })];
    await sent();
    for (const sidecar of sidecars) sidecar.meet(addressOf(1));
    setPod(5, undefined);
    await sent();
    expect(sidecars.map(({ members }) => members)).toEqual([[addressOf(1)], [addressOf(1)]]);
    expect(pack).not.toHaveBeenCalled();
    const whole = new Sidecar('n/p2', {});
    await sent();
    expect(whole.members).toHaveLength(1_999);
    expect(pack).toHaveBeenCalledOnce();
  });
});

describe('a sidecar', () => {
  test.each([
    ['that does not take partial groups', TABLE_SCHEMA, false],
    ['of schema 1', 1, true],
  ])('%s is sent them whole, and answered at once', async (_who, schema, partial) => {
    await crowd(10, { largeGroup: 5 });
    const frames: object[] = [];
    const read = schema === 1 ? readInjectorFrameV1 : (value: unknown) => readInjectorFrame(value, unpack);
    const session = server.attach({
      queuedBytes: 0,
      send: (bytes) => frames.push(read(JSON.parse(Buffer.concat(bytes).toString()))),
      close: () => undefined,
    });
    sessions.push(session);
    session.receive({ type: 'hello', schema, namespace: 'n', pod: 'p0', partial });
    await sent();
    setPod(11, 'crowd');
    await sent();
    expect(frames).toMatchObject([
      { type: 'snapshot', table: { groups: {} } },
      { type: schema === 1 ? 'delta' : 'change' },
    ]);
    expect(JSON.stringify(frames[0])).toContain(addressOf(10));
    expect(JSON.stringify(frames[1])).toContain(addressOf(11));
  });

  test('that has met more than the bound is sent large groups whole from then on', async () => {
    await crowd(100, { largeGroup: 50, maxMet: 20 });
    const sidecar = new Sidecar('n/p0');
    await sent();
    const places = Array.from({ length: 20 }, (_, i) => i + 1);
    sidecar.meet(...places.map(addressOf));
    await sent();
    expect(sidecar.members).toHaveLength(20);
    sidecar.types();
    sidecar.meet(addressOf(21));
    await sent();
    expect(sidecar.types()).toEqual(['change', 'met']);
    expect([sidecar.members.length, sidecar.group?.partial]).toEqual([100, undefined]);
    setPod(60, undefined);
    await sent();
    expect(sidecar.types()).toEqual(['change']);
    expect(sidecar.members).toHaveLength(99);
    sidecar.meet(addressOf(61), '10.9.9.9');
    expect(sidecar.types()).toEqual(['met']);
  });

  test('that asks too much between heartbeats is not answered, and one that asks for too many at once is turned away', async () => {
    await crowd(10, { largeGroup: 5, maxMeets: 3 });
    const sidecar = new Sidecar('n/p0');
    await sent();
    sidecar.types();
    sidecar.meet('10.9.0.1', '10.9.0.2');
    sidecar.meet(addressOf(1), addressOf(2));
    await sent();
    expect(sidecar.types()).toEqual(['met']);
    expect(sidecar.members).toEqual([]);
    sidecar.session.beat(0);
    sidecar.meet(addressOf(1));
    await sent();
    expect(sidecar.members).toEqual([addressOf(1)]);
    sidecar.meet(...Array.from({ length: MAX_MET_AT_ONCE + 1 }, () => addressOf(1)));
    expect(sidecar.closed).toBe(true);
  });

  test('that has all groups whole is answered no more often than others', async () => {
    await crowd(10, { largeGroup: 5, maxMeets: 3 });
    const whole = new Sidecar('n/p0', {});
    await sent();
    whole.types();
    whole.meet(addressOf(1), addressOf(2));
    whole.meet(addressOf(3), addressOf(4));
    whole.meet();
    expect(whole.types()).toEqual(['met']);
    whole.session.beat(0);
    whole.types();
    whole.meet(addressOf(1));
    expect(whole.types()).toEqual(['met']);
  });

  test('that comes back and says at once whom it has met is sent nothing that it has', async () => {
    await crowd(10, { largeGroup: 5 });
    const first = new Sidecar('n/p0');
    first.meet(addressOf(1), addressOf(2));
    await sent();
    expect(first.types()).toEqual(['snapshot', 'met']);
    first.session.closed();
    const back = new Sidecar('n/p0', { partial: true, holds: true }, first.table);
    back.meet(addressOf(1), addressOf(2));
    await sent();
    await sent();
    expect(back.types()).toEqual(['outline', 'met']);
    expect(back.members).toEqual([addressOf(1), addressOf(2)]);
    setPod(1, undefined);
    await sent();
    expect(back.members).toEqual([addressOf(2)]);
  });

  test('that has left is not looked for any more', async () => {
    await crowd(10, { largeGroup: 5 });
    const sidecar = new Sidecar('n/p0');
    sidecar.meet(addressOf(1), addressOf(2));
    await sent();
    expect(server.metAddresses).toBe(2);
    sidecar.session.closed();
    expect(server.metAddresses).toBe(0);
  });

  test('that refused a table is answered after the next one', async () => {
    await crowd(10, { largeGroup: 5 });
    const sidecar = new Sidecar('n/p0');
    await sent();
    sidecar.session.receive({
      type: 'nack',
      revision: sidecar.table?.revision ?? 0,
      code: 'X',
      message: 'no',
    });
    sidecar.types();
    sidecar.meet(addressOf(1));
    await sent();
    expect(sidecar.types()).toEqual([]);
    sidecar.ack();
    await sent();
    expect(sidecar.types()).toEqual(['change', 'met']);
  });
});

describe('a sidecar that asks while a frame is being made for it', () => {
  afterEach(() => vi.restoreAllMocks());

  /** From here on each step of a frame takes so long that the next one is for the next turn. */
  function slowly(): void {
    let nowMs = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => {
      nowMs += 11;
      return nowMs;
    });
  }

  /** Resolves in the turn in which a frame has been begun for a session. */
  function begun(session: TableSession): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const deliver = session.deliver.bind(session);
    vi.spyOn(session, 'deliver').mockImplementation((...what) => {
      const sending = deliver(...what);
      if (sending === 'begun') resolve();
      return sending;
    });
    return promise;
  }

  /** All that waits is sent. */
  async function idle({ session }: Sidecar): Promise<void> {
    await vi.waitFor(() => expect(server.isDue(session)).toBe(false), { interval: 0 });
  }

  test('is answered by the next one, which has another revision', async () => {
    await crowd(10, { largeGroup: 5 });
    const sidecar = new Sidecar('n/p0');
    await sent();
    sidecar.ack();
    sidecar.types();
    slowly();
    sidecar.meet(addressOf(1));
    await begun(sidecar.session);
    sidecar.meet(addressOf(2), '10.9.9.9');
    await idle(sidecar);
    expect(sidecar.frames).toMatchObject([
      { type: 'change' },
      { type: 'met', addresses: [addressOf(1)] },
      { type: 'change' },
      { type: 'met', addresses: [addressOf(2), '10.9.9.9'] },
    ]);
    expect(sidecar.members).toEqual([1, 2].map(addressOf));
    const revisions = sidecar.frames.flatMap((frame) =>
      frame.type === 'change' ? [frame.change.revision] : [],
    );
    // With the first alone it does not enforce what it was sent last.
    sidecar.session.receive({ type: 'ack', revision: revisions[0] ?? 0 });
    expect(server.counts().of('n/crowd').enforcing).toBe(0);
    sidecar.session.receive({ type: 'ack', revision: revisions[1] ?? 0 });
    expect(server.counts().of('n/crowd').enforcing).toBe(1);
  });

  test('is answered after its first table, though nothing else changes', async () => {
    await crowd(10, { largeGroup: 5 });
    slowly();
    const sidecar = new Sidecar('n/p0');
    await begun(sidecar.session);
    sidecar.meet(addressOf(1), '10.9.9.9');
    await idle(sidecar);
    expect(sidecar.types()).toEqual(['snapshot', 'change', 'met']);
    expect(sidecar.members).toEqual([addressOf(1)]);
  });

  test('is answered also where its pod has gone and come back meanwhile', async () => {
    await crowd(10, { largeGroup: 5 });
    const sidecar = new Sidecar('n/p0');
    await sent();
    sidecar.types();
    slowly();
    sidecar.meet(addressOf(1), '10.9.9.9');
    await begun(sidecar.session);
    setPod(0, undefined);
    server.catchUp();
    setPod(0, 'subject');
    server.catchUp();
    await idle(sidecar);
    expect(sidecar.types()).toEqual(['unknown-pod', 'snapshot', 'met']);
    expect(sidecar.members).toEqual([addressOf(1)]);
  });
});

/** The verdicts that differ between what a sidecar has and the whole table. */
const PROBES: readonly (readonly [Protocol, number])[] = [
  ['TCP', 80],
  ['TCP', 443],
  ['UDP', 81],
  ['SCTP', 90],
];

function verdicts(table: Table, address: string): string[] {
  const judge = createJudge(table);
  return (['ingress', 'egress'] as const).flatMap((direction) =>
    PROBES.map(([protocol, port]) => judge.judge(direction, address, protocol, port).verdict),
  );
}

const step = fc.oneof(
  fc.record({ kind: fc.constant('cluster' as const), objects: apiCluster }),
  // One pod: that it comes, is another, or goes touches no table by itself.
  fc.record({ kind: fc.constant('pod' as const), objects: apiCluster, place: fc.nat(10) }),
  fc.record({ kind: fc.constant('pod' as const), objects: apiCluster, place: fc.nat(10) }),
  fc.record({
    kind: fc.constant('meet' as const),
    places: fc.array(fc.nat(30), { minLength: 1, maxLength: 4 }),
  }),
  fc.record({
    kind: fc.constant('meet' as const),
    places: fc.array(fc.nat(30), { minLength: 1, maxLength: 4 }),
  }),
  fc.constant({ kind: 'reconnect' as const }),
);

test(
  'what a sidecar has met it judges as with the whole table; and it never admits what that denies',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        apiCluster,
        fc.array(step, { minLength: 4, maxLength: 12 }),
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 1, max: 12 }),
        async (first, steps, largeGroup, maxMet) => {
          source = new MemorySource();
          let cluster: Cluster = readCluster(first);
          for (const change of clusterChanges(source.cluster, cluster)) source.change(change);
          start({ largeGroup, maxMet });
          // Who has an address depends on the order of changes: this one hears of the same ones in the same order.
          const obvious = createCompiler(source.cluster);
          const [key] = [...cluster.pods].find(([, pod]) => isSubject(pod) && pod.ips.length > 0) ?? [];
          if (key === undefined) return server.close();
          let sidecar = new Sidecar(key);
          let addresses = allAddresses(cluster);
          await sent();
          let before = new Set<string>();
          for (const one of steps) {
            let asked: readonly string[] = [];
            if (one.kind === 'cluster' || one.kind === 'pod') {
              // Its pod stays: else it would have no table.
              const next = one.kind === 'cluster' ? readCluster(one.objects) : withPod(cluster, one);
              const own = cluster.pods.get(key);
              const pods = new Map([...next.pods, ...(own === undefined ? [] : [[key, own] as const])]);
              const after = { ...next, pods };
              for (const change of clusterChanges(cluster, after)) {
                source.change(change);
                obvious.apply(change);
              }
              obvious.commit();
              cluster = after;
              addresses = [...new Set([...addresses, ...allAddresses(cluster)])];
            } else if (one.kind === 'meet') {
              asked = one.places.flatMap((place) => addresses[place % addresses.length] ?? []);
              sidecar.meet(...asked);
            } else {
              const held = sidecar.table;
              sidecar.session.closed();
              sidecar = new Sidecar(key, { partial: true, holds: held !== undefined }, held);
              before = new Set();
            }
            for (let round = 0; round < 3; round += 1) await sent();
            const { table } = sidecar;
            if (table === undefined || !isSubject(cluster.pods.get(key) ?? NOBODY)) continue;
            const whole = obvious.compile(key, table.revision);
            expect([...table.groups.keys()].sort()).toEqual([...whole.groups.keys()].sort());
            const members = new Set<string>();
            for (const [id, group] of table.groups) {
              const all = whole.groups.get(id)?.members;
              if (group.partial === undefined) expect(new Map(group.members)).toEqual(new Map(all));
              for (const [address, tag] of group.members) {
                members.add(address);
                expect(all?.get(address)).toBe(tag);
              }
            }
            const inSome = (address: string) =>
              [...whole.groups].some(
                ([id, all]) => table.groups.get(id)?.partial === true && all.members.has(address),
              );
            for (const address of addresses) {
              const [seen, truth] = [verdicts(table, address), verdicts(whole, address)];
              if (asked.includes(address) || (before.has(address) && inSome(address)))
                expect(seen).toEqual(truth);
              for (const [place, verdict] of seen.entries())
                if (verdict === 'allow') expect(truth[place]).toBe('allow');
            }
            const partial = [...table.groups.values()].filter((group) => group.partial === true);
            before = new Set(partial.flatMap((group) => [...group.members.keys()]));
            expect(before.size).toBeLessThanOrEqual(maxMet);
            expect(server.metAddresses).toBeLessThanOrEqual(maxMet);
          }
          sidecar.session.closed();
          expect(server.metAddresses).toBe(0);
          server.close();
        },
      ),
      { numRuns: Number(process.env.SLUICE_TEST_RUNS ?? 100) },
    );
  },
  PROPERTY_TIMEOUT_MS,
);

const NOBODY: Pod = {
  namespace: '',
  name: '',
  uid: '',
  labels: {},
  ips: [],
  hostIPs: [],
  hostNetwork: true,
  phase: 'Failed',
  ports: [],
  workload: '',
};

/** One pod of another cluster comes, in the place of one of that name; or one goes that is not there. */
function withPod(cluster: Cluster, { objects, place }: { objects: ApiCluster; place: number }): Cluster {
  const pods = new Map(cluster.pods);
  const [key, pod] = [...readCluster(objects).pods][place] ?? [];
  if (key !== undefined && pod !== undefined) pods.set(key, pod);
  else pods.delete([...pods.keys()][place % Math.max(1, pods.size)] ?? '');
  return { ...cluster, pods };
}

function allAddresses({ pods }: Cluster): string[] {
  return [...new Set([...pods.values()].flatMap(({ ips }) => ips))];
}
