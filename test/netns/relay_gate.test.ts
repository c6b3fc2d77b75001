/** Which connections the native relay joins to the app before JavaScript has judged them. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { SIDECAR_PORTS } from '../../common/contract.ts';
import { openSockets } from '../../native/sockets.ts';
import type { Connection, Relay } from '../../sidecar/relay/relay.ts';
import { startRelay } from '../../sidecar/relay/start.ts';
import { ADDRESSES, enterOwnNamespace, redirectTo } from './tools/own_namespace.ts';
import { errorCode } from './tools/streams.ts';

const { inbound: INBOUND_PORT, admin: ADMIN_PORT, canary: CANARY_PORT } = SIDECAR_PORTS;
const APP_PORT = 80;

const sockets = openSockets();

beforeAll(() => {
  enterOwnNamespace();
  redirectTo(INBOUND_PORT);
});

/** Of clients that nobody has heard of: 10.8.0.0/16. */
const SOURCES = '10.8.0.0/16';

/** GATE_CHANGE_US of native/relay_internal.h, and a little. */
const GATE_CHANGED_MS = 1_100;

/** For a client whose connection waits for the decision: nobody takes it while it runs. */
const CLIENT_PATIENCE_MS = 500;

/** Answers who asks, on each of these ports, in a process of its own. */
const ECHO_APP = `
  const net = require('node:net');
  const ports = process.argv.slice(1).map(Number);
  let open = ports.length;
  for (const port of ports)
    net.createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(port, '::', () => {
      open -= 1;
      if (open === 0) console.log('listening');
    });
`;

/** Writes what comes back. */
const ASKING_CLIENT = `
  const net = require('node:net');
  const [host, port, localAddress, patienceMs] = process.argv.slice(1);
  const socket = net.connect({ host, port: Number(port), localAddress });
  socket.on('error', () => {}).on('data', (data) => {
    process.stdout.write(data.toString());
    process.exit();
  });
  socket.write('echo');
  setTimeout(() => process.exit(), Number(patienceMs));
`;

describe('the native relay and the gate', () => {
  let relay: Relay;
  let app: ChildProcess;
  let decide: (connection: Connection) => void;
  const accepted: Connection[] = [];
  let sources = 0;

  beforeAll(async () => {
    execFileSync('ip', ['route', 'add', 'local', SOURCES, 'dev', 'lo']);
    execFileSync('ip', ['-6', 'addr', 'add', 'fe80::9/128', 'dev', 'lo']);
    const settings = {
      sockets,
      inboundPort: INBOUND_PORT,
      adminPort: ADMIN_PORT,
      canaryPort: CANARY_PORT,
      connectTimeoutMs: 1_000,
      keepAliveMs: 60_000,
      peerTimeoutMs: 7_200_000,
      connectionLimit: 40,
      pipeLimit: 4,
      bufferBytes: 2 ** 30,
      idleMs: 0,
      threads: 1,
    };
    relay = await startRelay('splice', settings, {
      accepted(connection) {
        accepted.push(connection);
        decide(connection);
        return { ended() {} };
      },
      acceptFailed(error) {
        throw new Error(error);
      },
    });
    const ports = [APP_PORT, CANARY_PORT, ADMIN_PORT].map(String);
    app = spawn(process.execPath, ['-e', ECHO_APP, ...ports], { stdio: ['ignore', 'pipe', 'inherit'] });
    if (app.stdout !== null) await once(app.stdout, 'data');
  });

  afterAll(async () => {
    relay.close();
    app.kill();
    await once(app, 'exit');
  });

  const newSource = (): string => {
    sources += 1;
    return `10.8.${sources >> 8}.${sources & 255}`;
  };

  /** What a client gets to hear while this thread takes no decision. */
  const heardMeanwhile = (source = newSource(), host: string = ADDRESSES[4].app, port = APP_PORT): string =>
    execFileSync(
      process.execPath,
      ['-e', ASKING_CLIENT, host, String(port), source, String(CLIENT_PATIENCE_MS)],
      { encoding: 'utf8' },
    );

  /** A connection of a new source, and what the relay reported of it. */
  async function reported(source = newSource()): Promise<{ client: net.Socket; connection: Connection }> {
    const client = net.connect({ host: ADDRESSES[4].app, port: APP_PORT, localAddress: source });
    client.on('error', () => {});
    onTestFinished(() => void client.destroy());
    return { client, connection: await reportOf(source) };
  }

  const reportOf = async (source: string): Promise<Connection> => {
    await expect
      .poll(() => accepted.find((one) => one.source.address === source), { interval: 1 })
      .toBeDefined();
    return accepted.find((one) => one.source.address === source) as Connection;
  };

  /** The gate has had the table for long enough, and the listener has nothing left of before. */
  async function inForce(): Promise<void> {
    decide = (connection) => connection.admit();
    relay.forgetAdmissions();
    relay.trustGate(true);
    await sleep(GATE_CHANGED_MS);
    await reported();
    accepted.length = 0;
  }

  test('in force: the first connection of a source does not wait for the decision', async () => {
    await inForce();
    expect(heardMeanwhile()).toBe('echo');
    expect(heardMeanwhile()).toBe('echo');
  });

  test('not in force: it waits, as it does when the rules were lost', async () => {
    await inForce();
    relay.trustGate(false);
    expect(heardMeanwhile()).toBe('');
  });

  test('another table has come: it waits until the gate has that one, and for the time that changing the gate takes', async () => {
    await inForce();
    relay.forgetAdmissions();
    expect(heardMeanwhile()).toBe('');
    relay.trustGate(true);
    expect(heardMeanwhile()).toBe('');
    await inForce();
    expect(heardMeanwhile()).toBe('echo');
  });

  test.each([ADMIN_PORT, CANARY_PORT])('the own port %i: it waits', async (port) => {
    await inForce();
    expect(heardMeanwhile(newSource(), ADDRESSES[4].app, port)).toBe('');
  });

  test('the own address of a link: it waits', async () => {
    await inForce();
    decide = (connection) =>
      connection.source.address === 'fe80::9' ? connection.reset() : connection.admit();
    const ofLink = () => accepted.filter(({ source }) => source.address === 'fe80::9');
    for (const count of [1, 2]) {
      expect(heardMeanwhile('fe80::9%lo', ADDRESSES[6].app)).toBe('');
      await expect.poll(() => ofLink().length).toBe(count);
      // Not because something may wait at that listener: the first one has emptied it.
      expect(heardMeanwhile(ADDRESSES[6].client, ADDRESSES[6].app)).toBe('echo');
    }
    expect(ofLink().map(({ admitted }) => admitted)).toEqual([false, false]);
  });

  test('more flows than there may be: it waits', async () => {
    await inForce();
    for (let i = 0; i < 40; i += 1) await reported();
    expect(heardMeanwhile()).toBe('');
  });

  test('a handshake that began by the table before waits for the decision, and what is denied is reset', async () => {
    await inForce();
    const source = newSource();
    const table = 'inet held';
    const ruleset = `table ${table} {
      chain held {
        type filter hook prerouting priority raw;
        ip saddr ${source} tcp flags & syn == 0 drop
      }
    }`;
    execFileSync('nft', ['-f', '-'], { input: ruleset });
    const client = net.connect({ host: ADDRESSES[4].app, port: APP_PORT, localAddress: source });
    client.write('early');
    const seen = errorCode(client);
    await once(client, 'connect'); // its acknowledgement is kept from the relay
    const decided: boolean[] = [];
    relay.forgetAdmissions();
    decide = (connection) => {
      decided.push(connection.admitted);
      if (connection.source.address === source) connection.reset();
      else connection.admit();
    };
    relay.trustGate(true);
    await sleep(GATE_CHANGED_MS);
    expect((await reported()).connection.admitted).toBe(false); // it empties the listener
    expect((await reported()).connection.admitted).toBe(true);
    execFileSync('nft', ['delete', 'table', table]);
    expect(await seen).toBe('ECONNRESET');
    expect(decided).toEqual([false, true, false]);
    const denied = await reportOf(source);
    expect(denied.progress()).toMatchObject({ relaying: false, fromSource: 0 });
  });

  test('one that the table in force denies all the same ends that, until the gate is in force once more', async () => {
    await inForce();
    const { connection } = await reported();
    expect(connection).toMatchObject({ admitted: true, admittedSince: true });
    connection.doubtGate();
    connection.reset();
    expect((await reported()).connection.admitted).toBe(false);
    await inForce();
    expect((await reported()).connection.admitted).toBe(true);
  });

  test('what was let in before another table came is not taken for a fault of the gate', async () => {
    await inForce();
    const reports: boolean[] = [];
    decide = ({ admitted, admittedSince }) => reports.push(admitted, admittedSince);
    expect(heardMeanwhile()).toBe('echo'); // it is not reported yet
    relay.forgetAdmissions();
    expect(reports).toEqual([true, false]);
  });
});
