/** Services in a lab: each node's own load balancing leads from virtual addresses to backends. */

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  allowApps,
  endpointSlice,
  type Manifest,
  node,
  pod,
  policy,
  service,
} from '../builders/manifests.ts';
import { ANSWER, SILENCE, useLab } from './harness.ts';
import { usePackets } from './tools/packets.ts';

const FAMILIES = [
  { family: 'IPv4', virtual: '10.96.0.1', client: '10.1.1.1', alone: '10.96.0.2', own: '10.0.0.1' },
  {
    family: 'IPv6',
    virtual: 'fd00:96::1',
    client: 'fd00:1:1::1',
    alone: 'fd00:96::2',
    own: 'fd00:10::1',
  },
] as const;

const PORTS = ['TCP/80:8080', 'UDP/80:8081', 'SCTP/80:8082'];

/** One backend beside the client, one on another node. */
const OBJECTS: readonly Manifest[] = [
  node(1),
  node(2),
  pod('shop/client', { ips: ['10.1.1.1', 'fd00:1:1::1'], labels: { app: 'client' }, ports: [80] }),
  pod('shop/stranger', { ips: ['10.1.2.9'], node: 2, ports: [] }),
  pod('shop/near', {
    ips: ['10.1.1.2', 'fd00:1:1::2'],
    labels: { app: 'web' },
    ports: [8080, 'UDP/8081'],
  }),
  pod('shop/far', {
    ips: ['10.1.2.2', 'fd00:1:2::2'],
    labels: { app: 'web' },
    node: 2,
    ports: [8080, 'UDP/8081'],
  }),
  service('shop/web', { ips: ['10.96.0.1', 'fd00:96::1'], ports: PORTS, app: 'web' }),
  // Leads to the client itself.
  service('shop/alone', { ips: ['10.96.0.2', 'fd00:96::2'], app: 'client' }),
  // Its endpoints are written out.
  service('shop/listed', { ips: ['10.96.0.3'], ports: [80], app: 'nobody' }),
  endpointSlice('shop/listed-1', 'listed', ['10.1.1.2'], [8080]),
  service('shop/headless', { ips: ['None'], app: 'web' }),
];

const packets = usePackets();

describe('a service of a lab', () => {
  const net = useLab({ objects: OBJECTS, sidecarEnv: { SLUICE_DENY: 'reset' } });

  function accepted(): readonly [near: number, far: number] {
    return [net.accepted('shop/near').length, net.accepted('shop/far').length];
  }

  /** Which backends have had datagrams, by the logs of their apps. */
  function received(peer: string): boolean[] {
    return ['shop/near', 'shop/far'].map((key) => {
      const lines = readFileSync(net.lab.logFile(key, 'app'), 'utf8').split('\n');
      return lines.some((line) => line.includes('"received"') && line.includes(`"${peer}"`));
    });
  }

  test.each(FAMILIES)(
    'leads TCP to all its backends in turn, from the client’s own address: $family',
    async ({ virtual, client }) => {
      const before = accepted();
      for (let round = 0; round < 4; round += 1) {
        expect(await net.connect('shop/client', virtual, 80)).toMatchObject({ seenAddress: client });
      }
      const after = accepted();
      expect([after[0] - before[0], after[1] - before[1]]).toEqual([2, 2]);
    },
  );

  test.each(FAMILIES)('leads UDP to all its backends in turn: $family', async ({ virtual, client }) => {
    for (let round = 0; round < 2; round += 1) {
      expect(await net.datagram('shop/client', virtual, 80)).toMatchObject({ seenAddress: client });
    }
    expect(received(client)).toEqual([true, true]);
  });

  test('leads SCTP to its backends', async () => {
    const { tool } = packets;
    for (const key of ['shop/near', 'shop/far']) await tool.serveSctp(net.lab, key, [8082]);
    for (const { virtual: address, client: source } of FAMILIES) {
      const probe = { source, address, port: 80, ...ANSWER };
      // Once to each backend.
      expect(await tool.probeSctp(net.lab, 'shop/client', probe)).toBe(true);
      expect(await tool.probeSctp(net.lab, 'shop/client', probe)).toBe(true);
      const other = { ...probe, port: 81, ...SILENCE };
      expect(await tool.probeSctp(net.lab, 'shop/client', other)).toBe(false);
    }
  });

  test.each(FAMILIES)('leads a pod to itself, which then sees its node: $family', async ({ alone, own }) => {
    expect(await net.connect('shop/client', alone, 80)).toMatchObject({ seenAddress: own });
  });

  test('is served to nodes too', async () => {
    expect(await net.connect('node/node-2', '10.96.0.1', 80)).toMatchObject({ seenAddress: '10.0.0.2' });
  });

  test('is judged by its backends’ ingress policies, which see the client', async () => {
    const onlyClient = allowApps('shop/web', 'web', ['client']);
    await net.apply(onlyClient);
    for (let round = 0; round < 2; round += 1) {
      expect(await net.connect('shop/client', '10.96.0.1', 80)).toMatchObject({ seenAddress: '10.1.1.1' });
      expect(await net.connect('shop/stranger', '10.96.0.1', 80)).toMatchObject({ allowed: false });
    }
    await net.delete(onlyClient);
    expect(await net.connect('shop/stranger', '10.96.0.1', 80)).toMatchObject({ seenAddress: '10.1.2.9' });
  });

  test('has the endpoints that are listed, and follows them; without any it is refused', async () => {
    const before = accepted();
    await net.connect('shop/client', '10.96.0.3', 80);
    await net.apply(endpointSlice('shop/listed-1', 'listed', ['10.1.2.2'], [8080]));
    await net.connect('shop/client', '10.96.0.3', 80);
    expect(accepted()).toEqual([before[0] + 1, before[1] + 1]);
    await net.delete(endpointSlice('shop/listed-1', 'listed', ['10.1.2.2'], [8080]));
    expect(await net.connect('shop/client', '10.96.0.3', 80)).toMatchObject({
      allowed: false,
      error: 'ECONNREFUSED',
    });
    expect(await net.connect('node/node-1', '10.96.0.3', 80)).toMatchObject({ error: 'ECONNREFUSED' });
  });

  test('follows the pods that its selector means, and so does the injector', async () => {
    const far = (app: string) =>
      pod('shop/far', {
        ips: ['10.1.2.2', 'fd00:1:2::2'],
        labels: { app },
        node: 2,
        ports: [8080, 'UDP/8081'],
      });
    await net.apply(far('retired'));
    const before = accepted();
    for (let round = 0; round < 3; round += 1) await net.connect('shop/client', '10.96.0.1', 80);
    expect(accepted()).toEqual([before[0] + 3, before[1]]);
    await net.apply(
      far('web'),
      // Isolated for egress, the stranger has the Services in its table.
      policy('shop/out', {
        podSelector: { matchLabels: { app: 'asks' } },
        policyTypes: ['Egress'],
        egress: [{}],
      }),
      pod('shop/stranger', { ips: ['10.1.2.9'], labels: { app: 'asks' }, node: 2, ports: [] }),
    );
    const { services } = JSON.parse((await net.admin('shop/stranger', '/table')).body);
    expect(services['10.96.0.1 TCP/80'].backends).toEqual([
      { address: '10.1.1.2', port: 8080 },
      { address: '10.1.2.2', port: 8080 },
    ]);
    expect(JSON.parse((await net.admin('shop/client', '/table')).body).services).toEqual({});
  });

  test('comes and goes with its manifest', async () => {
    const extra = service('shop/extra', { ips: ['10.96.0.9'], ports: ['80:8080'], app: 'web' });
    expect(await net.connect('shop/client', '10.96.0.9', 80)).toMatchObject({ allowed: false });
    await net.apply(extra);
    expect(await net.connect('shop/client', '10.96.0.9', 80)).toMatchObject({ allowed: true });
    await net.delete(extra);
    expect(await net.connect('shop/client', '10.96.0.9', 80)).toMatchObject({ allowed: false });
  });
});
