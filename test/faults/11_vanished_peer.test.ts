/**
 * Case 11: given a peer that vanishes without FIN (link down), when keepalive or the kernel's limit of retransmissions runs out, then both
 * sockets and the pipes of its flows are freed, and the records say `peer-timeout`. On the direct path the keepalive is the app's: what
 * is idle stays without one, until a change ends it.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { namespace, node, pod, policy } from '../builders/manifests.ts';
import { run } from '../netns/command.ts';
import { IS_DIRECT, RELAYS, until, useLab } from '../netns/harness.ts';

const APP = '10.1.1.10';
const CLIENT = '10.1.1.11';

const KEEPALIVE_SECONDS = 1;
const PEER_TIMEOUT_SECONDS = 6;

/** Shorter than the time-outs: a peer that comes back by then has lost nothing. */
const OUTAGE_MS = 3_000;

/** tcp_retries2 of the pod, tcp(7): what is on the way is given up after 0.2 s * (2^5 - 1) = 6.2 s, instead of 924 s. */
const RETRANSMISSIONS = 4;

/** Most that all time-outs may take on a busy machine; libuv's keepalive of before took 11 s. */
const FREED_MS = 30_000;

/** Flows of each kind; and those that end by themselves, in all. The lab's app has no keepalive. */
const EACH = 5;
const GIVEN_UP = (IS_DIRECT ? 2 : 3) * EACH;
const STAYING = 3 * EACH - GIVEN_UP;

const GIB = 1024 ** 3;

describe.each(RELAYS)('with the %s relay', (relay) => {
  const net = useLab({
    sidecarEnv: {
      SLUICE_FLOW_LOG: 'all',
      SLUICE_RELAY: relay,
      SLUICE_KEEPALIVE_SECONDS: String(KEEPALIVE_SECONDS),
      SLUICE_PEER_TIMEOUT_SECONDS: String(PEER_TIMEOUT_SECONDS),
    },
    objects: [
      node(1),
      namespace('x'),
      pod('x/app', { ips: [APP] }),
      pod('x/client', { ips: [CLIENT] }),
      pod('x/other', { ips: ['10.1.1.12'] }),
    ],
  });

  const inClient = (...argv: string[]) => run(inNetns(net.lab.netns('x/client'), argv));
  const flows = async (): Promise<{ src: { addr: string } }[]> =>
    JSON.parse((await net.admin('x/app', '/connections')).body);
  const fromClient = async () => (await flows()).filter(({ src }) => src.addr === CLIENT).length;
  const open = (from: string, group: string, work: Parameters<typeof net.open>[1]['work'], count = 1) =>
    net.open(from, { group, count, address: APP, port: 80, work });

  const socketsLeft = async (): Promise<number> => {
    const listed = await run(inNetns(net.lab.netns('x/app'), ['ss', '-tanH', 'dst', CLIENT]));
    return listed.split('\n').filter((line) => line !== '').length;
  };

  test('a peer that comes back before the time-out has lost nothing', async () => {
    await open('x/client', 'patient', { kind: 'echo', chunkBytes: 10, intervalMs: 2 * OUTAGE_MS }, 5);
    const outage = 'table inet outage { chain in { type filter hook input priority -300; policy drop; }; }';
    await inClient('nft', outage);
    await delay(OUTAGE_MS);
    await inClient('nft', 'delete table inet outage');
    for (const flow of await net.finish('x/client', 'patient')) {
      expect(flow).toMatchObject({ state: 'ended', receivedBytes: flow.sentBytes });
    }
  });

  test('flows of a vanished peer free both sockets and their pipes, others go on', async () => {
    await run(inNetns(net.lab.netns('x/app'), ['sysctl', '-qw', `net.ipv4.tcp_retries2=${RETRANSMISSIONS}`]));
    const { pid } = net.lab.process('x/app', 'sidecar');
    await open('x/other', 'bystander', { kind: 'echo', chunkBytes: 100, intervalMs: 100 });
    const before = { sockets: descriptors(pid, 'socket:'), pipes: descriptors(pid, 'pipe:') };

    await open('x/client', 'idle', { kind: 'hold' }, EACH);
    await open('x/client', 'on the way', { kind: 'receive', bytes: GIB, sentBytesPerSecond: 100_000 }, EACH);
    await open('x/client', 'never read', { kind: 'receive', bytes: GIB, bytesPerSecond: 1 }, EACH);
    expect(await fromClient()).toBe(3 * EACH);
    await inClient('ip', 'link', 'set', 'eth0', 'down');
    await until('its flows are over', async () => (await fromClient()) === STAYING, FREED_MS);
    await until('all its sockets are freed', () => descriptors(pid, 'socket:') === before.sockets);
    expect(descriptors(pid, 'pipe:')).toBeLessThanOrEqual(before.pipes);
    expect(await socketsLeft()).toBe(STAYING);

    const records = net
      .sidecarLog('x/app')
      .filter(({ msg, src }) => msg === 'flow ended' && addrOf(src) === CLIENT)
      .slice(-GIVEN_UP);
    expect(records).toHaveLength(GIVEN_UP);
    expect(new Set(records.map(({ end }) => end))).toEqual(new Set(['peer-timeout']));
    const { body } = await net.admin('x/app', '/metrics');
    expect(body).toContain(`\nsluice_peer_timeouts_total ${GIVEN_UP}\n`);
    expect(await net.finish('x/other', 'bystander')).toMatchObject([{ state: 'ended' }]);
    await net.apply(policy('x/deny', { podSelector: {}, policyTypes: ['Ingress'] }));
    expect([await fromClient(), await socketsLeft()]).toEqual([0, 0]);
  });
});

function addrOf(side: unknown): unknown {
  return (side as { addr?: unknown } | undefined)?.addr;
}

/** Open descriptors of a kind. */
function descriptors(pid: number, kind: string): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(kind);
    } catch {
      return false; // closed meanwhile
    }
  }).length;
}
