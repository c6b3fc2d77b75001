/** Flows and connections that sidecars tell themselves: of pods that answer, that do not, and of a cluster's API. */
import { expect, test } from 'vitest';
import { createDirectSource, type SidecarPod, type SidecarPods } from '../../../../cli/flows/direct/index.ts';
import type { FlowQuestion, ObservedFlow } from '../../../../flows/index.ts';
import { pod } from '../../../builders/cli_manifests.ts';
import { type Manifest, namespace } from '../../../builders/manifests.ts';
import { liveCluster } from '../support/live_cluster.ts';
import { runSluice } from '../support/sluice_process.ts';

const ALWAYS: FlowQuestion = { since: 0, until: Number.MAX_SAFE_INTEGER };
const progress = { say() {}, end() {} };
const never = new AbortController().signal;

const sidecar = (name: string, workload = `deploy/${name}`): SidecarPod => ({
  namespace: 'shop',
  name,
  workload,
});
const [web, api] = [sidecar('web'), sidecar('api')];

/** Sidecars with these records; an error for one that does not answer. */
function sidecars(records: Readonly<Record<string, readonly object[] | Error>>): SidecarPods {
  return {
    where: 'lab x',
    pods: [web, api].filter(({ name }) => name in records),
    names: new Map([
      ['10.0.0.1', web],
      ['10.0.0.2', api],
      ['10.0.0.3', sidecar('backup-1', 'cronjob/backup')],
    ]),
    async page({ name }) {
      const page = records[name] ?? [];
      if (page instanceof Error) throw page;
      return JSON.stringify(page);
    },
  };
}

function record(parts: object): object {
  return {
    time: '2026-11-30T12:00:00.000Z',
    direction: 'ingress',
    verdict: 'allow',
    reason: 'rule',
    end: 'closed',
    protocol: 'TCP',
    src: { addr: '10.0.0.1', port: 40_000 },
    dst: { addr: '10.0.0.2', port: 80 },
    ...parts,
  };
}

const ask = async (records: Parameters<typeof sidecars>[0], question = ALWAYS) =>
  await createDirectSource(sidecars(records), { progress, signal: never }, () => undefined).ask(question);

test('what both ends have recorded is one flow, by the word of the destination', async () => {
  const { flows, lost, observed_since } = await ask({
    web: [
      record({
        direction: 'egress',
        reason: 'not-isolated',
        dst: { addr: '10.0.0.2', port: 80, service: 'shop/api' },
      }),
    ],
    api: [
      record({
        policy: 'shop/api-in',
        rule: 0,
        bytes_sent: 7,
        bytes_recv: 3,
        time: '2026-11-30T12:00:01.000Z',
      }),
    ],
  });
  expect(lost).toEqual([]);
  expect(observed_since).toBe('2026-11-30T12:00:01.000Z');
  expect(flows).toEqual([
    expect.objectContaining({
      src: { kind: 'workload', namespace: 'shop', workload: 'deploy/web', pod: 'web' },
      dst: { kind: 'workload', namespace: 'shop', workload: 'deploy/api', pod: 'api' },
      service: 'shop/api',
      policy: 'shop/api-in',
      rule: 0,
      flows: 1,
      bytes_sent: 7,
      bytes_received: 3,
      reported_by: 'both',
    }),
  ]);
});

test.each<[string, object, Partial<ObservedFlow>]>([
  ['a denial', { verdict: 'deny', end: 'dropped', packets: 9 }, { outcome: 'deny', packets: 9 }],
  ['a cut', { verdict: 'deny', end: 'policy-changed' }, { outcome: 'cut' }],
  ['an address outside', { src: { addr: '192.0.2.1' } }, { src: { kind: 'external', address: '192.0.2.1' } }],
  [
    'a pod that only its address names',
    { src: { addr: '10.0.0.3' } },
    { src: { kind: 'workload', namespace: 'shop', workload: 'cronjob/backup', pod: 'backup-1' } },
  ],
  [
    'a run of a CronJob',
    { src: { addr: '10.9.9.9', namespace: 'a', pod: 'b-29000000-x', workload: 'job/b-29000000' } },
    { src: { kind: 'workload', namespace: 'a', workload: 'cronjob/b', pod: 'b-29000000-x' } },
  ],
  [
    'rules that came near',
    { near: [{ policy: 'shop/p', rule: 1, lacks: ['port 80 wanted'] }] },
    { near: [{ policy: 'shop/p', rule: 1, lacks: ['port 80 wanted'] }] },
  ],
  [
    'the rule that came near of an earlier sidecar',
    { near_miss: { policy: 'shop/p', rule: 1, failed: 'port', wanted: 'TCP/80', got: 'TCP/81' } },
    { near: [{ policy: 'shop/p', rule: 1, lacks: ['TCP/80 wanted, got TCP/81'] }] },
  ],
])('records: %s', async (_, parts, found) => {
  const { flows } = await ask({ api: [record(parts)] });
  expect(flows).toEqual([expect.objectContaining(found)]);
});

test('a sidecar that does not answer is named, and what it has lost is not known', async () => {
  const { flows, lost } = await ask({ web: new Error('no answer'), api: [record({})] });
  expect(flows).toHaveLength(1);
  expect(lost).toEqual([{ flows: 0, why: '1 of 2 sidecars did not answer: shop/web (no answer)' }]);
});

test('where none answers, or pages have another form, it is an error', async () => {
  await expect(ask({ web: new Error('gone'), api: [{ time: 'now' }] })).rejects.toMatchObject({
    code: 'FLOWS_UNREADABLE',
    message: expect.stringMatching(/no sidecar of lab x answers: .*shop\/api \(\/flows\[0\]\.\w+/),
  });
});

test('only what comes later is followed, each record once, also of two that are the same', async () => {
  const records = { api: [record({ time: '2026-11-30T11:00:00.000Z' })] };
  const source = createDirectSource(sidecars(records), { progress, signal: never }, () => undefined);
  const over = new AbortController();
  const found: string[] = [];
  setTimeout(() => {
    records.api = [
      ...records.api.slice(1),
      record({}),
      record({}),
      record({ verdict: 'deny', end: 'refused' }),
    ];
  }, 500);
  setTimeout(() => over.abort(), 5_000);
  for await (const { last, outcome } of source.follow({ ...ALWAYS, outcomes: ['allow'] }, over.signal))
    found.push(`${outcome} ${last}`);
  expect(found).toEqual(['allow 2026-11-30T12:00:00.000Z', 'allow 2026-11-30T12:00:00.000Z']);
});

function withSidecar(made: Manifest): Manifest {
  const { spec } = made as { readonly spec: object };
  return {
    ...made,
    spec: { ...spec, initContainers: [{ name: 'sluice-sidecar', image: 'sluice', restartPolicy: 'Always' }] },
  };
}

test('in a cluster the pods with a sidecar are asked, and what keeps them from answering is said', async () => {
  const { api: server, kubeconfig } = await liveCluster({ contexts: { double: 'shop' } });
  await server.create(namespace('shop'));
  await server.apply(withSidecar(pod('shop/api', { ip: '10.1.0.1' })));
  await server.apply(pod('shop/bare', { ip: '10.1.0.2' }));
  const sluice = (...args: string[]) => runSluice([...args, '--kubeconfig', kubeconfig]);
  expect(await sluice('observe', '--direct')).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringMatching(
      /no sidecar of namespace shop \(context double\) answers: 1 of 1 .* shop\/api \(/,
    ),
  });
  expect(await sluice('connections', 'po/bare')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('shop/bare has no sidecar that runs'),
  });
});

test('where a cluster has no injector, the place that was looked at is named, and what else there is', async () => {
  const { api: server, kubeconfig } = await liveCluster({ contexts: { double: 'shop' } });
  const observe = (...args: string[]) => runSluice(['observe', ...args, '--kubeconfig', kubeconfig]);
  expect(await observe()).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /404: .* in the namespace sluice-system, .*--injector-namespace .*--direct/,
    ),
  });
  await server.create(namespace('elsewhere'));
  await server.create({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { namespace: 'elsewhere', name: 'sluice-flows' },
  });
  // The account is there: what is missing now is the Service.
  expect(await observe('--injector-namespace', 'elsewhere')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/services.* in the namespace elsewhere, /),
  });
});

test.each([
  [['--direct'], 'with --direct no injector of a cluster is asked'],
  [['--lab', 'x'], 'with --lab no injector of a cluster is asked'],
  [['-i', 'x'], 'with --in no injector of a cluster is asked'],
  [[], '--injector-namespace is "A_b"'],
])('--injector-namespace A_b with %j is refused', async (args, said) => {
  const { code, stderr } = await runSluice(['observe', '--injector-namespace', 'A_b', ...args]);
  expect([code, stderr]).toEqual([2, expect.stringContaining(said)]);
});

test('the right to list pods is named where it is missing', async () => {
  const { kubeconfig } = await liveCluster({ contexts: { double: 'shop' }, authorize: () => false });
  const { code, stderr } = await runSluice(['connections', '--kubeconfig', kubeconfig]);
  expect(code).toBe(2);
  expect(stderr).toContain('may not list pods in namespace shop');
});
