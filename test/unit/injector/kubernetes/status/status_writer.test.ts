/** On each policy of the cluster stands how far it is in force. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KubernetesSource } from '../../../../../injector/kubernetes/kubernetes_source.ts';
import { StatusWriter } from '../../../../../injector/kubernetes/status/status_writer.ts';
import { createInjectorMetrics } from '../../../../../injector/metrics.ts';
import type { SessionLink } from '../../../../../injector/tables/session/session_link.ts';
import type { TableSession } from '../../../../../injector/tables/session/table_session.ts';
import { TableServer } from '../../../../../injector/tables/table_server.ts';
import { DEFAULT_POLICY_LIMITS } from '../../../../../policy/index.ts';
import { TABLE_SCHEMA } from '../../../../../policy/table/form.ts';
import { readInjectorFrame } from '../../../../../policy/table/frames.ts';
import { allowApps, endpointSlice, namespace, pod, policy, service } from '../../../../builders/manifests.ts';
import { ApiServer } from '../../../../support/api_server/api_server.ts';
import { freePorts } from '../../../../support/free_ports.ts';
import { captureLog } from '../../captured_log.ts';
import { waitFor } from '../../wait_for.ts';
import { configOf } from '../reflected_pods.ts';

let server: ApiServer;
let source: KubernetesSource;
let tables: TableServer;
let writer: StatusWriter;
let peer: Server | undefined;
let asked: number;

beforeEach(async () => {
  asked = 0;
  server = await ApiServer.start();
  await server.apply(namespace('shop', { 'sluice.dev/inject': 'enabled' }));
  await server.apply(pod('shop/api', { labels: { app: 'api' }, ips: ['10.1.1.10'] }));
  await server.apply(allowApps('shop/allow', 'api', ['front']));
  const { log } = captureLog();
  source = new KubernetesSource(configOf(server), log);
  await source.synced;
  tables = new TableServer(source, createInjectorMetrics(), log);
});

afterEach(async () => {
  await writer.close();
  peer?.close();
  peer = undefined;
  tables.close();
  await source.close();
  await server.close();
});

/** Begins to write, if it leads. */
function write({ leads, statusPort = 1 }: { leads: boolean; statusPort?: number }): void {
  const config = configOf(server);
  const parts = { config, source, tables, election: { leads }, log: captureLog().log };
  writer = new StatusWriter({
    ...parts,
    namespace: 'sluice-system',
    replica: 'a',
    statusPort,
    lookMs: 10,
  });
}

/** A sidecar that says it enforces each table, or one that never does. */
function connect(enforces: boolean): void {
  let session: TableSession | undefined;
  const link: SessionLink = {
    queuedBytes: 0,
    send: (bytes) => {
      const frame = readInjectorFrame(JSON.parse(Buffer.concat(bytes).toString()));
      const revision =
        frame.type === 'snapshot'
          ? frame.table.revision
          : frame.type === 'change'
            ? frame.change.revision
            : undefined;
      if (enforces && revision !== undefined)
        queueMicrotask(() => session?.receive({ type: 'ack', revision }));
    },
    close: () => undefined,
  };
  session = tables.attach(link);
  session.receive({ type: 'hello', schema: TABLE_SCHEMA, namespace: 'shop', pod: 'api' });
}

const uidOf = (policy: string) => server.find(allowApps(policy, '', []))?.metadata.uid;

/** Another replica, whose sidecar enforces the first wording of the policy and knows of no other. */
async function startPeer(): Promise<number> {
  const [port = 0] = await freePorts(1);
  peer = createServer((_, response) => {
    asked += 1;
    response.end(JSON.stringify({ replica: 'b', enforcing: { [`${uidOf('shop/allow')}/1`]: 1 } }));
  });
  peer.listen(port, '127.0.0.2');
  await once(peer, 'listening');
  await server.apply(namespace('sluice-system'));
  await server.apply(
    endpointSlice('sluice-system/sluice-injector', 'sluice-injector', ['127.0.0.1', '127.0.0.2']),
  );
  return port;
}

function annotations(): Readonly<Record<string, string>> {
  return server.find(allowApps('shop/allow', 'api', []))?.metadata.annotations ?? {};
}

function status(): Record<string, unknown> {
  const text = annotations()['sluice.dev/status'];
  return text === undefined ? {} : JSON.parse(text);
}

const patches = () => server.requests.filter(({ method }) => method === 'PATCH');
const writes = () => patches().length;

test('pending until the pod enforces it, then enforced; written when it changes, and not again', async () => {
  write({ leads: true });
  await waitFor(() => status().state === 'pending');
  expect(status()).toEqual({ state: 'pending', generation: 1, selected: 1, enforcing: 0 });
  connect(true);
  await waitFor(() => status().state === 'enforced');
  expect(status()).toEqual({ state: 'enforced', generation: 1, selected: 1, enforcing: 1 });
  expect(patches().map(({ query }) => query.fieldManager)).toEqual(patches().map(() => 'sluice-injector'));
  const looks = writes();
  await server.apply(allowApps('shop/other', 'nobody', []));
  await waitFor(() => writes() === looks + 1);
  expect(server.find(allowApps('shop/allow', 'api', []))?.metadata.generation).toBe(1);
});

test('flat annotations say the same: the state, and the generation that all pods enforce as a whole', async () => {
  const flat = () => [annotations()['sluice.dev/state'], annotations()['sluice.dev/enforced-generation']];
  write({ leads: true });
  await waitFor(() => flat()[0] === 'pending');
  expect(flat()).toEqual(['pending', '0']);
  connect(true);
  await waitFor(() => flat()[0] === 'enforced');
  expect(flat()).toEqual(['enforced', '1']);
  // What somebody else writes there is put right, too.
  await server.patch(allowApps('shop/allow', 'api', []), {
    metadata: { annotations: { 'sluice.dev/enforced-generation': '7' } },
  });
  await waitFor(() => flat()[1] === '1');
  const faulty = { ingress: [{ from: [{ ipBlock: { cidr: '010.0.0.0/8' } }] }] };
  await server.patch(allowApps('shop/allow', 'api', []), { spec: faulty });
  await waitFor(() => flat()[0] === 'partial');
  expect(flat()).toEqual(['partial', '0']);
});

test('a policy of a namespace whose pods are not injected waits for nobody, until the namespace is labelled', async () => {
  await server.apply(namespace('sluice-system', { 'sluice.dev/inject': 'enabled' })); // its own: the label means nothing
  await server.apply(pod('sluice-system/injector', { labels: { app: 'api' }, ips: ['10.1.2.10'] }));
  const own = allowApps('sluice-system/injector', 'api', []);
  await server.apply(own);
  await server.apply(namespace('shop'));
  await waitFor(() => source.cluster.namespaces.get('shop')?.labels['sluice.dev/inject'] === undefined);
  write({ leads: true });
  await waitFor(() => status().state === 'unenforced');
  await waitFor(() =>
    server.find(own)?.metadata.annotations?.['sluice.dev/status']?.includes('"state":"unenforced"'),
  );
  await server.apply(namespace('shop', { 'sluice.dev/inject': 'enabled' }));
  connect(true);
  await waitFor(() => status().state === 'enforced');
});

test('after an edit it is about the new generation', async () => {
  write({ leads: true });
  connect(true);
  await waitFor(() => status().state === 'enforced');
  const annotations = server.find(allowApps('shop/allow', 'api', []))?.metadata.annotations;
  const edited = allowApps('shop/allow', 'api', ['batch']);
  await server.apply({ ...edited, metadata: { namespace: 'shop', name: 'allow', annotations } });
  await waitFor(() => status().generation === 2 && status().state === 'enforced');
});

test('what cannot be enforced stands there', async () => {
  write({ leads: true });
  connect(true);
  const spec = { ingress: [{ from: [{ ipBlock: { cidr: '010.0.0.0/8' } }] }, { ports: [{ port: 8080 }] }] };
  await server.patch(allowApps('shop/allow', 'api', []), { spec });
  await waitFor(() => status().state === 'partial');
  expect(status().unsupported).toEqual([expect.stringContaining('spec.ingress[0].from[0].ipBlock.cidr')]);
  // Its good rule stays in force.
  expect(source.cluster.policies.get('shop/allow')?.ingress).toMatchObject([
    { index: 1, ports: [{ port: 8080 }] },
  ]);
});

test('that a policy leaves its pods without DNS stands there', async () => {
  await server.apply(namespace('kube-system'));
  await server.apply(service('kube-system/kube-dns', { ips: ['10.96.0.10'], ports: ['UDP/53'] }));
  await server.apply(endpointSlice('kube-system/kube-dns-1', 'kube-dns', ['10.1.2.10'], ['UDP/53']));
  await server.apply(pod('kube-system/dns', { labels: { app: 'dns' }, ips: ['10.1.2.10'] }));
  await server.apply(
    policy('shop/out', { podSelector: {}, policyTypes: ['Egress'], egress: [{ to: [{ podSelector: {} }] }] }),
  );
  write({ leads: true });
  const out = () => {
    const text = server.find(policy('shop/out', {}))?.metadata.annotations?.['sluice.dev/status'];
    return text === undefined ? undefined : (JSON.parse(text) as { warnings?: string[] });
  };
  await waitFor(() => out() !== undefined);
  expect(out()?.warnings).toEqual([
    'pod shop/api: egress is isolated by shop/out, and no rule admits DNS, which is kube-system/kube-dns (10.1.2.10 UDP/53): names do not resolve',
  ]);
  await waitFor(() => status().state === 'pending');
  expect(status().warnings).toBeUndefined(); // it speaks of ingress alone
});

test('an annotation that somebody else changed is put right', async () => {
  write({ leads: true });
  connect(true);
  await waitFor(() => status().state === 'enforced');
  await server.patch(allowApps('shop/allow', 'api', []), {
    metadata: { annotations: { 'sluice.dev/status': '{}' } },
  });
  await waitFor(() => status().state === 'enforced');
});

test('a replica that does not lead writes nothing; it tells the leader what its sidecars enforce', async () => {
  write({ leads: false });
  connect(true);
  await waitFor(() => writer.counts.enforcing[`${uidOf('shop/allow')}/1`] === 1);
  const before = writes();
  await server.apply(allowApps('shop/other', 'api', []));
  await waitFor(() => writer.counts.enforcing[`${uidOf('shop/other')}/1`] === 1);
  expect(writes()).toBe(before);
});

test('what another replica enforces counts for the wording that it knows, not for one after it', async () => {
  write({ leads: true, statusPort: await startPeer() });
  await waitFor(() => status().state === 'enforced');
  const annotations = server.find(allowApps('shop/allow', 'api', []))?.metadata.annotations;
  const edited = allowApps('shop/allow', 'api', ['batch']);
  await server.apply({ ...edited, metadata: { namespace: 'shop', name: 'allow', annotations } });
  await waitFor(() => source.policyFacts.get('shop/allow')?.generation === 2);
  const before = asked;
  await waitFor(() => asked > before + 3);
  expect(status()).toEqual({ state: 'enforced', generation: 1, selected: 1, enforcing: 1 });
});

test('a policy that is too large says so', async () => {
  write({ leads: true });
  connect(true);
  const from = Array.from({ length: 10_001 }, () => ({ ipBlock: { cidr: '192.0.2.1/32' } }));
  await server.apply(policy('shop/allow', { podSelector: {}, ingress: [{ from }] }));
  await waitFor(() => status().state === 'partial');
  expect(status().unsupported).toEqual([
    expect.stringMatching(
      /^spec: has 10002 entries .* 10000 are allowed \(SLUICE_MAX_POLICY_ENTRIES\): it isolates/,
    ),
  ]);
});

test('a policy whose selectors have to be tried on too many pods says so, here and in the log, until it is smaller', async () => {
  tables.close();
  const { log, lines } = captureLog();
  const policyLimits = { ...DEFAULT_POLICY_LIMITS, maxPolicyReach: 150 };
  tables = new TableServer(source, createInjectorMetrics(), log, { policyLimits });
  write({ leads: true });
  connect(true);
  await waitFor(() => status().state === 'enforced');
  const why = 'has 200 pods to try its selectors on, 150 are allowed (SLUICE_MAX_POLICY_REACH)';
  const consequence = 'it isolates the pods that it selects and admits nothing';
  const annotations = () => server.find(allowApps('shop/allow', '', []))?.metadata.annotations;
  const edit = (from: readonly string[]) => {
    const edited = allowApps('shop/allow', 'api', from);
    return server.apply({
      ...edited,
      metadata: { namespace: 'shop', name: 'allow', annotations: annotations() },
    });
  };
  await edit(['front', 'back']);
  await waitFor(() => status().state === 'partial');
  expect(status()).toMatchObject({ generation: 2, enforcing: 1, unsupported: [`${why}: ${consequence}`] });
  const logged = () =>
    lines.filter(({ msg }) => msg.includes('NetworkPolicy shop/allow')).map(({ level, msg }) => [level, msg]);
  const excess = ['error', `object: cluster, NetworkPolicy shop/allow: ${why}: ${consequence}`];
  expect(logged()).toEqual([excess]);
  await edit(['front']);
  await waitFor(() => status().state === 'enforced');
  expect(status()).toEqual({ state: 'enforced', generation: 3, selected: 1, enforcing: 1 });
  expect(logged()).toEqual([excess, ['info', 'NetworkPolicy shop/allow is within bounds again']]);
});

test('policies that have no room in their namespace say so', async () => {
  write({ leads: true });
  connect(true);
  const from = Array.from({ length: 9_900 }, () => ({ ipBlock: { cidr: '192.0.2.1/32' } }));
  for (const name of ['shop/a', 'shop/aa', 'shop/allow'])
    await server.apply(policy(name, { podSelector: {}, ingress: [{ from }] }));
  await waitFor(() => status().state === 'partial');
  expect(status().unsupported).toEqual([expect.stringMatching(/more than its namespace has room for/)]);
});
