/**
 * A native sidecar puts the redirect and the closed gate in force itself, before all else. Every other container waits for its
 * startup probe, which asks /readyz. So until then nothing of it may answer; and where the redirect fails, it ends.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { toolPath } from '../../lab/processes/tools.ts';
import { addNetns, netnsName, removeNetns } from '../support/netns.ts';
import { run } from './command.ts';
import { until } from './harness.ts';
import { replaceTool, toolFolder } from './tools/tool_folder.ts';

const SIDECAR = join(import.meta.dirname, '../../sidecar/main.ts');
const INJECTOR = join(import.meta.dirname, '../../injector/main.ts');
const POD = '10.45.0.2';
const PEER = '10.45.0.3';

/** The machine may be busy with others. */
const PATIENCE_MS = 60_000;

const folder = mkdtempSync(join(tmpdir(), 'sluice-native-'));
const tools = toolFolder();
const children: ChildProcess[] = [];
let [netns, peer] = ['', ''];

/** While this file is there, the redirect's rules are not put in. */
const HELD = join(folder, 'held');
replaceTool(tools, 'iptables-nft-restore', (tool) => [
  'text=$(cat)',
  `case "$text" in *SLUICE_IN*) while [ -e ${HELD} ]; do sleep 0.05; done;; esac`,
  `${tool} <<END`,
  '$text',
  'END',
]);

const ip = (...argv: string[]) => execFileSync('ip', argv, { env: { ...process.env, PATH: toolPath() } });
const inPod = (...argv: string[]) => run(inNetns(netns, argv));

beforeEach(() => {
  [netns, peer] = [netnsName(), netnsName('-p')];
  for (const name of [netns, peer]) addNetns(name);
  ip('link', 'add', 'eth0', 'netns', netns, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', peer);
  for (const [name, address] of [
    [netns, POD],
    [peer, PEER],
  ] as const) {
    ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    for (const link of ['lo', 'eth0']) ip('-n', name, 'link', 'set', link, 'up');
  }
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const name of [netns, peer]) removeNetns(name);
  rmSync(HELD, { force: true });
});
afterAll(() => {
  for (const one of [folder, tools]) rmSync(one, { recursive: true });
});

/** A sidecar, what it has said, and how it ended. */
interface Started {
  readonly child: ChildProcess;
  said(): string;
  code(): number | null;
}

function sidecar(wrapper: readonly string[] = [], ...options: string[]): Started {
  const own = ['--pod-namespace', 'shop', '--pod-name', 'api', '--source', `unix:${join(folder, 'socket')}`];
  const state = ['--state-dir', join(folder, netns)];
  const argv = [
    ...wrapper,
    process.execPath,
    SIDECAR,
    'run',
    '--redirect',
    'run',
    ...own,
    ...state,
    ...options,
  ];
  const [command = '', ...args] = inNetns(netns, argv);
  const child = spawn(command, args, {
    env: { ...process.env, PATH: tools },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => {
      said += chunk;
    });
  children.push(child);
  return { child, said: () => said, code: () => child.exitCode };
}

/** What /readyz answers to the kubelet, which is not in the pod; undefined: nobody is there. */
async function probe(): Promise<
  { readonly status: number; readonly problems: readonly string[] } | undefined
> {
  const ask =
    "fetch('http://127.0.0.1:15021/readyz').then(async (r) => console.log(r.status, await r.text()))";
  const answer = await inPod(process.execPath, '-e', ask).catch(() => undefined);
  const [, status, body = ''] = /^(\d+) (.*)$/s.exec(answer ?? '') ?? [];
  if (status === undefined) return undefined;
  return { status: Number(status), problems: (JSON.parse(body) as { problems: string[] }).problems };
}

/** Sockets of the pod that listen. */
const listeners = () => inPod('ss', '-Hltn');
const rulesOf = async () => (await inPod('iptables-nft-save')).replace(/^#.*\n|\[\d+:\d+\]/gm, '');
const verify = () => inPod(process.execPath, SIDECAR, 'redirect', 'verify');

test('nothing of it answers before the redirect and the closed gate are in force, and the probe not before a table is', async () => {
  writeFileSync(HELD, '');
  const { child, said } = sidecar();
  await until(
    'the gate is closed',
    async () => (await inPod('nft', 'list', 'tables')).includes('inet sluice\n'),
    PATIENCE_MS,
  );
  expect(await listeners()).toBe('');
  expect(await probe()).toBeUndefined();
  rmSync(HELD);
  const first = await until('the sidecar answers', probe, PATIENCE_MS);
  expect(first.status).toBe(503);
  expect(first.problems).toContain('table: no table yet: everything is denied');
  await verify();
  expect(said()).toMatch(/"gate":"closed".*"msg":"redirect in force"/);

  writeFileSync(
    join(folder, 'pod.json'),
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'shop', name: 'api' },
      status: { podIP: POD, phase: 'Running' },
    }),
  );
  const injector = [INJECTOR, '--dir', folder, '--socket', join(folder, 'socket')];
  children.push(spawn(process.execPath, injector, { stdio: 'ignore' }));
  const ready = async () => (await probe())?.status === 200;
  await until('the table is in force', ready, PATIENCE_MS);

  // A sidecar that begins again finds its rules, and changes nothing.
  const before = await rulesOf();
  child.kill('SIGKILL');
  const again = sidecar();
  await until('the table is in force again', ready, PATIENCE_MS);
  expect(again.said()).toContain('the redirect is in force already');
  expect(await rulesOf()).toBe(before);
});

test('it puts in what an attempt before it has left out', async () => {
  await inPod(process.execPath, SIDECAR, 'redirect', 'apply');
  await inPod('ip6tables-nft', '-t', 'mangle', '-F', 'SLUICE_IN');
  sidecar();
  await until('the sidecar answers', probe, PATIENCE_MS);
  await verify();
});

test('it leaves a redirect alone that an earlier injector has had put in by a step of its own', async () => {
  await inPod(process.execPath, SIDECAR, 'redirect', 'apply');
  const before = await rulesOf();
  const { said } = sidecar([], '--redirect', 'init');
  await until('the sidecar answers', probe, PATIENCE_MS);
  expect(await rulesOf()).toBe(before);
  expect(said()).not.toContain('redirect in force');
});

test.each([
  [
    'without NET_ADMIN',
    ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-all'],
    [],
    1,
    /^sluice-sidecar: REDIRECT_CAPABILITY_MISSING: .*NET_ADMIN/m,
  ],
  ['without tools', ['env', 'PATH=/nonexistent'], [], 1, /^sluice-sidecar: TOOL_MISSING: /m],
  [
    'with a setting that is wrong',
    [],
    ['--redirect', 'maybe'],
    2,
    /--redirect is 'maybe': wants one of init, run/,
  ],
])(
  '%s it ends as the redirect step does, and nothing of it has answered',
  async (_what, wrapper, options, code, message) => {
    const { said, code: ended } = sidecar(wrapper, ...options);
    await until('it ends', () => ended() !== null, PATIENCE_MS);
    expect(ended()).toBe(code);
    expect(said()).toMatch(message);
    expect(await listeners()).toBe('');
  },
);
