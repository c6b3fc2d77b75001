import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { pod } from '../../builders/injector_manifests.ts';
import { ManifestDir } from './manifest_dir.ts';
import { httpGet } from './running_injector.ts';
import { localDoor } from './test_door.ts';
import { TestSidecar } from './test_sidecar.ts';
import { waitFor } from './wait_for.ts';

const MAIN = resolve(import.meta.dirname, '../../../injector/main.ts');

interface Run {
  readonly child: ChildProcess;
  readonly output: { out: string; err: string };
  readonly exit: Promise<number | null>;
}

let dir: ManifestDir;
let runs: Run[];

function run(args: readonly string[], env: Record<string, string> = {}): Run {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], { env: { PATH, NODE_COMPILE_CACHE, ...env } });
  const output = { out: '', err: '' };
  child.stdout.on('data', (chunk) => {
    output.out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.err += chunk;
  });
  const started = { child, output, exit: new Promise<number | null>((done) => child.on('close', done)) };
  runs.push(started);
  return started;
}

beforeEach(() => {
  dir = new ManifestDir();
  runs = [];
});
afterEach(async () => {
  for (const { child, exit } of runs) {
    child.kill('SIGKILL');
    await exit;
  }
  dir.close();
});

describe('the injector as a process', () => {
  test('serves tables and status, logs JSON only, and leaves no socket file after SIGTERM', async () => {
    dir.write('web.yaml', pod('web', '10.0.0.1'));
    const socket = join(dir.root, 'injector.sock');
    const statusSocket = join(dir.root, 'status.sock');
    const { child, output, exit } = run(['--dir', dir.path, '--socket', socket], {
      SLUICE_STATUS_SOCKET: statusSocket,
    });
    await waitFor(() => output.out.includes('injector ready'));
    const web = await TestSidecar.open(localDoor(socket), 'shop/web');
    expect(web.table?.subject).toMatchObject({ namespace: 'shop', name: 'web', ips: ['10.0.0.1'] });
    expect((await httpGet(statusSocket, '/healthz')).code).toBe(200);
    child.kill('SIGTERM');
    expect(await exit).toBe(0);
    await waitFor(() => web.closed);
    expect(readdirSync(dir.root)).toEqual(['manifests']);
    expect(output.err).toBe('');
    const logged = output.out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(logged.at(-1)).toMatchObject({ level: 'info', msg: 'injector stopping', signal: 'SIGTERM' });
    expect(logged[0]).toMatchObject({ config: { dir: dir.path, socket, statusSocket } });
  });

  test.each([
    ['an unknown flag', ['--nonsense'], /nonsense/],
    ['no directory', ['--socket', '/tmp/unused.sock'], /SLUICE_DIR.*--dir/],
    ['a directory that is not there', ['--dir', '/nowhere', '--socket', '/tmp/unused.sock'], /\/nowhere/],
    ['an argument too many', ['--dir', '/', '--socket', '/tmp/unused.sock', 'more'], /more/],
    ['an unknown log level', ['--log-level', 'loud'], /--log-level is 'loud'/],
  ])('exits 2 with one line on %s', async (_, args, message) => {
    const { output, exit } = run(args);
    expect(await exit).toBe(2);
    expect(output.err).toMatch(message);
    expect(output.err.trimEnd().split('\n')).toHaveLength(1);
    expect(existsSync('/tmp/unused.sock')).toBe(false);
  });

  test('prints its options on --help', async () => {
    const { output, exit } = run(['--help']);
    expect(await exit).toBe(0);
    expect(output.out).toContain('--status-socket, SLUICE_STATUS_SOCKET');
  });
});
