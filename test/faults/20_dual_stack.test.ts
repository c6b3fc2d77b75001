/**
 * Case 20. Given an IPv6 or v4-mapped peer on a dual-stack pod, when v4-only rules exist, then the verdict is by spec, and
 * if IPv6 cannot be intercepted it is dropped, not open.
 */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { allowApps, namespace, node, pod, policy } from '../builders/manifests.ts';
import { run } from '../netns/command.ts';
import { ANSWER, patience, SILENCE, until, useLab } from '../netns/harness.ts';
import { useForge } from '../netns/tools/forge.ts';
import { addNetns, netnsName, removeNetns } from '../support/netns.ts';

const SIDECAR = join(import.meta.dirname, '../../sidecar/main.ts');
const API = ['10.1.1.10', 'fd00:1::10'] as const;
const FRONT = ['10.1.1.11', 'fd00:1::11'] as const;
/** Allowed, and nobody's. */
const ABSENT = '10.1.1.13';
const BATCH = ['10.1.1.12', 'fd00:1::12'] as const;
/** Some hundred tools are started until each rule is checked: on a busy machine that takes its time. */
const READY_MS = 30_000;
const mapped = (address: string) => `::ffff:${address}`;

const forge = useForge();

describe('a dual-stack pod whose rules name IPv4 addresses only', () => {
  const net = useLab({
    objects: [
      node(1),
      namespace('shop'),
      pod('shop/api', { labels: { app: 'api' }, ips: API, ports: [80, 'UDP/53'] }),
      pod('shop/front', { labels: { app: 'front' }, ips: FRONT }),
      pod('shop/batch', { labels: { app: 'batch' }, ips: BATCH }),
      policy('shop/v4', {
        podSelector: { matchLabels: { app: 'api' } },
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{ from: [FRONT[0], ABSENT].map((address) => ({ ipBlock: { cidr: `${address}/32` } })) }],
        egress: [{ to: [{ ipBlock: { cidr: `${FRONT[0]}/32` } }] }],
      }),
    ],
  });

  // An ipBlock never matches across families; a v4-mapped address on a socket is IPv4 on the wire.
  test.each([
    ['shop/front', API[0], true],
    ['shop/front', mapped(API[0]), true],
    ['shop/front', API[1], false],
    ['shop/batch', API[0], false],
    ['shop/batch', mapped(API[0]), false],
    ['shop/batch', API[1], false],
    ['shop/api', FRONT[0], true],
    ['shop/api', mapped(FRONT[0]), true],
    ['shop/api', FRONT[1], false],
    ['shop/api', mapped(BATCH[0]), false],
  ])('%s to %s: %s, by TCP', async (from, address, allowed) => {
    expect(await net.connect(from, address, 80, patience(allowed))).toMatchObject({ allowed });
  });

  test.each([
    [API[0], true],
    [API[1], false],
  ])('and to %s by UDP: %s', async (address, allowed) => {
    expect((await net.datagram('shop/front', address, 53, patience(allowed))).allowed).toBe(allowed);
  });

  test('the app sees the IPv4 address of a client that used a mapped one', async () => {
    const { seenAddress } = await net.connect('shop/front', mapped(API[0]), 80);
    expect(seenAddress).toBe(FRONT[0]);
  });

  test('an IPv6 packet whose source is the mapped form of an allowed address does not come in', async () => {
    const inside = (target: string, ...argv: string[]) => run(inNetns(net.lab.netns(target), argv));
    // From a pod that nothing guards any more.
    await net.lab.stopProcess('shop/batch', 'sidecar', 'SIGKILL');
    await inside('shop/batch', 'nft', 'flush ruleset');
    const links = async (target: string) =>
      (JSON.parse(await inside(target, 'ip', '-j', 'link', 'show', 'eth0')) as { address: string }[])[0]
        ?.address;
    const [own = '', api = ''] = [await links('shop/batch'), await links('shop/api')];
    const netns = net.lab.netns('shop/batch');
    const received = () =>
      net.appLog('shop/api').filter(({ protocol, peer }) => protocol === 'UDP' && peer === ABSENT).length;
    expect(await forge(netns, 'frame', 'eth0', own, api, mapped(ABSENT), API[1], 53)).toBe(true);
    await sleep(SILENCE.timeoutMs);
    expect(received()).toBe(0);
    // As IPv4 it does: the address is allowed, and nothing else keeps such a packet out.
    expect(await forge(netns, 'frame', 'eth0', own, api, ABSENT, API[0], 53)).toBe(true);
    await expect.poll(received).toBe(1);
  });
});

describe('where IPv6 cannot be intercepted', () => {
  const name = netnsName();
  const [own, peer] = [`${name}-a`, `${name}-b`];
  let path = '';

  beforeAll(async () => {
    for (const netns of [own, peer]) addNetns(netns);
    await run([
      'ip',
      'link',
      'add',
      'eth0',
      'netns',
      own,
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      peer,
    ]);
    for (const [index, netns] of [own, peer].entries()) {
      for (const device of ['lo', 'eth0']) await run(['ip', '-n', netns, 'link', 'set', device, 'up']);
      await run(['ip', '-n', netns, 'addr', 'add', `fd00:9::${index + 1}/64`, 'dev', 'eth0', 'nodad']);
      await run(['ip', '-n', netns, 'addr', 'add', `10.9.9.${index + 1}/24`, 'dev', 'eth0']);
    }
    // A kernel without the target for IPv6: what fails is the program that puts it in.
    path = mkdtempSync(join(tmpdir(), 'sluice-path-'));
    for (const backend of ['nft', 'legacy'])
      writeFileSync(
        join(path, `ip6tables-${backend}-restore`),
        '#!/bin/sh\necho "No chain/target/match by that name" >&2\nexit 1\n',
        {
          mode: 0o755,
        },
      );
    symlinkSync(process.execPath, join(path, 'node'));
  });

  afterAll(async () => {
    for (const netns of [own, peer]) removeNetns(netns);
    rmSync(path, { recursive: true, force: true });
  });

  test('the redirect step fails, so that no other container starts, and IPv6 is dropped', async () => {
    const serve = 'const s = require("node:net").createServer((c) => c.end("open")); s.listen(80, "::")';
    const dial = (address: string) =>
      `const s = require("node:net").connect({ host: "${address}", port: 80, timeout: ${SILENCE.timeoutMs} });
       s.on("data", () => process.exit(0)).on("timeout", () => process.exit(3)).on("error", () => process.exit(4))`;
    const reach = (address: string) =>
      run(inNetns(peer, [process.execPath, '-e', dial(address)])).then(
        () => 'open',
        ({ code }: { code: number }) => (code === 3 ? 'dropped' : `exit ${code}`),
      );
    const server = run(inNetns(own, ['timeout', '60', process.execPath, '-e', serve])).catch(() => undefined);
    try {
      await expect.poll(() => reach('fd00:9::1')).toBe('open');
      const command = [
        'env',
        `PATH=${path}:${process.env.PATH}`,
        process.execPath,
        SIDECAR,
        'redirect',
        'apply',
      ];
      await expect(run(inNetns(own, command))).rejects.toMatchObject({
        stderr: expect.stringContaining('REDIRECT_KERNEL_UNSUPPORTED'),
      });
      expect(await reach('fd00:9::1')).toBe('dropped');
      expect(await reach('10.9.9.1')).toBe('dropped');
    } finally {
      await run(
        inNetns(own, ['sh', '-c', `kill $(ss -Hltnp 'sport = :80' | sed 's/.*pid=\\([0-9]*\\).*/\\1/')`]),
      );
      await server;
    }
  });
});

describe('where IPv6 is switched off in the pod', () => {
  const net = useLab({
    objects: [
      node(1),
      namespace('shop'),
      pod('shop/api', { labels: { app: 'api' }, ips: [API[0]] }),
      pod('shop/front', { labels: { app: 'front' }, ips: [FRONT[0]] }),
      pod('shop/batch', { labels: { app: 'batch' }, ips: [BATCH[0]] }),
      allowApps('shop/allow', 'api', ['front']),
    ],
  });

  test('its sidecar is ready, and enforces IPv4', async () => {
    await net.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
    const off = 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6';
    await run(inNetns(net.lab.netns('shop/api'), ['sh', '-c', off]));
    await net.lab.startSidecar('shop/api', { redirect: false });
    const ready = async () => (await net.admin('shop/api', '/readyz').catch(() => undefined))?.status === 200;
    await until('the sidecar is ready', ready, READY_MS);
    expect(await net.connect('shop/front', API[0], 80, ANSWER)).toMatchObject({ allowed: true });
    expect(await net.connect('shop/batch', API[0], 80, SILENCE)).toMatchObject({ allowed: false });
  });
});
