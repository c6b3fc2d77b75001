/** From the API server's watch to the record of a flow that was cut: the record and the injector together say what ended it. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { unpack } from '../../../../common/pack.ts';
import type { FlowRecord } from '../../../../flows/index.ts';
import { ObjectChanges } from '../../../../injector/changes/index.ts';
import { KubernetesSource } from '../../../../injector/kubernetes/kubernetes_source.ts';
import { createInjectorMetrics } from '../../../../injector/metrics.ts';
import type { SessionLink } from '../../../../injector/tables/session/session_link.ts';
import { TableServer } from '../../../../injector/tables/table_server.ts';
import { readInjectorFrame, TABLE_SCHEMA, tableOf } from '../../../../policy/index.ts';
import { recordOf } from '../../../../sidecar/records/flow_record.ts';
import { Enforcement } from '../../../../sidecar/table/enforcement.ts';
import { formerVerdict } from '../../../../sidecar/table/former_verdict.ts';
import { LiveTable } from '../../../../sidecar/table/live_table.ts';
import { allowApps, type Manifest, namespace, node, pod } from '../../../builders/manifests.ts';
import { ApiServer } from '../../../support/api_server/api_server.ts';
import { captureLog, type LogLine } from '../captured_log.ts';
import { configOf } from '../kubernetes/reflected_pods.ts';
import { waitFor } from '../wait_for.ts';

const WEB = '10.1.1.11';
const DB = '10.1.1.12';

const web = (app: string) => pod('shop/web', { labels: { app }, ips: [WEB] });
const db = pod('shop/db', { labels: { app: 'db' }, ips: [DB], ports: [5432] });

/** As the API server notes who has written an object. */
function writtenBy(manager: string, object: Manifest): Manifest {
  const { metadata } = object as { readonly metadata: Manifest };
  const entries = [
    { manager: 'kubelet', operation: 'Update', subresource: 'status', time: '2026-11-30T09:00:00Z' },
    { manager, operation: 'Apply', time: '2026-11-30T10:00:00Z' },
  ];
  return { ...object, metadata: { ...metadata, managedFields: entries } };
}

let server: ApiServer;
let source: KubernetesSource;
let tables: TableServer;
let changes: ObjectChanges;
let enforcement: Enforcement;
let records: FlowRecord[];
let lines: LogLine[];

/** The sidecar of shop/db, with a live flow from shop/web. */
function follow(): void {
  const live = new LiveTable();
  enforcement = new Enforcement(live);
  const link: SessionLink = {
    queuedBytes: 0,
    send(bytes) {
      const frame = readInjectorFrame(JSON.parse(Buffer.concat(bytes).toString()), unpack);
      if (frame.type === 'snapshot') enforcement.replace(tableOf(frame.table));
      else if (frame.type === 'change') enforcement.apply(frame.change);
    },
    close: () => undefined,
  };
  tables.attach(link).receive({ type: 'hello', schema: TABLE_SCHEMA, namespace: 'shop', pod: 'db' });
  live.register({
    path: 'proxy',
    sourceAddress: WEB,
    revoked(judge) {
      const verdict = judge.judge('ingress', WEB, 'TCP', 5432);
      return verdict.verdict === 'deny' ? { cause: 'policy-changed', verdict } : undefined;
    },
    resetSource: () => undefined,
    cut({ cause, verdict }, before) {
      const was = formerVerdict(before, 'ingress', WEB, 'TCP', 5432);
      const identity = (name: string) => ({ namespace: 'shop', name, workload: `pod/${name}` });
      const facts = {
        verdict,
        end: cause,
        protocol: 'TCP',
        source: { address: WEB, identity: identity('web') },
        destination: { address: DB, port: 5432, identity: identity('db') },
        revision: enforcement.revision,
        ...(was === undefined ? {} : { was }),
      } as const;
      if (records.length === 0) records.push(recordOf(facts, verdict, undefined, new Date()));
    },
    drain: () => undefined,
    view: () => undefined,
  });
}

async function recordOfCut(): Promise<FlowRecord> {
  await waitFor(() => records.length > 0);
  const [record] = records;
  if (record === undefined) throw new Error('no flow was cut');
  return record;
}

beforeEach(async () => {
  server = await ApiServer.start();
  for (const object of [
    namespace('shop'),
    node(1),
    web('web'),
    db,
    allowApps('shop/db-clients', 'db', ['web']),
  ])
    await server.apply(object);
  const captured = captureLog();
  lines = captured.lines;
  records = [];
  changes = new ObjectChanges();
  source = new KubernetesSource(configOf(server), captured.log);
  await source.synced;
  tables = new TableServer(source, createInjectorMetrics(), captured.log, { objectChanges: changes });
  follow();
  await waitFor(() => enforcement.verdict('ingress', WEB, 'TCP', 5432).verdict === 'allow');
});

afterEach(async () => {
  tables.close();
  await source.close();
  await server.close();
});

test('a policy that was edited: by its generation, and by whom and when', async () => {
  const allowedAt = enforcement.revision;
  await server.apply(writtenBy('kubectl-client-side-apply', allowApps('shop/db-clients', 'db', ['cart'])));
  const record = await recordOfCut();
  expect(record.was).toEqual({ policy: 'shop/db-clients', rule: 0, revision: allowedAt });
  expect(record.explanation).toMatch(/; allowed before: rule shop\/db-clients ingress\[0\]$/);
  expect(changes.causeOf(record)).toEqual({
    kind: 'NetworkPolicy',
    namespace: 'shop',
    name: 'db-clients',
    generation: 2,
    manager: 'kubectl-client-side-apply',
    at: '2026-11-30T10:00:00Z',
  });
  const line = lines.findLast(({ msg }) => msg === 'cluster changed');
  expect(line).toMatchObject({ objects: ['NetworkPolicy shop/db-clients'] });
});

test('a pod that lost the label that had admitted it', async () => {
  await server.apply(writtenBy('kubectl-label', web('renamed')));
  expect(changes.causeOf(await recordOfCut())).toMatchObject({
    kind: 'Pod',
    name: 'web',
    manager: 'kubectl-label',
  });
});

test('a policy that is gone leaves no manager, but the time', async () => {
  await server.apply(allowApps('shop/deny', 'db', []));
  await waitFor(() => enforcement.table?.ingress.isolating.length === 2);
  await server.delete(allowApps('shop/db-clients', 'db', []));
  const cause = changes.causeOf(await recordOfCut());
  expect(cause).toMatchObject({ kind: 'NetworkPolicy', name: 'db-clients', deleted: true });
  expect(cause).not.toHaveProperty('manager');
  expect(Date.now() - Date.parse(cause?.at ?? '')).toBeLessThan(60_000);
});
