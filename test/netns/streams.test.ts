/** Streams through the sidecar: every byte, every end, bounded memory. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { namespace, node, pod } from '../builders/manifests.ts';
import { patternSha256, RELAYS, until, useLab } from './harness.ts';

const GIB = 1024 ** 3;

/**
 * Most that relaying may add to the sidecar's resident memory: buffers of four flows, and what the collector of a busy machine has
 * not come to. An eighth of what would pile up if the stalled reader's stream were taken.
 */
const GROWTH_BYTES = GIB / 8;

const APP = '10.1.1.10';
const APP_V6 = 'fd00:1::10';

describe.each(RELAYS)('with the %s relay', (relay) => {
  const net = useLab({
    sidecarEnv: { SLUICE_RELAY: relay },
    objects: [
      node(1),
      namespace('x'),
      pod('x/app', { ips: [APP, APP_V6] }),
      pod('x/client', { ips: ['10.1.1.11', 'fd00:1::11'] }),
      pod('x/slow', { ips: ['10.1.1.12'] }),
    ],
  });

  const request = (address: string) => ({ count: 1, address, port: 80 }) as const;

  test('/readyz says what the relay lacks', async () => {
    const { relay_limits } = JSON.parse((await net.admin('x/app', '/readyz')).body);
    expect(relay_limits).toHaveLength(relay === 'node' ? 2 : 0);
  });

  test.each([APP, APP_V6])(
    'a stream that the client half-closes is answered in full (%s)',
    async (address) => {
      const bytes = 3_000_001;
      await net.open('x/client', { ...request(address), group: 'sink', work: { kind: 'send', bytes } });
      const [flow] = await net.finish('x/client', 'sink');
      expect(flow).toMatchObject({ state: 'ended', answer: `${bytes} ${patternSha256(bytes)}` });
    },
  );

  test.each([APP, APP_V6])('a stream that the app ends arrives to the last byte (%s)', async (address) => {
    const bytes = 3_000_001;
    await net.open('x/client', { ...request(address), group: 'source', work: { kind: 'receive', bytes } });
    const [flow] = await net.finish('x/client', 'source');
    expect(flow).toMatchObject({
      state: 'ended',
      receivedBytes: bytes,
      receivedSha256: patternSha256(bytes),
    });
  });

  test('a reset by the app reaches the client as a reset', async () => {
    const result = await net.connect('x/client', APP, 80, { send: 'RESET\n' });
    expect(result).toMatchObject({ connected: true, reset: true, reply: '' });
  });

  test('a reset by the client reaches the app as a reset', async () => {
    const before = net.appLog('x/app').filter((line) => line.error === 'ECONNRESET').length;
    await net.open('x/client', { ...request(APP), group: 'rude', work: { kind: 'hold' } });
    await net.resetFlows('x/client', 'rude');
    await until(
      'the app sees the reset',
      () => net.appLog('x/app').filter((line) => line.error === 'ECONNRESET').length > before,
    );
  });

  test('1 GiB each way beside a throttled reader: all bytes, bounded memory', async () => {
    const { pid } = net.lab.process('x/app', 'sidecar');
    const before = residentBytes(pid);
    let peak = before;
    const timer = setInterval(() => {
      peak = Math.max(peak, residentBytes(pid));
    }, 50);
    // The throttled reader gets 200 MB/s of what could be several times that: the app's side is held back throughout.
    const throttled = { kind: 'receive', bytes: GIB, bytesPerSecond: 200_000_000 } as const;
    await Promise.all([
      net.open('x/slow', { ...request(APP), group: 'down', work: throttled }),
      net.open('x/client', { ...request(APP), group: 'up', work: { kind: 'send', bytes: GIB } }),
      // This one hardly reads at all: what it does not take must not pile up in the sidecar.
      net.open('x/client', {
        ...request(APP),
        group: 'stalled',
        work: { ...throttled, bytesPerSecond: 10_000 },
      }),
    ]);
    const [[down], [up]] = await Promise.all([
      net.finish('x/slow', 'down', 120_000),
      net.finish('x/client', 'up', 120_000),
    ]);
    clearInterval(timer);
    const digest = patternSha256(GIB);
    expect(down).toMatchObject({ state: 'ended', receivedBytes: GIB, receivedSha256: digest });
    expect(up).toMatchObject({ state: 'ended', answer: `${GIB} ${digest}` });
    expect((await net.report('x/client', 'stalled'))[0]).toMatchObject({ state: 'open' });
    expect(peak - before).toBeLessThan(GROWTH_BYTES);
  }, 150_000);
});

/** Resident memory, proc(5). */
function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}
