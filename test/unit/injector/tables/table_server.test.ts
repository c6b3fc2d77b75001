/** How the table server treats many sidecars and many changes: over a cluster in memory and links that record. */
import { afterEach, expect, test, vi } from 'vitest';
import { podAt } from '../../../../bench/control_plane/cluster.ts';
import { MemorySource } from '../../../../bench/control_plane/memory_source.ts';
import { unpack } from '../../../../common/pack.ts';
import { createInjectorMetrics, type InjectorMetrics } from '../../../../injector/metrics.ts';
import type { FrameBytes } from '../../../../injector/tables/frames/frame_bytes.ts';
import type { SessionLink } from '../../../../injector/tables/session/session_link.ts';
import { TableServer } from '../../../../injector/tables/table_server.ts';
import { Compiler } from '../../../../policy/compile/compiler.ts';
import {
  applyChange,
  compile,
  type InjectorFrame,
  type LabelSelector,
  objectKey,
  readInjectorFrame,
  TABLE_SCHEMA,
  type Table,
  tableJson,
  tableOf,
} from '../../../../policy/index.ts';
import { captureLog, type LogLine } from '../captured_log.ts';
import { waitFor } from '../wait_for.ts';

/** Of a slow reader: each snapshot counts as this much until it is read. */
const QUEUED_BYTES = 1024 * 1024;

let source: MemorySource;
let tables: TableServer;
let faults: unknown[];
let lines: LogLine[];
let metrics: InjectorMetrics;

/** A connection whose frames stay where they are. */
class RecordingLink implements SessionLink {
  readonly frames: InjectorFrame[] = [];
  /** The bytes of the last one. */
  bytes: FrameBytes = [];
  queuedBytes = 0;
  readonly #reads: boolean;

  constructor(reads = true) {
    this.#reads = reads;
  }

  send(bytes: FrameBytes): void {
    const frame = readInjectorFrame(JSON.parse(Buffer.concat(bytes).toString()), unpack);
    this.frames.push(frame);
    this.bytes = bytes;
    this.#apply(frame);
    if (!this.#reads) this.queuedBytes += QUEUED_BYTES;
  }

  closed = false;

  close(): void {
    this.closed = true;
  }

  get changes(): number {
    return this.frames.filter(({ type }) => type === 'change').length;
  }

  /** What a sidecar has made of the frames. */
  table: Table | undefined;

  #apply(frame: InjectorFrame): void {
    if (frame.type === 'snapshot') this.table = tableOf(frame.table);
    else if (frame.type === 'change' && this.table !== undefined)
      this.table = applyChange(this.table, frame.change).table;
  }
}

function put(place: number, change = 0): void {
  const object = podAt(0, place, 0, change);
  source.change({ kind: 'Pod', key: objectKey(object.namespace, object.name), object });
}

/** One namespace of pods that all let each other in. */
function start(pods: number): void {
  source = new MemorySource();
  const { namespace } = podAt(0, 0, 0, 0);
  const podSelector = { matchLabels: {}, matchExpressions: [] };
  const ingress = [{ peers: [{ kind: 'pods' as const }], ports: [] }];
  const object = {
    namespace,
    name: 'own',
    podSelector,
    policyTypes: ['ingress' as const],
    ingress,
    egress: [],
  };
  source.change({ kind: 'NetworkPolicy', key: objectKey(namespace, 'own'), object });
  for (let place = 0; place < pods; place += 1) put(place);
  faults = [];
  const captured = captureLog();
  lines = captured.lines;
  metrics = createInjectorMetrics();
  tables = new TableServer(source, metrics, captured.log, {
    heartbeatMs: 600_000,
    fatal: (fault) => faults.push(fault),
  });
}

/** A change that the compiler fails at as often as it is asked to: each reading of the pod's ports is one failure less. */
function putFaulty(place: number, failures: number): void {
  const { ports, ...object } = podAt(0, place, 0, 3);
  let left = failures;
  const faulty = {
    ...object,
    get ports() {
      left -= 1;
      if (left >= 0) throw new TypeError('a fault of the compiler');
      return ports;
    },
  };
  source.change({ kind: 'Pod', key: objectKey(object.namespace, object.name), object: faulty });
}

function connect(place: number, link = new RecordingLink()): RecordingLink {
  const { namespace, name: pod } = podAt(0, place, 0, 0);
  tables.attach(link).receive({ type: 'hello', schema: TABLE_SCHEMA, namespace, pod });
  return link;
}

/** How many members the first group of a table has. */
function members({ table }: RecordingLink): number | undefined {
  return [...(table?.groups.values() ?? [])][0]?.members.size;
}

/** A table says what one that is compiled from scratch says. */
function expectTable(
  table: Table | undefined,
  ...[cluster, pod]: [Parameters<typeof compile>[0], string]
): void {
  expect(table && tableJson(table)).toEqual(tableJson(compile(cluster, pod, table?.revision ?? 0)));
}

afterEach(() => tables.close());

test('changes of one event go as one frame', async () => {
  start(2);
  const link = connect(0);
  await waitFor(() => link.table);
  for (let place = 2; place < 50; place += 1) put(place);
  await waitFor(() => link.changes > 0);
  expect(link.changes).toBe(1);
  expect(members(link)).toBe(50);
});

test('a change is the same bytes for all sidecars with the same policies and revision, and in one piece', async () => {
  start(4);
  const links = [0, 1].map((place) => connect(place));
  await waitFor(() => links.every(({ table }) => table !== undefined));
  put(3, 1);
  await waitFor(() => links.every(({ changes }) => changes === 1));
  expect(links[0]?.bytes).toHaveLength(1);
  expect(links[0]?.bytes[0]).toBe(links[1]?.bytes[0]);

  // One that is at another revision gets its own, from where it is.
  const late = connect(2);
  await waitFor(() => late.table);
  put(3, 2);
  await waitFor(() => late.changes === 1 && links.every(({ changes }) => changes === 2));
  put(0, 1);
  await waitFor(() => late.changes === 2 && links.every(({ changes }) => changes === 3));
  for (const [place, { table }] of [...links, late].entries())
    expectTable(table, source.cluster, `team-0-0/pod-${place}-0`);
});

test('changes that go on are gathered, and none is lost', async () => {
  start(2);
  const link = connect(0);
  await waitFor(() => link.table);
  const startMs = performance.now();
  for (let place = 2; place < 100; place += 1) {
    put(place);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await waitFor(() => members(link) === 100);
  expect(link.changes).toBeLessThan((performance.now() - startMs) / 20 + 3);
  expectTable(link.table, source.cluster, 'team-0-0/pod-0-0');
});

test('a table that is asked for in the middle of changes is followed by those after it only', async () => {
  start(20);
  const links = Array.from({ length: 20 }, (_, place) => {
    put(place, 1);
    const link = connect(place);
    put(place, 2);
    return link;
  });
  await waitFor(() => links.every(({ table }) => table !== undefined));
  put(20);
  await waitFor(() => links.every(({ changes }) => changes > 0));
  for (const [place, { table }] of links.entries())
    expectTable(table, source.cluster, `team-0-0/pod-${place}-0`);
});

test('when everybody asks at once, no more tables are on the way than memory should hold', async () => {
  start(100);
  const links = Array.from({ length: 100 }, (_, place) => connect(place, new RecordingLink(false)));
  const served = () => links.filter(({ frames }) => frames.length > 0).length;
  await waitFor(() => served() > 32);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(served()).toBe(33);
  for (const link of links.slice(0, 20)) link.queuedBytes = 0;
  await waitFor(() => served() === 53);
  // Who never reads keeps the others waiting for a second each, not for ever.
  await waitFor(() => served() === 100);
});

test('a sidecar that goes while it waits for its table is not made one', async () => {
  start(100);
  const links = Array.from({ length: 60 }, () => new RecordingLink(false));
  const sessions = links.map((link, place) => {
    const session = tables.attach(link);
    const { namespace, name: pod } = podAt(0, place, 0, 0);
    session.receive({ type: 'hello', schema: TABLE_SCHEMA, namespace, pod });
    return session;
  });
  for (const session of sessions.slice(30)) session.closed();
  await waitFor(() => links.slice(0, 30).every(({ frames }) => frames.length > 0));
  expect(links.slice(30).every(({ frames }) => frames.length === 0)).toBe(true);
});

test('a pod whose table cannot be made is turned away, and no other one', async () => {
  start(1);
  const [link, other] = [connect(0), connect(1)];
  await waitFor(() => link.table);
  const { hostIPs: _, ...object } = podAt(0, 1, 0, 0);
  const faulty = {
    ...object,
    get hostIPs(): string[] {
      throw new TypeError('a fault of the compiler');
    },
  };
  source.change({ kind: 'Pod', key: objectKey(object.namespace, object.name), object: faulty });
  await waitFor(() => other.closed);
  expect(other.frames.at(-1)).toEqual({
    type: 'refused',
    message: 'the table cannot be made: TypeError: a fault of the compiler',
  });
  await waitFor(() => members(link) === 2);
  expect(link.closed).toBe(false);
});

test('a change that cannot be taken in has all tables made from the start', async () => {
  start(3);
  const links = [0, 1].map((place) => connect(place));
  await waitFor(() => links.every(({ table }) => table !== undefined));
  putFaulty(2, 1);
  put(3);
  put(4);
  await waitFor(() => links.every((link) => members(link) === 5));
  for (const [place, { table }] of links.entries())
    expectTable(table, source.cluster, `team-0-0/pod-${place}-0`);
});

test('an injector that does not know the cluster any more calls no table current, and ends', async () => {
  start(1);
  const link = connect(0);
  await waitFor(() => link.table);
  putFaulty(1, Number.POSITIVE_INFINITY);
  expect(link.closed).toBe(true);
  expect(faults).toEqual([new TypeError('a fault of the compiler')]);
});

/** The server with one pod, and the pod's sidecar with its table. */
async function served() {
  start(1);
  const link = new RecordingLink();
  const session = tables.attach(link);
  session.open({ namespace: 'team-0-0', name: 'pod-0-0' }, { schema: TABLE_SCHEMA });
  await waitFor(() => link.table);
  return { session, revision: link.table?.revision ?? 0 };
}

test('a sidecar that goes on and on does not fill the log, nor what is measured', async () => {
  const { session, revision } = await served();
  for (let count = 0; count < 50; count += 1) session.receive({ type: 'ack', revision });
  for (let count = 0; count < 50; count += 1)
    session.receive({ type: 'nack', revision, code: 'TABLE_GAP', message: 'x'.repeat(60_000) });
  const refusals = lines.filter(({ msg }) => msg.startsWith('sidecar refused'));
  expect(refusals).toHaveLength(5);
  expect(refusals[0]?.msg.length).toBeLessThan(1_100);
  expect(tables.status().sidecars[0]?.error?.length).toBeLessThan(1_100);
  const { values } = await metrics.enforceSeconds.get();
  expect(values.find(({ metricName }) => metricName?.endsWith('_count'))?.value).toBe(1);
  expect((await metrics.nacks.get()).values[0]?.value).toBe(50);
});

test('a sidecar that refuses change after change is sent few whole tables, and all that changed when it takes one', async () => {
  start(1);
  const link = new RecordingLink();
  const session = tables.attach(link);
  session.open({ namespace: 'team-0-0', name: 'pod-0-0' }, { schema: TABLE_SCHEMA });
  await waitFor(() => link.table);
  const snapshots = () => link.frames.filter(({ type }) => type === 'snapshot').length;
  for (let round = 1; round <= 20; round += 1) {
    const before = link.frames.length;
    put(round);
    await new Promise((resolve) => setTimeout(resolve, 30));
    if (link.frames.length === before) continue;
    session.receive({ type: 'nack', revision: 0, code: 'TABLE_GAP', message: 'no' });
    await new Promise((resolve) => setTimeout(resolve, 5));
    session.receive({ type: 'ack', revision: link.table?.revision ?? 0 });
  }
  expect(snapshots()).toBeGreaterThan(2);
  expect(snapshots()).toBeLessThanOrEqual(6);
  session.receive({ type: 'ack', revision: session.revision ?? 0 });
  await waitFor(() => members(link) === 21);
  expectTable(link.table, source.cluster, 'team-0-0/pod-0-0');
});

/** A policy of the namespace that changes nothing for who is let in. */
function putPolicy(name: string, namespaceSelector?: LabelSelector): string {
  const { namespace } = podAt(0, 0, 0, 0);
  const podSelector = { matchLabels: {}, matchExpressions: [] };
  const ingress = [
    { peers: [{ kind: 'pods' as const, ...(namespaceSelector && { namespaceSelector }) }], ports: [] },
  ];
  const object = { namespace, name, podSelector, policyTypes: ['ingress' as const], ingress, egress: [] };
  const key = objectKey(namespace, name);
  source.change({ kind: 'NetworkPolicy', key, object });
  return key;
}

test('a whole table that takes many goes after a refusal counts once', async () => {
  start(1);
  const link = new RecordingLink();
  const session = tables.attach(link);
  session.open({ namespace: 'team-0-0', name: 'pod-0-0' }, { schema: TABLE_SCHEMA });
  await waitFor(() => link.table);
  session.receive({ type: 'nack', revision: 0, code: 'TABLE_GAP', message: 'no' });
  for (let policy = 0; policy < 100; policy += 1) putPolicy(`p${policy}`);
  tables.catchUp();
  const due = { kind: 'table' as const, revision: tables.revision };
  let calls = 1;
  while (tables.send(session, due, () => false) === 'begun') calls += 1;
  expect(calls).toBeGreaterThan(20);
  expect(link.frames.map(({ type }) => type)).toEqual(['snapshot', 'snapshot']);
});

test('a sidecar that is sent nothing for now because it refused so much counts as behind, and has the rest later', async () => {
  start(1);
  const link = new RecordingLink();
  const session = tables.attach(link);
  session.open({ namespace: 'team-0-0', name: 'pod-0-0' }, { schema: TABLE_SCHEMA });
  await waitFor(() => link.table);
  const sent = session.revision ?? 0;
  session.receive({ type: 'ack', revision: sent });
  for (let refused = 0; refused < 5; refused += 1) {
    session.receive({ type: 'nack', revision: 0, code: 'TABLE_GAP', message: 'no' });
    expect(tables.send(session, { kind: 'table', revision: sent }, () => true)).toBe('done');
  }
  const frames = link.frames.length;
  const key = putPolicy('late');
  tables.catchUp();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(link.frames).toHaveLength(frames);
  expect(tables.counts().of(key)).toMatchObject({ selected: 1, enforcing: 0 });
  const [status] = tables.status().sidecars;
  expect(status?.revision).toBeGreaterThan(status?.enforced ?? 0);
  session.receive({ type: 'ack', revision: sent });
  await waitFor(() => link.table?.policies.has(key));
  expect(session.revision).toBeGreaterThan(sent);
});

test('a policy that comes while a sidecar fills in an outline has a revision that it does not have yet', async () => {
  start(1);
  const link = new RecordingLink();
  const session = tables.attach(link);
  const pod = { namespace: 'team-0-0', name: 'pod-0-0' };
  session.open(pod, { schema: TABLE_SCHEMA, holds: true });
  await waitFor(() => link.frames[0]);
  const offered = session.revision ?? 0;
  session.receive({ type: 'ack', revision: offered });
  const key = putPolicy('late');
  expect(tables.counts().of(key)).toMatchObject({ selected: 1, enforcing: 0 });
  session.receive({ type: 'want', parts: [0] });
  expect(tables.counts().of(key)).toMatchObject({ selected: 1, enforcing: 0 });
  await waitFor(() => link.frames.length === 2);
  expect(session.revision).toBeGreaterThan(offered);
  expect(tables.counts().of(key)).toMatchObject({ selected: 1, enforcing: 0 });
  session.receive({ type: 'ack', revision: session.revision ?? 0 });
  expect(tables.counts().of(key)).toMatchObject({ selected: 1, enforcing: 1 });
});

test('as long as members are only being found for policies that wait, nothing counts as changed', async () => {
  start(1);
  for (let team = 1; team <= 10; team += 1)
    for (let place = 0; place < 250; place += 1) {
      const object = podAt(team, place, 0, 0);
      source.change({ kind: 'Pod', key: objectKey(object.namespace, object.name), object });
    }
  const link = connect(0);
  await waitFor(() => link.table);
  const commit = Compiler.prototype.commit;
  let commits = 0;
  const slow = vi.spyOn(Compiler.prototype, 'commit').mockImplementation(function (this: Compiler) {
    commits += 1;
    return commit.call(this, () => false); // no time for more than a few members
  });
  const before = tables.revision;
  lines.length = 0;
  putPolicy('all', { matchLabels: {}, matchExpressions: [] });
  await waitFor(() => link.table?.policies.size === 2);
  expect(commits).toBeGreaterThan(4);
  slow.mockRestore();
  expect(tables.revision).toBe(before + 2);
  expect(lines.filter(({ msg }) => msg === 'cluster changed')).toHaveLength(2);
});

test('a sidecar that reads no answers is sent few of them, and a pod with many labels is named without them', async () => {
  start(3);
  const { namespace, name: pod, ips } = podAt(0, 1, 0, 0);
  const labels = Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`label-${i}`, 'x'.repeat(60)]));
  source.change({ kind: 'Pod', key: objectKey(namespace, pod), object: { ...podAt(0, 1, 0, 0), labels } });
  const matchExpressions = Object.keys(labels).map((key) => ({
    key,
    operator: 'DoesNotExist' as const,
    values: [],
  }));
  const asking = {
    namespace,
    name: 'asking',
    podSelector: { matchLabels: {}, matchExpressions: [] },
    policyTypes: ['ingress' as const],
    ingress: [
      { peers: [{ kind: 'pods' as const, podSelector: { matchLabels: {}, matchExpressions } }], ports: [] },
    ],
    egress: [],
  };
  source.change({ kind: 'NetworkPolicy', key: objectKey(namespace, 'asking'), object: asking });
  const link = new RecordingLink();
  const session = tables.attach(link);
  session.open({ namespace, name: 'pod-0-0' }, { schema: TABLE_SCHEMA });
  await waitFor(() => link.table);
  const answers = () => link.frames.filter((frame) => frame.type === 'identity');
  session.receive({ type: 'identify', address: ips[0] ?? '' });
  expect(answers()).toHaveLength(1);
  expect(answers()[0]).toMatchObject({ pod: { namespace, name: pod, labels: {} } });
  link.queuedBytes = 70_000;
  session.receive({ type: 'identify', address: ips[0] ?? '' });
  expect(answers()).toHaveLength(1);
  link.queuedBytes = 60_000;
  session.receive({ type: 'identify', address: ips[0] ?? '' });
  expect(answers()).toHaveLength(2);
});

test('a sidecar may take back that it enforces its table, and say it again: that is measured once', async () => {
  const { session, revision } = await served();
  session.receive({ type: 'ack', revision });
  session.receive({ type: 'ack', revision: 0 });
  expect(tables.status().sidecars[0]).toMatchObject({ revision, enforced: 0 });
  session.receive({ type: 'ack', revision });
  expect(tables.status().sidecars[0]).toMatchObject({ revision, enforced: revision });
  const { values } = await metrics.enforceSeconds.get();
  expect(values.find(({ metricName }) => metricName?.endsWith('_count'))?.value).toBe(1);
});

test('a table that is refused while changes to it wait comes whole, with them', async () => {
  start(1);
  const link = new RecordingLink();
  const session = tables.attach(link);
  session.open({ namespace: 'team-0-0', name: 'pod-0-0' }, { schema: TABLE_SCHEMA });
  await waitFor(() => link.table);
  const revision = link.table?.revision ?? 0;
  put(0, 1);
  tables.status(); // the changes are made, and wait to be sent
  session.receive({ type: 'nack', revision, code: 'TABLE_GAP', message: 'a gap' });
  await waitFor(() => link.frames.length === 2);
  expect(link.changes).toBe(0);
  expect(link.table?.revision).toBeGreaterThan(revision);
  expectTable(link.table, source.cluster, 'team-0-0/pod-0-0');
});

test('a sidecar that waits for its table again does not count as enforcing it', async () => {
  const { session, revision } = await served();
  session.receive({ type: 'ack', revision });
  expect(tables.status().sidecars[0]).toMatchObject({ revision, enforced: revision });
  putFaulty(1, 1);
  const [waiting] = tables.status().sidecars;
  expect(waiting?.enforced).toBe(revision);
  expect(waiting?.revision).toBeGreaterThan(revision);
});

test('a policy beyond a bound is a problem of the cluster, and is logged once', async () => {
  start(2);
  const link = connect(0);
  await waitFor(() => link.table);
  const { namespace } = podAt(0, 0, 0, 0);
  const put = (name: string, rules: number) => {
    const peers = [{ kind: 'ipBlock' as const, ipBlock: { cidr: '192.0.2.1/32', except: [] } }];
    const ingress = Array.from({ length: rules }, () => ({ peers, ports: [] }));
    const podSelector = { matchLabels: {}, matchExpressions: [] };
    const object = {
      namespace,
      name,
      podSelector,
      policyTypes: ['ingress' as const],
      ingress,
      egress: [],
    };
    source.change({ kind: 'NetworkPolicy', key: objectKey(namespace, name), object });
  };
  put('large', 6_000);
  await waitFor(() => link.table?.ingress.isolating.length === 2);
  expect(link.table?.ingress.rules).toHaveLength(1);
  for (let edit = 0; edit < 3; edit += 1) {
    put('large', 6_001 + edit);
    put('other', edit + 1);
    await waitFor(() => link.table?.ingress.rules.length === 2 + edit);
  }
  expect(tables.status().problems).toEqual([
    {
      file: 'cluster',
      document: 0,
      object: `NetworkPolicy ${namespace}/large`,
      message: expect.stringMatching(/^has 12006 entries .* 10000 are allowed/),
      severity: 'error',
    },
  ]);
  expect(lines.filter(({ level }) => level === 'error')).toHaveLength(1);
  put('large', 1);
  await waitFor(() => lines.some(({ msg }) => msg.endsWith('/large is within bounds again')));
  expect(tables.status().problems).toEqual([]);
});

test('edits while a sidecar is behind come as the last of them', async () => {
  start(250);
  const links = Array.from({ length: 250 }, (_, place) => connect(place));
  await waitFor(() => links.every(({ table }) => table !== undefined));
  const { namespace } = podAt(0, 0, 0, 0);
  const edits = 40;
  for (let edit = 1; edit <= edits; edit += 1) {
    const ports = Array.from({ length: 500 }, (_, i) => ({ protocol: 'TCP' as const, port: i + edit }));
    const podSelector = { matchLabels: {}, matchExpressions: [] };
    const object = {
      namespace,
      name: 'edited',
      podSelector,
      policyTypes: ['ingress' as const],
      ingress: [{ peers: [], ports }],
      egress: [],
    };
    source.change({ kind: 'NetworkPolicy', key: objectKey(namespace, 'edited'), object });
    await new Promise((resolve) => setImmediate(resolve));
  }
  const last = (link: RecordingLink) => link.table?.ingress.rules.at(0)?.ports.at(0)?.from === edits;
  await waitFor(() => links.every(last));
  for (const [place, { table }] of links.entries())
    expectTable(table, source.cluster, `team-0-0/pod-${place}-0`);
});
