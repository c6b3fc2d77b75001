/** Case 12: an app that calls the proxy's own port, localhost, its own pod or its own Service: no loop, no open relay. */
import { expect, test } from 'vitest';
import { allowApps, namespace, node, pod, service } from '../builders/manifests.ts';
import { until, useLab } from '../netns/harness.ts';

const DB = ['10.1.1.10', 'fd00:1::10'] as const;
const SERVICE = ['10.96.0.10', 'fd00:96::10'] as const;
const LOOPBACK = ['127.0.0.1', '::1'] as const;

/** Where the redirect delivers, and the canary; the first and the last of those that translations lead to. */
const OWN_PORTS = [15_006, 15_020, 15_022, 15_029] as const;

const net = useLab({
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/db', { labels: { app: 'db' }, ips: [...DB] }),
    pod('shop/web', { labels: { app: 'web' }, ips: ['10.1.1.11', 'fd00:1::11'] }),
    service('shop/db', { ips: [...SERVICE], app: 'db' }),
    allowApps('shop/allow', 'db', ['web']),
  ],
});

interface Page {
  readonly open: number;
  readonly refused: number;
}

/** What the sidecar says of its flows: those that live, and those refused as they were for a port of its own. */
async function page(): Promise<Page> {
  const connections: unknown[] = JSON.parse((await net.admin('shop/db', '/connections')).body);
  const flows: { reason?: string }[] = JSON.parse((await net.admin('shop/db', '/flows')).body);
  return {
    open: connections.length,
    refused: flows.filter(({ reason }) => reason === 'reserved-port').length,
  };
}

test.each([...LOOPBACK, ...DB].flatMap((address) => OWN_PORTS.map((port) => [address, port] as const)))(
  'a call of the app to %s port %i ends at once and reaches nobody',
  async (address, port) => {
    const before = { accepted: net.accepted('shop/db').length, ...(await page()) };
    const result = await net.connect('shop/db', address, port);
    expect(result).toMatchObject({ allowed: false, timedOut: false, reply: '' });
    // One refusal at most: a loop would leave many.
    await until('no flow is left', async () => (await page()).open === 0);
    expect((await page()).refused).toBeLessThanOrEqual(before.refused + 1);
    expect(net.accepted('shop/db')).toHaveLength(before.accepted);
  },
);

test.each(DB.flatMap((address) => OWN_PORTS.map((port) => [address, port] as const)))(
  'nor does a call of an allowed peer to %s port %i',
  async (address, port) => {
    const before = net.accepted('shop/db').length;
    const result = await net.connect('shop/web', address, port);
    expect(result).toMatchObject({ allowed: false, timedOut: false, reply: '' });
    await until('no flow is left', async () => (await page()).open === 0);
    expect(net.accepted('shop/db')).toHaveLength(before);
  },
);

test.each([...LOOPBACK, ...DB])('the app reaches itself on %s, past the sidecar', async (address) => {
  const flows = (await net.admin('shop/db', '/flows')).body;
  expect(await net.connect('shop/db', address, 80)).toMatchObject({ allowed: true, seenAddress: address });
  expect((await net.admin('shop/db', '/flows')).body).toBe(flows);
  expect((await page()).open).toBe(0);
});

test.each([
  [SERVICE[0], '10.0.0.1'],
  [SERVICE[1], 'fd00:10::1'],
])('the app reaches itself through its Service %s, and sees its node', async (address, seenAddress) => {
  expect(await net.connect('shop/db', address, 80)).toMatchObject({ allowed: true, seenAddress });
  expect((await page()).open).toBe(0);
});
