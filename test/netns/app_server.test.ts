import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import type { Readable } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { APP_SERVER } from '../../lab/app/program.ts';
import { namespace, node, pod } from '../builders/manifests.ts';
import { patternSha256, until, useLab } from './harness.ts';

const SERVER = '10.1.1.1';

const net = useLab({
  objects: [
    node(1),
    namespace('app'),
    pod('app/server', { ips: [SERVER, 'fd00:1::1'], ports: [80, 'UDP/53', 'SCTP/7777'] }),
    pod('app/client', { ips: ['10.1.1.2', 'fd00:1::2'], ports: [] }),
  ],
});

/** A connection to a server of its own, on loopback, whose pieces a test decides. */
async function talkToServer() {
  const port = await freePort();
  const server = spawn(process.execPath, [APP_SERVER, `TCP/${port}`], {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    env: { ...process.env, SLUICE_READY_FD: '3' },
  });
  onTestFinished(() => void server.kill('SIGKILL'));
  await once(server.stdio[3] as Readable, 'data');
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  onTestFinished(() => void socket.destroy());
  let received = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    received += text;
  });
  return {
    received: () => received,
    /** Returns when the server has read it, so that the next piece does not join it. */
    send: async (piece: string) => {
      await new Promise<void>((resolve) => socket.write(piece, () => resolve()));
      await until('the server has read it', () => unreadBytes(port, socket.localPort ?? 0) === 0);
    },
    /** Half-closes; returns all that was answered. */
    end: async () => {
      socket.end();
      await once(socket, 'end');
      return received;
    },
  };
}

/** What waits in the kernel at a server's end of a connection: rx_queue of proc_net_tcp(5). */
function unreadBytes(port: number, peerPort: number): number | undefined {
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(4, '0');
  for (const line of readFileSync('/proc/net/tcp6', 'latin1').split('\n')) {
    const [, local, remote, , queues] = line.trim().split(/\s+/);
    if (!local?.endsWith(`:${hex(port)}`) || !remote?.endsWith(`:${hex(peerPort)}`)) continue;
    return Number.parseInt(queues?.split(':')[1] ?? '', 16);
  }
  return undefined;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('the app of a pod', () => {
  test('answers a line with the address of the peer it sees', async () => {
    expect(await net.connect('app/client', SERVER, 80)).toMatchObject({
      allowed: true,
      seenAddress: '10.1.1.2',
    });
    expect(await net.connect('app/client', 'fd00:1::1', 80)).toMatchObject({
      allowed: true,
      seenAddress: 'fd00:1::2',
    });
  });

  test('answers lines, not pieces of them', async () => {
    const talk = await talkToServer();
    for (const piece of ['he', 'llo\nwor', 'ld\nE', 'CHO', '\n', 'and the last']) await talk.send(piece);
    expect(await talk.end()).toBe('127.0.0.1\n'.repeat(4));
  });

  test('knows a verb that comes in pieces', async () => {
    const talk = await talkToServer();
    for (const piece of ['SI', 'NK\nab', 'c']) await talk.send(piece);
    expect(await talk.end()).toMatch(/^3 ba7816bf[0-9a-f]{56}\n$/);
  });

  test('answers a line without an end each time it has grown by 64 KiB, and when the peer closes', async () => {
    const talk = await talkToServer();
    await talk.send('x'.repeat(2 * 64 * 1024 + 1));
    await until('two answers', () => talk.received() === '127.0.0.1\n'.repeat(2));
    expect(await talk.end()).toBe('127.0.0.1\n'.repeat(3));
  });

  test('answers a datagram alike', async () => {
    expect(await net.datagram('app/client', SERVER, 53)).toEqual({ allowed: true, seenAddress: '10.1.1.2' });
    expect(await net.datagram('app/client', 'fd00:1::1', 53)).toEqual({
      allowed: true,
      seenAddress: 'fd00:1::2',
    });
  });

  test('streams as many bytes as SEND asks for', async () => {
    const flow = { count: 2, address: SERVER, port: 80 };
    await net.open('app/client', {
      ...flow,
      group: 'receive',
      work: { kind: 'receive', bytes: 3_000_001 },
    });
    for (const report of await net.finish('app/client', 'receive')) {
      expect(report).toMatchObject({
        state: 'ended',
        receivedBytes: 3_000_001,
        receivedSha256: patternSha256(3_000_001),
      });
    }
  });

  test('counts and hashes what SINK is sent, after the half-close', async () => {
    const flow = { count: 2, address: SERVER, port: 80 };
    await net.open('app/client', { ...flow, group: 'send', work: { kind: 'send', bytes: 3_000_001 } });
    for (const report of await net.finish('app/client', 'send')) {
      expect(report).toMatchObject({ state: 'ended', answer: `3000001 ${patternSha256(3_000_001)}` });
    }
  });

  test('sends back what ECHO is sent', async () => {
    const work = { kind: 'echo', chunkBytes: 1000, intervalMs: 5 } as const;
    await net.open('app/client', { group: 'echo', count: 3, address: SERVER, port: 80, work });
    for (const report of await net.finish('app/client', 'echo')) {
      expect(report).toMatchObject({ state: 'ended', receivedSha256: report.sentSha256 });
      expect(report.receivedBytes).toBe(report.sentBytes);
    }
  });

  test('resets on RESET', async () => {
    const outcome = await net.connect('app/client', SERVER, 80, { send: 'RESET\n' });
    expect(outcome).toMatchObject({ allowed: false, reset: true });
  });

  test('holds a connection that says nothing more', async () => {
    const flow = { count: 2, address: SERVER, port: 80 };
    await net.open('app/client', { ...flow, group: 'hold', work: { kind: 'hold' } });
    expect(await net.report('app/client', 'hold')).toMatchObject([{ state: 'open' }, { state: 'open' }]);
    await net.agent('app/client').ask({ do: 'close', group: 'hold' });
  });

  test('records who was accepted', async () => {
    const before = net.accepted('app/server').length;
    await net.connect('app/client', SERVER, 80);
    expect(net.accepted('app/server').slice(before)).toMatchObject([{ peer: '10.1.1.2', port: 80 }]);
  });

  test('does not serve SCTP, and status says so', async () => {
    const { pods } = await net.lab.status();
    expect(pods.find((status) => status.pod === 'app/server')).toMatchObject({
      served: ['TCP/80', 'UDP/53'],
      notServed: ['SCTP/7777'],
    });
    expect(pods.find((status) => status.pod === 'app/client')).toMatchObject({ app: { state: 'none' } });
  });
});
