/**
 * Both bundles away from their sources, as the image holds them: the injector serves a table, and the redirect and the
 * sidecar enforce it with the commands and the capabilities that injection gives them and no others.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  redirectContainer,
  type SidecarPlan,
  sidecarContainer,
} from '../../injector/admission/injection/containers.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import { bundle } from '../../scripts/bundle/bundle.ts';
import { config } from '../builders/admitted_pods.ts';
import { addNetns, netnsName, removeNetns } from '../support/netns.ts';
import { waitFor } from '../unit/injector/wait_for.ts';
import { run } from './command.ts';

let netns = '';
/** Where a client is, at the other end of the pod's cable. */
let outside = '';
const [POD, CLIENT] = ['10.9.9.9', '10.9.9.8'];
const folder = mkdtempSync(join(tmpdir(), 'sluice-bundle-'));
const socket = join(folder, 'injector.sock');
const children: ChildProcess[] = [];

/** Folders with the image of today, and with one of before sidecars could put the redirect in force themselves. */
const [TODAY, EARLIER] = [join(folder, 'sluice'), join(folder, 'earlier')];

beforeAll(async () => {
  await bundle(TODAY);
  cpSync(TODAY, EARLIER, { recursive: true });
  const program = join(EARLIER, 'sidecar.mjs');
  const text = readFileSync(program, 'utf8');
  expect(text).toContain('SLUICE_REDIRECT'); // by which the command tells them apart
  writeFileSync(program, text.replaceAll('SLUICE_REDIRECT', 'SLUICE_NO_SUCH'));
  writeFileSync(
    join(folder, 'pod.json'),
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'shop', name: 'api' },
      status: { podIP: POD, phase: 'Running' },
    }),
  );
});
beforeEach(async () => {
  netns = netnsName();
  outside = `${netns}-c`;
  addNetns(netns);
  addNetns(outside);
  await run(['ip', '-n', netns, 'link', 'set', 'lo', 'up']);
  await run(['ip', '-n', netns, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'eth0', 'netns', outside]);
  for (const [place, address] of [
    [netns, POD],
    [outside, CLIENT],
  ] as const) {
    await run(['ip', '-n', place, 'addr', 'add', `${address}/24`, 'dev', 'eth0']);
    await run(['ip', '-n', place, 'link', 'set', 'eth0', 'up']);
  }
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const name of [netns, outside]) removeNetns(name);
  rmSync(join(folder, 'state'), { recursive: true, force: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const READYZ = "fetch('http://127.0.0.1:15021/readyz').then((r) => r.text()).then(console.log)";

const FLOWS = "fetch('http://127.0.0.1:15021/flows').then((r) => r.text()).then(console.log)";

/** Greets with the address that it sees. */
const SERVE = "net.createServer((socket) => socket.end(socket.remoteAddress)).listen(8080, '10.9.9.9')";
const CONNECT = "net.connect(8080, '10.9.9.9').pipe(process.stdout)";

const env = {
  SLUICE_POD_NAMESPACE: 'shop',
  SLUICE_POD_NAME: 'api',
  SLUICE_SOURCE: `unix:${socket}`,
  SLUICE_STATE_DIR: join(folder, 'state'),
};

/** What a container runs in the pod's namespace, with what it may do. The image is in `place`. */
function contained(container: Readonly<Record<string, unknown>>, place = TODAY): readonly string[] {
  const { capabilities } = container.securityContext as { capabilities: { add: string[]; drop: string[] } };
  expect(capabilities.drop).toEqual(['ALL']);
  const bounding = ['-all', ...capabilities.add.map((name) => `+${name.toLowerCase()}`)].join(',');
  const { command, args = [] } = container as { command: readonly string[]; args?: readonly string[] };
  const program = [...command, ...args].map((part) =>
    part.replaceAll('/sluice/', `${place}/`).replace(/(^|\s)node(?=\s|$)/g, `$1${process.execPath}`),
  );
  return inNetns(netns, ['setpriv', `--bounding-set=${bounding}`, '--no-new-privs', ...program]);
}

/** What the container says in its environment as it is; fields of the pod are in `env`. */
function environmentOf(container: Readonly<Record<string, unknown>>): Record<string, string> {
  const wanted = ['SLUICE_REDIRECT'];
  const list = container.env as readonly { readonly name: string; readonly value?: string }[];
  return Object.fromEntries(
    list.flatMap(({ name, value }) => (value !== undefined && wanted.includes(name) ? [[name, value]] : [])),
  );
}

function planOf(mode: 'native' | 'classic'): SidecarPlan {
  return {
    config: config({ mode }),
    environment: {},
    resources: config().resources,
    graceSeconds: 30,
  };
}

/** Starts the sidecar of a plan; its log. */
function startSidecar(plan: SidecarPlan, place = TODAY): () => string {
  const container = sidecarContainer(plan);
  const [command = '', ...args] = contained(container, place);
  const child = spawn(command, args, {
    env: { ...process.env, ...env, ...environmentOf(container) },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
  });
  children.push(child);
  return () => said;
}

function startInjector(): void {
  const injector = [join(TODAY, 'injector.mjs'), '--dir', folder, '--socket', socket];
  children.push(spawn(process.execPath, injector, { stdio: 'ignore' }));
}

/** The sidecar is ready, and a client reaches the app through it. */
async function enforces(): Promise<void> {
  const ready = await waitFor(async () => {
    const answer = await run(inNetns(netns, [process.execPath, '-e', READYZ])).catch(() => '{}');
    const state = JSON.parse(answer) as { ready?: boolean };
    return state.ready ? state : false;
  }, 50_000); // one core may be busy with others
  expect(ready).toMatchObject({ ready: true, problems: [], gate: { state: 'in-force' } });

  const [app = '', ...serve] = inNetns(netns, [process.execPath, '-e', SERVE]);
  children.push(spawn(app, serve, { stdio: 'ignore' }));
  const connect = async () =>
    (await run(inNetns(outside, [process.execPath, '-e', CONNECT])).catch(() => '')) || false;
  expect(await waitFor(connect, 20_000)).toContain(CLIENT); // the app leg is marked, and from the client's address
  expect(await run(inNetns(netns, [process.execPath, '-e', FLOWS]))).toContain(CLIENT); // the proxy has carried it
}

test('the bundles run together with the capabilities of their containers', async () => {
  const plan = planOf('classic');
  const applied = JSON.parse(await run(contained(redirectContainer(plan)), env));
  expect(applied).toMatchObject({ msg: 'redirect in force', gate: 'closed' });
  startInjector();
  const said = startSidecar(plan);
  await enforces();
  expect(said()).not.toContain('redirect in force');
});

test('a native sidecar puts the redirect in force itself', async () => {
  startInjector();
  const said = startSidecar(planOf('native'));
  await enforces();
  expect(said().match(/"msg":"redirect in force"/g)).toHaveLength(1);
  expect(said().indexOf('"msg":"starting"')).toBeLessThan(said().indexOf('"msg":"redirect in force"'));
});

test('a native sidecar of an image from before it could has a step of its own for that', async () => {
  startInjector();
  const said = startSidecar(planOf('native'), EARLIER);
  await enforces();
  expect(said().match(/"msg":"redirect in force"/g)).toHaveLength(1);
  expect(said().indexOf('"msg":"redirect in force"')).toBeLessThan(said().indexOf('"msg":"starting"'));
});

test('an image of today in a pod of an earlier injector leaves the redirect to the step before', async () => {
  const plan = planOf('native');
  await run(contained({ ...redirectContainer(plan) }), env);
  startInjector();
  const earlier = {
    ...sidecarContainer(plan),
    command: redirectContainer(plan).command,
    args: ['run'],
    env: [],
  };
  const [command = '', ...args] = contained(earlier);
  children.push(spawn(command, args, { env: { ...process.env, ...env }, stdio: 'ignore' }));
  await enforces();
});

test.each([TODAY, EARLIER])(
  'where the redirect fails, the container of a native sidecar ends as that did: %#',
  async (place) => {
    const container = sidecarContainer(planOf('native'));
    const none = { ...container, securityContext: { capabilities: { add: [], drop: ['ALL'] } } };
    await expect(run(contained(none, place), { ...env, ...environmentOf(container) })).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^sluice-sidecar: REDIRECT_CAPABILITY_MISSING: .*NET_ADMIN/m),
    });
  },
);
