/**
 * Given a control plane that is down for 24 h while sidecars run, when traffic flows, then the last policy stands, reconnects
 * back off with jitter, there is one resync and no cut that nothing asked for.
 */
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { signalProcess, waitGone } from '../../lab/processes/process.ts';
import { type SidecarFrame, tableJson } from '../../policy/index.ts';
import { Enforcement } from '../../sidecar/table/enforcement.ts';
import { LiveTable } from '../../sidecar/table/live_table.ts';
import { TableStream } from '../../sidecar/table/stream.ts';
import type { Dialled, Transport } from '../../sidecar/table/transport.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { table } from '../builders/tables.ts';
import { SILENCE, until, useLab } from '../netns/harness.ts';

const HOUR_MS = 3_600_000;

describe('a day, by a clock that runs fast', () => {
  /** A try at the latest after twice the longest delay. */
  const LONGEST_MS = 10_000;
  const PEER = '10.0.0.1';

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** An injector that can be away: then nobody takes a connection. */
  class Injector implements Transport {
    away = false;
    readonly dialledAtMs: number[] = [];
    /** Connections on which the sidecar has said who it is. */
    hellos = 0;
    socket: net.Socket | undefined;

    dial(): Dialled {
      this.dialledAtMs.push(Date.now());
      const socket = new net.Socket();
      socket.write = () => {
        this.hellos += 1; // a stream that is not told to acknowledge says nothing else
        return true;
      };
      this.socket = socket;
      const hello: SidecarFrame = { type: 'hello', schema: 2, namespace: 'shop', pod: 'api' };
      if (this.away) queueMicrotask(() => socket.destroy(new Error('connect ECONNREFUSED')));
      else queueMicrotask(() => socket.emit('connect'));
      return { socket, ready: 'connect', hello };
    }

    explain(error: Error): string {
      return error.message;
    }

    say(frame: object): void {
      this.socket?.emit('data', Buffer.from(`${JSON.stringify(frame)}\n`));
    }
  }

  test('delays grow to a bound and differ; the table stands; one snapshot, and nothing is cut', async () => {
    const injector = new Injector();
    const live = new LiveTable();
    let cut = 0;
    live.register({
      path: 'proxy',
      sourceAddress: PEER,
      revoked: (judge) => {
        const verdict = judge.judge('ingress', PEER, 'TCP', 80);
        return verdict.verdict === 'deny' ? { cause: 'policy-changed', verdict } : undefined;
      },
      resetSource: () => undefined,
      cut: () => {
        cut += 1;
      },
      drain: () => undefined,
      view: () => undefined,
    });
    const enforcement = new Enforcement(live);
    let tables = 0;
    const stream = new TableStream(injector, { namespace: 'shop', name: 'api' }, enforcement, {
      connected: () => undefined,
      moved: () => undefined,
      disconnected: () => undefined,
      enforced: () => {
        tables += 1;
      },
      refused: (error) => {
        throw error;
      },
      unknownPod: () => undefined,
      identified: () => undefined,
      turnedAway: () => undefined,
      olderInjector: () => undefined,
    });
    stream.start();
    await vi.advanceTimersByTimeAsync(1);
    const last = table({ revision: 7, allowed: [PEER] });
    injector.say({ type: 'snapshot', table: tableJson(last) });
    await vi.advanceTimersByTimeAsync(1);
    expect(tables).toBe(1);
    expect(injector.hellos).toBe(1);

    injector.away = true;
    const lostAtMs = Date.now();
    injector.socket?.destroy(new Error('read ECONNRESET'));
    await vi.advanceTimersByTimeAsync(24 * HOUR_MS);
    const tries = injector.dialledAtMs.filter((at) => at > lostAtMs);
    const delays = tries.map((at, index) => at - (tries[index - 1] ?? lostAtMs));
    // At first soon, then up to a bound, each with jitter; a day is some 11,500 tries, not millions.
    expect(delays[0]).toBeLessThanOrEqual(400);
    expect(Math.max(...delays)).toBeLessThanOrEqual(LONGEST_MS);
    const late = delays.slice(20);
    expect(Math.min(...late)).toBeGreaterThanOrEqual(LONGEST_MS / 2);
    expect(new Set(late).size).toBeGreaterThan(late.length / 4);
    expect(tries.length).toBeLessThan((24 * HOUR_MS) / (LONGEST_MS / 2) + 20);
    // The last policy stands.
    expect(enforcement.table && tableJson(enforcement.table)).toEqual(tableJson(last));
    expect(enforcement.verdict('ingress', PEER, 'TCP', 80).verdict).toBe('allow');
    expect(enforcement.verdict('ingress', '10.0.0.2', 'TCP', 80).verdict).toBe('deny');
    expect(Date.now() - enforcement.confirmedAtMs).toBeGreaterThanOrEqual(24 * HOUR_MS);

    injector.away = false;
    const before = injector.dialledAtMs.length;
    await vi.advanceTimersByTimeAsync(LONGEST_MS);
    injector.say({ type: 'snapshot', table: tableJson(last) });
    for (let beat = 0; beat < 30; beat += 1) {
      await vi.advanceTimersByTimeAsync(2_000);
      injector.say({ type: 'heartbeat', revision: 7 });
    }
    expect(injector.dialledAtMs.length - before).toBe(1);
    expect(injector.hellos).toBe(2);
    expect(tables).toBe(2);
    expect(cut).toBe(0);
    expect(live.size).toBe(1);
    stream.close();
  });
});

describe('with packets', () => {
  const API = '10.1.1.10';
  const lab = useLab({
    objects: [
      node(1),
      namespace('shop'),
      pod('shop/api', { labels: { app: 'api' }, ips: [API] }),
      pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11'] }),
      pod('shop/batch', { labels: { app: 'batch' }, ips: ['10.1.1.12'] }),
      allowApps('shop/allow', 'api', ['front']),
    ],
  });
  const fromBatch = () => lab.connect('shop/batch', API, 80, SILENCE);
  const status = async () => (await lab.admin('shop/api', '/readyz')).status;

  test('flows go on over its absence and its return, and denials stand', async () => {
    const work = { kind: 'echo', chunkBytes: 100, intervalMs: 50 } as const;
    await lab.open('shop/front', { group: 'static', count: 20, address: API, port: 80, work });
    const injector = lab.lab.injector();
    signalProcess(injector, 'SIGKILL');
    await waitGone([injector]);
    await until('the sidecar notices', () =>
      lab.sidecarLog('shop/api').some(({ msg }) => String(msg).startsWith('no connection to the injector')),
    );
    expect(await fromBatch()).toMatchObject({ allowed: false, connected: false });
    expect(await lab.connect('shop/front', API, 80)).toMatchObject({ allowed: true });
    // Nobody can be asked who that was.
    const denial = await until('the denial is recorded', () =>
      lab.sidecarLog('shop/api').findLast(({ msg }) => msg === 'flow denied'),
    );
    expect(denial.src).not.toHaveProperty('pod');
    expect(denial.explanation).toContain('labels that are not known here');
    expect(await status()).toBe(200);
    const age = /^sluice_table_age_seconds (\S+)$/m.exec((await lab.admin('shop/api', '/metrics')).body)?.[1];
    expect(Number(age)).toBeGreaterThan(0);

    const before = lab.sidecarLog('shop/api').length;
    await lab.lab.apply([]); // starts it again
    await lab.lab.waitEnforced();
    const since = lab.sidecarLog('shop/api').slice(before);
    const tables = since.filter(({ msg }) => msg === 'table in force');
    expect(tables).toHaveLength(1);
    expect(tables[0]).toMatchObject({ flows_ended: 0 });
    expect(since.filter(({ end }) => end === 'policy-changed' || end === 'peer-replaced')).toEqual([]);
    const flows = await lab.finish('shop/front', 'static');
    expect(flows).toHaveLength(20);
    for (const flow of flows) {
      expect(flow.state).toBe('ended');
      expect(flow.receivedSha256).toBe(flow.sentSha256);
    }
    expect(await fromBatch()).toMatchObject({ allowed: false, connected: false });
  });
});
