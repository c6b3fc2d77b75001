import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { runLab } from '../../cli/lab/commands.ts';
import { guardLab } from '../../lab/guard.ts';
import { Lab } from '../../lab/lab.ts';
import { labPaths } from '../../lab/names/paths.ts';
import { existingNamespaces } from '../../lab/network/network.ts';
import { findProcesses } from '../../lab/processes/find.ts';
import { killProcesses, signalProcess } from '../../lab/processes/process.ts';
import { missingTools, toolPath } from '../../lab/processes/tools.ts';
import { allowApps, type Manifest, namespace, node, pod, policy } from '../builders/manifests.ts';
import { schemaProblems } from '../unit/cli/support/schema.ts';
import { removeLab, SILENCE, SLUICE, uniqueLabName, until, useLab, writeManifests } from './harness.ts';
import { outcomeOf, sluice, startSluice } from './sluice_command.ts';

/** Two pods that may talk, on one node. */
const PAIR: readonly Manifest[] = [
  namespace('app'),
  pod('app/a', { ips: ['10.1.1.1'] }),
  pod('app/b', { ips: ['10.1.1.2'] }),
];

/** A lab's name that nothing is left of after the test, and a folder with its manifests. */
function newLab(objects: readonly Manifest[]): { name: string; folder: string } {
  const name = uniqueLabName();
  const release = guardLab(name);
  onTestFinished(async () => {
    await removeLab(name);
    release();
  });
  return { name, folder: newFolder(objects) };
}

/** A folder of manifests that is gone after the test. */
function newFolder(objects: readonly Manifest[]): string {
  const folder = writeManifests(objects);
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

function expectNothingLeft(name: string): void {
  expect(existingNamespaces(name)).toEqual([]);
  expect(findProcesses(name, [], true)).toEqual([]);
  expect(existsSync(labPaths(name).folder)).toBe(false);
}

describe('a lab that is up', () => {
  const net = useLab({
    external: ['203.0.113.7', '2001:db8::7'],
    objects: [
      node(1),
      node(2),
      namespace('shop'),
      namespace('other', { team: 'blue' }),
      pod('shop/api', { ips: ['10.1.1.1', 'fd00:1:1::1'], labels: { app: 'api' } }),
      pod('shop/web', { ips: ['10.1.2.1', 'fd00:1:2::1'], labels: { app: 'web' }, node: 2 }),
      pod('shop/done', { ips: ['10.1.1.1'], phase: 'Succeeded' }),
      pod('other/monitor', { ips: ['10.0.0.2'], hostNetwork: true, node: 2, ports: [9100] }),
      pod('other/client', { ips: ['10.1.1.2', 'fd00:1:1::2'], labels: { app: 'client' }, ports: [] }),
      allowApps('shop/api', 'api', ['web']),
    ],
  });
  const named = (): string[] => ['--name', net.lab.name];

  test('enforces the policies, and the app sees the address of the pod that calls', async () => {
    expect(await net.connect('shop/web', '10.1.1.1', 80)).toMatchObject({ seenAddress: '10.1.2.1' });
    expect(await net.connect('shop/web', 'fd00:1:1::1', 80)).toMatchObject({ seenAddress: 'fd00:1:2::1' });
    expect(await net.connect('other/client', '10.1.1.1', 80, SILENCE)).toMatchObject({ allowed: false });
    expect(await net.connect('other/client', 'fd00:1:1::1', 80, SILENCE)).toMatchObject({ allowed: false });
  });

  test('joins nodes, host-network pods and the outside to the pods', async () => {
    expect(await net.connect('node/node-1', '10.1.1.1', 80)).toMatchObject({ seenAddress: '10.0.0.1' });
    expect(await net.connect('node/node-1', '10.1.2.1', 80)).toMatchObject({ seenAddress: '10.0.0.1' });
    expect(await net.connect('other/client', '10.0.0.2', 9100)).toMatchObject({ seenAddress: '10.1.1.2' });
    expect(await net.connect('outside', '10.1.2.1', 80)).toMatchObject({ seenAddress: '203.0.113.7' });
    expect(await net.connect('outside', 'fd00:1:2::1', 80)).toMatchObject({ seenAddress: '2001:db8::7' });
    await net.serve('outside', ['TCP/443']);
    expect(await net.connect('other/client', '203.0.113.7', 443)).toMatchObject({ seenAddress: '10.1.1.2' });
  });

  test('leaves the network of the machine alone', () => {
    expect(readdirSync('/sys/class/net').filter((name) => /^(br0|up0|[pn][0-9a-f]{12})$/.test(name))).toEqual(
      [],
    );
  });

  test('runs commands with their input, output and exit code', async () => {
    const echo = await sluice(
      ['lab', 'exec', ...named(), 'shop/api', '--', 'sh', '-c', 'cat; exit 7'],
      'hi\n',
    );
    expect(echo).toEqual({ code: 7, stdout: 'hi\n', stderr: '' });
    const address = ['sh', '-c', 'cat /proc/net/fib_trie'];
    const inside = await sluice(['lab', 'exec', ...named(), 'node/node-2', '--', ...address]);
    expect(inside).toMatchObject({ code: 0, stdout: expect.stringContaining('10.0.0.2') });
    const outside = await sluice(['lab', 'exec', ...named(), 'outside', '--', ...address]);
    expect(outside).toMatchObject({ code: 0, stdout: expect.stringContaining('203.0.113.7') });
    expect(
      await sluice(['lab', 'exec', ...named(), 'outside', '--', 'sh', '-c', 'kill -9 $$']),
    ).toMatchObject({ code: 137 });
    expect(await sluice(['lab', 'exec', ...named(), 'outside', '--', 'no-such-command'])).toMatchObject({
      code: 127,
    });
    expect(await sluice(['lab', 'exec', ...named(), 'shop/nobody', '--', 'true'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^sluice: lab \S+ has no pod shop\/nobody; it has .*shop\/api/),
    });
    expect(await sluice(['lab', 'exec', ...named(), 'node/node-9', '--', 'true'])).toMatchObject({
      code: 2,
      stderr: `sluice: lab ${net.lab.name} has no node/node-9; it has node/node-1, node/node-2\n`,
    });
  });

  test('says how it is', async () => {
    const json = await sluice(['lab', 'status', ...named(), '-o', 'json']);
    expect(json.code).toBe(0);
    expect(schemaProblems('lab-status.v1.json', json.stdout)).toEqual([]);
    expect(JSON.parse(json.stdout)).toMatchObject({ healthy: true, outside: ['203.0.113.7', '2001:db8::7'] });
    const text = await sluice(['lab', 'status', ...named()]);
    expect(text.stdout).toMatch(
      /shop\/api +10\.1\.1\.1 fd00:1:1::1 +node-1 +revision \d+ in force +running TCP\/80/,
    );
    expect(text.stdout).not.toContain('shop/done');
    expect((await sluice(['lab', 'list'])).stdout).toMatch(new RegExp(`^${net.lab.name} +up +4 pods`, 'm'));
    expect(await sluice(['lab', 'logs', ...named(), 'shop/api', 'app'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"peer":"10.1.2.1"'),
    });
    expect(await sluice(['lab', 'logs', ...named(), 'injector'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('injector ready'),
    });
  });

  test('has a changed policy in force when apply returns, and says what changed', async () => {
    const folder = newFolder([allowApps('shop/api', 'api', ['web']), allowApps('shop/web', 'web', [])]);
    const applied = await sluice(['lab', 'apply', ...named(), '-f', folder]);
    expect(applied).toMatchObject({ code: 0, stderr: '' });
    expect(applied.stdout).toMatch(
      /^NetworkPolicy shop\/api unchanged\nNetworkPolicy shop\/web created\n1 table changed; in force at every sidecar after \d+ ms\n$/,
    );
    expect(await net.connect('other/client', '10.1.2.1', 80, SILENCE)).toMatchObject({ allowed: false });
    await net.delete(allowApps('shop/web', 'web', []));
    expect(await net.connect('other/client', '10.1.2.1', 80)).toMatchObject({ allowed: true });
  });

  test('follows a pod that is relabelled', async () => {
    const client = (app: string): Manifest =>
      pod('shop/client', { ips: ['10.1.1.3'], labels: { app }, ports: [] });
    await net.apply(client('stranger'));
    expect(await net.connect('shop/client', '10.1.1.1', 80, SILENCE)).toMatchObject({ allowed: false });
    await net.apply(client('web'));
    expect(await net.connect('shop/client', '10.1.1.1', 80)).toMatchObject({ seenAddress: '10.1.1.3' });
  });

  test('takes in new pods, and lets go of deleted ones', async () => {
    const fresh = pod('other/fresh', { ips: ['10.1.3.1', 'fd00:1:3::1'], node: 3, ports: [81] });
    await net.apply(fresh);
    expect(await net.connect('shop/web', '10.1.3.1', 81)).toMatchObject({ seenAddress: '10.1.2.1' });
    expect(await net.connect('other/client', 'fd00:1:3::1', 81)).toMatchObject({
      seenAddress: 'fd00:1:1::2',
    });
    const sidecar = net.lab.process('other/fresh', 'sidecar');
    await net.delete(fresh);
    expect(signalProcess(sidecar, 'SIGCONT')).toBe(false);
    expect(existingNamespaces(net.lab.name).filter((name) => name.includes('fresh'))).toEqual([]);
    expect(await net.connect('shop/web', '10.1.3.1', 81, SILENCE)).toMatchObject({
      connected: false,
    });
  });

  test('gives a deleted pod’s address to another pod, without its rights', async () => {
    const first = pod('shop/first', { ips: ['10.1.2.9'], labels: { app: 'web' }, node: 2 });
    await net.apply(first);
    expect(await net.connect('shop/first', '10.1.1.1', 80)).toMatchObject({ seenAddress: '10.1.2.9' });
    await net.delete(first);
    await net.apply(pod('shop/second', { ips: ['10.1.2.9'], labels: { app: 'stranger' } }));
    expect(await net.connect('shop/second', '10.1.1.1', 80, SILENCE)).toMatchObject({ allowed: false });
    expect(await net.connect('shop/second', '10.1.2.1', 80)).toMatchObject({ seenAddress: '10.1.2.9' });
  });

  test('serves a pod’s new ports when they change', async () => {
    const api = (port: number): Manifest =>
      pod('shop/api', { ips: ['10.1.1.1', 'fd00:1:1::1'], labels: { app: 'api' }, ports: [port] });
    await net.apply(api(8080));
    expect(await net.connect('shop/web', '10.1.1.1', 8080)).toMatchObject({ allowed: true });
    expect(await net.connect('shop/web', '10.1.1.1', 80, SILENCE)).toMatchObject({ allowed: false });
    await net.apply(api(80));
    expect(await net.connect('shop/web', '10.1.1.1', 80)).toMatchObject({ allowed: true });
  });

  test('starts again on apply what has died', async () => {
    await net.lab.stopProcess('shop/web', 'sidecar');
    await net.lab.stopProcess('shop/api', 'app');
    process.kill(net.lab.injector().pid, 'SIGKILL');
    const dead = await until('the lab is not healthy', async () => {
      const status = await sluice(['lab', 'status', ...named()]);
      return status.stdout.includes('injector dead') ? status : undefined;
    });
    expect(dead.code).toBe(1);
    expect(dead.stdout).toMatch(
      /^error: the injector is not running .*last had in force .* stays in force$/m,
    );
    expect(dead.stdout).toMatch(/^shop\/api .* running, table not known /m);
    expect(dead.stdout).not.toMatch(/nothing|behind/);
    const applied = await sluice(['lab', 'apply', ...named()]);
    expect(applied).toMatchObject({ code: 0, stderr: '' });
    expect(applied.stdout).toMatch(/^pod shop\/web started$/m);
    expect(applied.stdout).toMatch(/^pod shop\/api started$/m);
    expect(await sluice(['lab', 'status', ...named()])).toMatchObject({ code: 0 });
    expect(await net.connect('shop/web', '10.1.1.1', 80)).toMatchObject({ allowed: true });
    expect(await net.connect('other/client', '10.1.1.1', 80, SILENCE)).toMatchObject({ allowed: false });
  });

  test('refuses broken manifests whole', async () => {
    const folder = newFolder([
      allowApps('shop/web', 'web', []),
      policy('shop/broken', { podSelector: {}, ingress: [{ ports: [{ port: 99999 }] }] }),
    ]);
    const applied = await sluice(['lab', 'apply', ...named(), '-f', folder]);
    expect(applied).toMatchObject({ code: 2, stdout: '' });
    expect(applied.stderr).toMatch(
      /objects\.json, document 1, .*shop\/broken, .*ingress\[0\]\.ports\[0\]\.port/,
    );
    expect(await net.connect('other/client', '10.1.2.1', 80)).toMatchObject({ allowed: true });
  });

  test.each([
    ['has a value that it cannot have', { 'sluice.dev/deny': 'maybe' }, 'wants one of drop, reset'],
    [
      'asks for what its namespace does not allow',
      { 'sluice.dev/excluded-ports': '9090' },
      'does not allow it',
    ],
    ['names a path that there is not', { 'sluice.dev/path': 'fast' }, 'is not one of proxy, direct, auto'],
  ])('takes in no pod, new or running, of which an annotation %s', async (_, annotations, reason) => {
    const unrelated = allowApps('shop/web', 'web', []);
    for (const [key, ips] of [
      ['other/refused', ['10.1.1.8']],
      ['other/client', ['10.1.1.2', 'fd00:1:1::2']],
    ] as const) {
      const refused = pod(key, { ips, labels: { app: 'client' }, ports: [], annotations });
      const applied = await sluice(['lab', 'apply', ...named(), '-f', newFolder([refused, unrelated])]);
      expect(applied).toMatchObject({ code: 2, stdout: '' });
      expect(applied.stderr).toContain(`nothing was changed:\n  pod ${key}: annotation sluice.dev/`);
      expect(applied.stderr).toContain(reason);
    }
    expect(await net.connect('other/client', '10.1.2.1', 80)).toMatchObject({ allowed: true });
    const status = await sluice(['lab', 'status', ...named()]);
    expect(status).toMatchObject({ code: 0, stdout: expect.not.stringContaining('other/refused') });
    expect(await sluice(['lab', 'apply', ...named()])).toMatchObject({ code: 0, stderr: '' });
    const { name, folder } = newLab([
      namespace('other'),
      pod('other/refused', { ips: ['10.1.1.8'], annotations }),
    ]);
    expect(await sluice(['lab', 'up', '-f', folder, '--name', name])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/nothing was changed:\n {2}pod other\/refused: annotation /),
    });
    expectNothingLeft(name);
  });

  test('says which manifests are broken while they are', async () => {
    const broken = join(net.lab.manifestsFolder, 'broken.json');
    const wrong = policy('shop/broken', {
      podSelector: { matchLabels: { app: 'none' } },
      ingress: [{ ports: [{ port: 0 }] }],
    });
    writeFileSync(broken, JSON.stringify(wrong));
    onTestFinished(() => rmSync(broken, { force: true }));
    const status = await until('the problem shows', async () => {
      const found = await sluice(['lab', 'status', ...named()]);
      return found.stdout.includes('error: ') ? found : undefined;
    });
    expect(status.code).toBe(1);
    expect(status.stdout).toMatch(
      /^error: \S+broken\.json, document 1, NetworkPolicy shop\/broken, spec\.ingress\[0\]\.ports\[0\]\.port: /m,
    );
    const json = await sluice(['lab', 'status', ...named(), '-o', 'json']);
    expect(json.code).toBe(1);
    expect(schemaProblems('lab-status.v1.json', json.stdout)).toEqual([]);
    expect(JSON.parse(json.stdout)).toMatchObject({ healthy: false, problems: [{ document: 1 }] });
    rmSync(broken);
    await until('the problem is gone', async () => (await sluice(['lab', 'status', ...named()])).code === 0);
  });

  test('goes on when nobody reads what a command says', async () => {
    const folder = newFolder([allowApps('shop/web', 'web', [])]);
    const child = startSluice(['lab', 'apply', ...named(), '-f', folder]);
    child.stdout?.destroy();
    expect(await outcomeOf(child)).toMatchObject({ code: 141, stderr: '' });
    expect(await net.connect('other/client', '10.1.2.1', 80, SILENCE)).toMatchObject({ allowed: false });
    const manifests = JSON.stringify(allowApps('shop/web', 'web', []));
    expect(await sluice(['lab', 'delete', ...named(), '-f', '-'], manifests)).toMatchObject({ code: 0 });
    expect(await net.connect('other/client', '10.1.2.1', 80)).toMatchObject({ allowed: true });
  });

  test.each([
    [15006, 'SLUICE_INBOUND_PORT'],
    [15029, 'SLUICE_INBOUND_PORT'],
    [15020, 'SLUICE_CANARY_PORT'],
    [15021, 'SLUICE_ADMIN_PORT'],
  ])('takes in no pod whose port %i is its sidecar’s own', async (port, setting) => {
    const folder = newFolder([pod('other/port', { ips: ['10.1.1.9'], ports: [`UDP/${port}`, port] })]);
    const message = `sluice: containerPort ${port} of pod other/port is a port of the sidecar's own (${setting}): `;
    expect(await sluice(['lab', 'apply', ...named(), '-f', folder])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(message),
    });
    const { name } = newLab([]);
    expect(await sluice(['lab', 'up', '-f', folder, '--name', name])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(message),
    });
    expectNothingLeft(name);
  });

  test('cannot be brought up twice', async () => {
    const folder = newFolder(PAIR);
    expect(await sluice(['lab', 'up', '-f', folder, ...named()])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`lab ${net.lab.name} is up already`),
    });
    expect((await net.lab.status()).healthy).toBe(true);
  });

  test('never meets another lab with the same addresses', async () => {
    const { name, folder } = newLab([
      namespace('shop'),
      pod('shop/web', { ips: ['10.1.2.1'] }),
      pod('shop/api', { ips: ['10.1.1.1'], ports: [7070] }),
    ]);
    expect(await sluice(['lab', 'up', '-f', folder, '--name', name])).toMatchObject({ code: 0 });
    expect(await net.connect('shop/web', '10.1.1.1', 80)).toMatchObject({ allowed: true });
    expect(await net.connect('shop/web', '10.1.1.1', 7070, SILENCE)).toMatchObject({ allowed: false });
    expect(await sluice(['lab', 'down', '--name', name])).toMatchObject({ code: 0 });
    expectNothingLeft(name);
    expect((await net.lab.status()).healthy).toBe(true);
  });
});

describe('lab down', () => {
  test('leaves nothing, and may be run again', async () => {
    const { name, folder } = newLab(PAIR);
    expect(await sluice(['lab', 'up', '-f', folder, '--name', name])).toMatchObject({ code: 0, stderr: '' });
    const running = ['sh', '-c', 'echo up; exec sleep 1000'];
    const shell = startSluice(['lab', 'exec', '--name', name, 'app/a', '--', ...running]);
    const ended = outcomeOf(shell);
    await Promise.race([once(shell.stdout ?? shell, 'data'), ended]);
    expect(await sluice(['lab', 'down', '--name', name])).toMatchObject({
      code: 0,
      stdout: `lab ${name} is down\n`,
    });
    expectNothingLeft(name);
    expect(await ended).toMatchObject({ code: 137 });
    expect(await sluice(['lab', 'down', '--name', name])).toMatchObject({
      code: 0,
      stdout: `there was no lab ${name}\n`,
    });
  });

  test('leaves nothing of a lab whose processes and folder are gone', async () => {
    const { name, folder } = newLab(PAIR);
    const lab = await Lab.up({ name, paths: [folder] });
    for (const id of [lab.injector(), lab.process('app/a', 'sidecar'), lab.process('app/b', 'app')]) {
      signalProcess(id, 'SIGKILL');
    }
    rmSync(labPaths(name).folder, { recursive: true });
    expect(await sluice(['lab', 'up', '-f', folder, '--name', name])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`sluice lab down --name ${name}`),
    });
    expect(await sluice(['lab', 'down', '--name', name])).toMatchObject({ code: 0 });
    expectNothingLeft(name);
  });

  test('gives up when its time is over, and leaves nothing', async () => {
    const { name, folder } = newLab(PAIR);
    expect(await sluice(['lab', 'up', '-f', folder, '--name', name, '--timeout', '600ms'])).toMatchObject({
      code: 124,
      stdout: '',
      stderr: 'sluice: not done after 0.6 s (--timeout)\n',
    });
    expectNothingLeft(name);
  });

  test('cleans up after an up that was killed', async () => {
    const { name, folder } = newLab(PAIR);
    const up = startSluice(['lab', 'up', '-f', folder, '--name', name]);
    await until('a sidecar starts', () => findProcesses(name, existingNamespaces(name), false).length > 0);
    up.kill('SIGKILL');
    await outcomeOf(up);
    expect(await sluice(['lab', 'up', '-f', folder, '--name', name])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`sluice lab down --name ${name}`),
    });
    expect(await sluice(['lab', 'status', '--name', name])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is not up'),
    });
    expect(await sluice(['lab', 'down', '--name', name])).toMatchObject({ code: 0 });
    expectNothingLeft(name);
  });
});

describe('labs of one name in two folders', () => {
  test('a command leaves a lab alone that runs under another SLUICE_LAB_DIR, and names that', async () => {
    const { name, folder } = newLab(PAIR);
    expect(await sluice(['lab', 'up', '-f', folder, '--name', name])).toMatchObject({ code: 0 });
    const here = newFolder([]);
    const theirs = `SLUICE_LAB_DIR=${dirname(labPaths(name).folder)}`;
    const pod = 'app/none';
    const commands = [
      ['up', '-f', folder],
      ['down'],
      ['up', '-f', folder],
      ['status'],
      ['apply'],
      ['logs', pod],
    ];
    for (const argv of commands) {
      expect(await sluice(['lab', ...argv, '--name', name], '', { SLUICE_LAB_DIR: here })).toMatchObject({
        code: 2,
        stdout: '',
        stderr: `sluice: lab ${name} runs under ${theirs}, not under ${here}: choose another --name here, or remove that one with \`${theirs} sluice lab down --name ${name}\`\n`,
      });
    }
    expect(await sluice(['lab', 'status', '--name', name])).toMatchObject({ code: 0 });
    // The same folder under another name is the same folder.
    const link = join(here, 'link');
    symlinkSync(dirname(labPaths(name).folder), link);
    expect(await sluice(['lab', 'down', '--name', name], '', { SLUICE_LAB_DIR: link })).toMatchObject({
      code: 0,
    });
    expectNothingLeft(name);
  });

  test('what is left of a lab without a live process is removed from anywhere', async () => {
    const { name, folder } = newLab(PAIR);
    await Lab.up({ name, paths: [folder] });
    await killProcesses(findProcesses(name, [], true));
    const here = { SLUICE_LAB_DIR: newFolder([]) };
    expect(await sluice(['lab', 'up', '-f', folder, '--name', name], '', here)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`sluice lab down --name ${name}`),
    });
    expect(await sluice(['lab', 'down', '--name', name], '', here)).toMatchObject({ code: 0 });
    expect(existingNamespaces(name)).toEqual([]);
  });
});

describe('lab up', () => {
  test.each([
    ['nothing can be made in', '/proc/sluice-lab/x'],
    ['is below a file', join(import.meta.filename, 'x')],
  ])('says that SLUICE_LAB_DIR %s', async (_, labs) => {
    const { name, folder } = newLab(PAIR);
    const outcome = await sluice(['lab', 'up', '-f', folder, '--name', name], '', { SLUICE_LAB_DIR: labs });
    expect(outcome).toMatchObject({ code: 2, stdout: '' });
    expect(outcome.stderr).toMatch(
      /^sluice: folder \S+ cannot be made \([^\n]*\): set SLUICE_LAB_DIR [^\n]*\n$/,
    );
    expectNothingLeft(name);
  });

  test('makes a lab of no pods too, and says that it has none', async () => {
    const { name, folder } = newLab([namespace('app')]);
    expect(await sluice(['lab', 'up', '-f', folder, '--name', name])).toMatchObject({ code: 0, stderr: '' });
    for (const target of ['app/a', 'node/a']) {
      expect(await sluice(['lab', 'exec', '--name', name, target, '--', 'true'])).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/^sluice: lab \S+ has no .*; it has none\n$/),
      });
    }
    expect(await sluice(['lab', 'status', '--name', name])).toMatchObject({ code: 0 });
  });

  test('takes back what it built when it is interrupted', async () => {
    const { name, folder } = newLab(PAIR);
    const up = startSluice(['lab', 'up', '-f', folder, '--name', name]);
    const outcome = outcomeOf(up);
    await until('namespaces exist', () => existingNamespaces(name).length > 0);
    up.kill('SIGINT');
    expect(await outcome).toMatchObject({ code: 2, stderr: expect.stringContaining('interrupted') });
    expectNothingLeft(name);
  });

  test('lets one of two at the same time win', async () => {
    const { name, folder } = newLab(PAIR);
    const argv = ['lab', 'up', '-f', folder, '--name', name];
    const outcomes = await Promise.all([sluice(argv), sluice(argv)]);
    expect(outcomes.map(({ code }) => code).toSorted()).toEqual([0, 2]);
    const loser = outcomes.find(({ code }) => code === 2);
    expect(loser?.stderr).toMatch(/is being changed by up \(process \d+\)|is up already/);
    expect(await sluice(['lab', 'status', '--name', name])).toMatchObject({ code: 0 });
  });

  test('takes back what it built when a sidecar does not start, and says why', async () => {
    const { name, folder } = newLab(PAIR);
    const sidecarEnv = { SLUICE_ADMIN_PORT: 'nonsense' };
    await expect(Lab.up({ name, paths: [folder], sidecarEnv })).rejects.toMatchObject({
      code: 'LAB_PROCESS_FAILED',
      message: expect.stringContaining('SLUICE_ADMIN_PORT'),
    });
    expectNothingLeft(name);
  });

  test('takes back what it built when an app does not start, and says why', async () => {
    const { name, folder } = newLab([
      namespace('app'),
      pod('app/a', { ips: ['10.1.1.1'], hostNetwork: true, ports: [80] }),
      pod('app/b', { ips: ['10.1.1.1'], hostNetwork: true, ports: [80] }),
    ]);
    expect(await sluice(['lab', 'up', '-f', folder, '--name', name])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/cannot serve TCP\/80: .*EADDRINUSE/),
    });
    expectNothingLeft(name);
  });

  test.each([
    {
      what: 'a policy with a wrong field',
      objects: [
        ...PAIR,
        policy('app/p', { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '10/8' } }] }] }),
      ],
      message: /objects\.json, document 1, .*app\/p, .*ingress\[0\]\.from\[0\]\.ipBlock\.cidr/,
    },
    {
      what: 'pods that all have no address',
      objects: [pod('app/c', { ips: [] })],
      message: /^sluice: pod app\/c has no status\.podIP, and no other pod has/m,
    },
    {
      what: 'two pods with one address',
      objects: [...PAIR, pod('app/c', { ips: ['10.1.1.2'] })],
      message: /^sluice: address 10\.1\.1\.2 belongs to pod app\/b and to pod app\/c/,
    },
  ])('refuses $what and leaves nothing', async ({ objects, message }) => {
    const { name, folder } = newLab(objects);
    const outcome = await sluice(['lab', 'up', '-f', folder, '--name', name]);
    expect(outcome).toMatchObject({ code: 2, stdout: '' });
    expect(outcome.stderr).toMatch(message);
    expectNothingLeft(name);
  });

  test('needs root, and says so', async () => {
    const { name, folder } = newLab(PAIR);
    const getuid = vi.spyOn(process, 'getuid').mockReturnValue(1000);
    onTestFinished(() => getuid.mockRestore());
    for (const argv of [['up', '-f', folder, '--name', name], ['list']]) {
      await expect(runLab(argv)).rejects.toMatchObject({
        code: 'LAB_NOT_ROOT',
        message: expect.stringContaining('sudo'),
      });
    }
  });

  test('knows which tools are missing', () => {
    expect(missingTools('/nowhere')).toContain('nsenter');
    expect(missingTools(toolPath())).toEqual([]);
  });

  test.each(['', 'Upper', 'a_b', '-a', 'a-', '../x', 'x'.repeat(31)])('refuses the name %j', async (name) => {
    await expect(runLab(['up', '-f', '/nowhere', `--name=${name}`])).rejects.toMatchObject({
      code: 'LAB_NAME_INVALID',
    });
  });
});

describe('the lab commands', () => {
  test.each([
    { argv: ['lab'], message: /usage: sluice lab/ },
    { argv: ['lab', 'fly'], message: /"fly" is no lab command/ },
    { argv: ['lab', 'up'], message: /-f DIR is missing/ },
    {
      argv: ['lab', 'up', '--nam', 'x'],
      message: /'--nam'; did you mean --name\? \(see sluice lab up --help\)/,
    },
    { argv: ['lab', 'exec', 'a/b'], message: /write it as: sluice lab exec/ },
    {
      argv: ['lab', 'exec', 'a/b', 'curl', '-s', 'c'],
      message: /there is no -- before the command: write sluice lab exec a\/b -- curl/,
    },
    { argv: ['lab', 'statsu'], message: /"statsu" is no lab command; did you mean status\?/ },
    { argv: ['lab', 'down', '--timeout', 'soon'], message: /--timeout is 'soon'/ },
    { argv: ['lab', 'status', '-o', 'xml'], message: /wants text or json/ },
    { argv: ['lab', 'status', '--name', 'no-such-lab'], message: /there is no lab no-such-lab/ },
    {
      argv: ['lab', 'up', '-f', '/no/such/dir', '--name', 'no-such-lab'],
      message: /\/no\/such\/dir cannot be read/,
    },
    { argv: ['frobnicate'], message: /"frobnicate" is no command/ },
  ])('answer $argv with exit code 2 and a clear line', async ({ argv, message }) => {
    const outcome = await sluice(argv);
    expect(outcome).toMatchObject({ code: 2, stdout: '' });
    expect(outcome.stderr).toMatch(message);
    expect(outcome.stderr).not.toMatch(/^ +at /m);
  });

  test('work from any folder and through links', async () => {
    const folder = newFolder([]);
    symlinkSync(SLUICE, join(folder, 'first'));
    symlinkSync('first', join(folder, 'kubectl-sluice'));
    const { stdout } = await promisify(execFile)('./kubectl-sluice', ['--version'], { cwd: folder });
    expect(stdout).toMatch(/^sluice \d/);
  });

  test('explain themselves', async () => {
    expect(await sluice(['--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('can') });
    expect(await sluice(['lab', '--help'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('exec'),
    });
    const { stdout } = await sluice(['help', 'lab', 'exec']);
    expect(stdout).toMatch(/^usage: sluice lab exec /);
    expect(await sluice(['--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^sluice \d/),
    });
  });
});
