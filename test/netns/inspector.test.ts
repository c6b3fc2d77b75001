/** No signal and no variable opens Node's inspector in a program of ours: who connects to it runs code in that program. */
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { namespace, node, pod } from '../builders/manifests.ts';
import { SLUICE, until, useLab } from './harness.ts';

const POD = 'shop/api';

const EXAMPLE = join(import.meta.dirname, '../../examples/bookstore');

/** `st` of a listening socket in /proc/net/tcp. Source: tcp_states.h of Linux. */
const LISTEN = '0A';

const net = useLab({ objects: [node(1), namespace('shop'), pod(POD, { ips: ['10.1.1.10'] })] });

const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

/** TCP ports that a process listens on, in its own network namespace. */
function listening(pid: number): readonly number[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return []; // closed meanwhile
      }
    }),
  );
  const rows = ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8').trim().split('\n').slice(1),
  );
  const ports = rows.flatMap((row) => {
    const [, local = '', , state, , , , , , inode = ''] = row.trim().split(/\s+/);
    return state === LISTEN && inodes.has(inode) ? [Number.parseInt(local.split(':')[1] ?? '', 16)] : [];
  });
  return [...new Set(ports)].sort((a, b) => a - b);
}

/** Starts a program in the pod and waits until it has said something, to `input` where it wants some. */
async function speaking(
  argv: readonly string[],
  input: string,
  env: NodeJS.ProcessEnv = {},
): Promise<number> {
  const child = net.lab.spawnIn(POD, argv, { stdio: ['pipe', 'pipe', 'inherit'], env });
  children.push(child);
  child.stdin?.write(input);
  await new Promise((resolve, reject) => {
    child.stdout?.once('data', resolve);
    child.once('exit', (code) => reject(new Error(`${argv.join(' ')} ended with ${code}`)));
  });
  return child.pid ?? 0;
}

/** The command, waiting for its next question. */
function startCommand(env?: NodeJS.ProcessEnv): Promise<number> {
  const question = { from: '10.1.1.10', to: '10.1.1.11', port: 80, protocol: 'TCP' };
  return speaking([SLUICE, 'can', '--batch', '-', '-f', EXAMPLE], `${JSON.stringify(question)}\n`, env);
}

test('SIGUSR1 opens no port in the sidecar, the injector, an app of the lab or the command', async () => {
  const command = await startCommand();
  const ours = new Map([
    ['sidecar', net.lab.process(POD, 'sidecar').pid],
    ['injector', net.lab.injector().pid],
    ['app', net.lab.process(POD, 'app').pid],
    ['command', command],
  ]);
  const before = [...ours].map(([name, pid]) => [name, listening(pid)]);
  for (const pid of ours.values()) process.kill(pid, 'SIGUSR1');
  // The same signal, sent later to a Node without the flag, shows that there was time enough.
  const bare = await speaking([process.execPath, '-e', "console.log('up'); setInterval(() => {}, 1000)"], '');
  process.kill(bare, 'SIGUSR1');
  await until('the inspector of a Node without the flag listens', () => listening(bare).length > 0);
  expect([...ours].map(([name, pid]) => [name, listening(pid)])).toEqual(before);
});

test('NODE_OPTIONS of the caller gives the command no flags', async () => {
  const options = { NODE_OPTIONS: '--inspect=127.0.0.1:9300' };
  const command = await startCommand(options);
  expect(listening(command)).toEqual([]);
  expect(readFileSync(`/proc/${command}/environ`, 'latin1')).not.toContain('NODE_OPTIONS');
});
