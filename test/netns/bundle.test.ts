/**
 * Both bundles away from their sources, as the image holds them: the injector serves a table, and the redirect and the
 * sidecar enforce it with the capabilities that injection gives them and no others.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { redirectContainer, sidecarContainer } from '../../injector/admission/injection/containers.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import { bundle } from '../../scripts/bundle/bundle.ts';
import { config } from '../builders/admitted_pods.ts';
import { addNetns, netnsName, removeNetns } from '../support/netns.ts';
import { waitFor } from '../unit/injector/wait_for.ts';
import { run } from './command.ts';

const netns = netnsName();
/** Where a client is, at the other end of the pod's cable. */
const outside = `${netns}-c`;
const [POD, CLIENT] = ['10.9.9.9', '10.9.9.8'];
const folder = mkdtempSync(join(tmpdir(), 'sluice-bundle-'));
const socket = join(folder, 'injector.sock');
const children: ChildProcess[] = [];

beforeAll(async () => {
  await bundle(join(folder, 'sluice'));
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
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  for (const name of [netns, outside]) removeNetns(name);
  rmSync(folder, { recursive: true, force: true });
});

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

/** The command line of a program of the bundle, in the pod's namespace, with what its container may do. */
function contained(container: Readonly<Record<string, unknown>>, ...args: string[]): readonly string[] {
  const { capabilities } = container.securityContext as { capabilities: { add: string[]; drop: string[] } };
  expect(capabilities.drop).toEqual(['ALL']);
  const bounding = ['-all', ...capabilities.add.map((name) => `+${name.toLowerCase()}`)].join(',');
  const program = [process.execPath, join(folder, 'sluice/sidecar.mjs'), ...args];
  return inNetns(netns, ['setpriv', `--bounding-set=${bounding}`, '--no-new-privs', ...program]);
}

test('the bundles run together with the capabilities of their containers', async () => {
  const plan = { config: config(), environment: {}, resources: config().resources, graceSeconds: 30 };
  const applied = JSON.parse(await run(contained(redirectContainer(plan), 'redirect', 'apply'), env));
  expect(applied).toMatchObject({ msg: 'redirect in force', gate: 'closed' });

  const injector = [join(folder, 'sluice/injector.mjs'), '--dir', folder, '--socket', socket];
  children.push(spawn(process.execPath, injector, { stdio: 'ignore' }));
  const [command = '', ...args] = contained(sidecarContainer(plan), 'run');
  children.push(spawn(command, args, { env: { ...process.env, ...env }, stdio: 'ignore' }));

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
});
