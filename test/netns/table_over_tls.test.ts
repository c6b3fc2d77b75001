/** The injector is not on the pod's machine: tables come over TLS, through the pod's own gate. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { labPaths, sidecarStateFolder } from '../../lab/names/paths.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import { endpointSlice, namespace, node, pod, policy, service } from '../builders/manifests.ts';
import { tokenOf } from '../unit/injector/test_credentials.ts';
import { run } from './command.ts';
import { SILENCE, until, useLab } from './harness.ts';

const API = '10.1.1.10';
/** Where the injector is, and the Service that the pod knows. */
const INJECTOR = '203.0.113.7';
const VIRTUAL = '10.96.0.20';
const PORT = 15_010;
const OTHER_PORT = 15_011;
const SIDECAR = join(import.meta.dirname, '../../sidecar/main.ts');
const TOOL = join(import.meta.dirname, 'tools/tls_injector.ts');

const front = pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.12'] });

/** What shop/front may reach: pods with these labels. */
const reach = (name: string, ...apps: readonly string[]) =>
  policy(name, {
    podSelector: { matchLabels: { app: 'front' } },
    policyTypes: ['Egress'],
    egress: apps.map((app) => ({ to: [{ podSelector: { matchLabels: { app } } }] })),
  });

const everywhere = policy('shop/front-everywhere', {
  podSelector: { matchLabels: { app: 'front' } },
  policyTypes: ['Egress'],
  egress: [{}],
});

const net = useLab({
  external: [INJECTOR],
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: [API] }),
    front,
    reach('shop/front-nothing'),
    service('sluice/injector', { ips: [VIRTUAL], ports: [PORT, OTHER_PORT] }),
    endpointSlice('sluice/injector-1', 'injector', [INJECTOR], [PORT, OTHER_PORT]),
  ],
});

let folder = '';
let injector: ChildProcess | undefined;

async function startInjector(): Promise<void> {
  const { manifests } = labPaths(net.lab.name);
  rmSync(join(folder, 'ca.crt'), { force: true });
  const argv = [process.execPath, TOOL, manifests, INJECTOR, String(PORT), join(folder, 'ca.crt')];
  injector = net.lab.spawnIn('outside', argv, { stdio: 'inherit' });
}

async function killInjector(): Promise<void> {
  if (injector === undefined || injector.exitCode !== null || injector.signalCode !== null) return;
  const gone = once(injector, 'exit');
  injector.kill('SIGKILL');
  await gone;
}

/** A policy beside the lab's own, where the injector sees it. */
const moreFile = () => join(labPaths(net.lab.name).manifests, 'more.yaml');
const allowApi = () => writeFileSync(moreFile(), stringify(reach('shop/front-api', 'api')));
const denyApi = () => rmSync(moreFile());

const fromFront = (address: string, port: number) => net.connect('shop/front', address, port, SILENCE);
const ready = () =>
  until('the sidecar is ready', async () => {
    const { status, body } = await net.admin('shop/front', '/readyz').catch(() => ({ status: 0, body: '' }));
    return status === 200 ? (JSON.parse(body) as { revision: number }) : undefined;
  });
const said = (msg: string) => net.sidecarLog('shop/front').filter((line) => line.msg === msg).length;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
  writeFileSync(join(folder, 'token'), tokenOf('shop/front'));
  await startInjector();
  await net.lab.stopProcess('shop/front', 'sidecar', 'SIGTERM');
  rmSync(sidecarStateFolder(labPaths(net.lab.name), 'shop/front'), { recursive: true });
  await run(inNetns(net.lab.netns('shop/front'), [process.execPath, SIDECAR, 'redirect', 'remove']));
  net.lab.setSidecarEnv({
    SLUICE_SOURCE: '',
    SLUICE_INJECTOR_ADDRESS: `${VIRTUAL}:${PORT}`,
    SLUICE_TOKEN_FILE: join(folder, 'token'),
    SLUICE_CA_FILE: join(folder, 'ca.crt'),
  });
});
afterAll(async () => {
  await killInjector();
  rmSync(folder, { recursive: true, force: true });
});

test('the first table comes through a gate that is closed, and stays reachable where nothing else is', async () => {
  await net.lab.startSidecar('shop/front');
  await ready();
  expect(await fromFront(API, 80)).toMatchObject({ allowed: false, connected: false });
  const listener = await net.serve('outside', [`TCP/${OTHER_PORT}`]);
  try {
    expect(await fromFront(VIRTUAL, OTHER_PORT)).toMatchObject({ connected: false });
    expect(await net.connect('shop/api', VIRTUAL, OTHER_PORT)).toMatchObject({ connected: true });
  } finally {
    listener.kill('SIGKILL');
  }
});

test('the pod reaches the injector by its sidecar only, at the Service as at the pod behind it', async () => {
  await ready();
  for (const address of [VIRTUAL, INJECTOR])
    expect(await fromFront(address, PORT)).toMatchObject({ connected: false, error: 'ECONNREFUSED' });
  // What keeps it out is not a policy of its own, which could be changed.
  writeFileSync(moreFile(), stringify(everywhere));
  await until('it may connect', async () => (await fromFront(API, 80)).allowed);
  for (const address of [VIRTUAL, INJECTOR])
    expect(await fromFront(address, PORT)).toMatchObject({ connected: false, error: 'ECONNREFUSED' });
  denyApi();
  // Nor does that cost the sidecar its connection.
  await until('the change is in force', async () => !(await fromFront(API, 80)).allowed);
});

test('changes come on the same connection: egress policy cuts flows, and not that one', async () => {
  const { revision } = await ready();
  const connections = said('connected to the injector');
  allowApi();
  await until('the change is in force', async () => (await fromFront(API, 80)).allowed);
  const work = { kind: 'hold' } as const;
  await net.open('shop/front', { group: 'held', count: 3, address: API, port: 80, work });
  denyApi();
  const cut = await net.finish('shop/front', 'held', 5_000);
  expect(cut.map(({ error }) => error)).toEqual(Array(3).fill('ECONNABORTED'));
  expect((await ready()).revision).toBeGreaterThan(revision);
  expect(said('connected to the injector')).toBe(connections);
});

test('the injector is killed and comes back with another CA: what changed meanwhile comes into force', async () => {
  await killInjector();
  allowApi();
  await until(
    'the sidecar says so',
    () => said('no connection to the injector: the last table stays in force') > 0,
  );
  expect(await fromFront(API, 80)).toMatchObject({ allowed: false });
  expect((await net.admin('shop/front', '/readyz')).status).toBe(200);
  await startInjector();
  await until('the change is in force', async () => (await fromFront(API, 80)).allowed, 30_000);
});
