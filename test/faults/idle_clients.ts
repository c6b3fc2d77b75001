/** The lab of case 10: idle clients (`x/idle`) of an app, beside a normal one (`x/client`). */
import type { FlowReport } from '../../lab/agent/protocol.ts';
import { namespace, node, pod } from '../builders/manifests.ts';
import { type TestLab, useLab } from '../netns/harness.ts';

/** The app, `x/app`. */
export const APP = '10.1.1.10';

/** Brings it up before the tests, and takes it down after them. */
export function useIdleLab(): TestLab {
  return useLab({
    objects: [
      node(1),
      namespace('x'),
      pod('x/app', { ips: [APP] }),
      pod('x/client', { ips: ['10.1.1.11'] }),
      pod('x/idle', { ips: ['10.1.1.12'] }),
    ],
  });
}

/** Connects and says nothing. */
export function openIdle(net: TestLab, group: string, count: number): Promise<readonly FlowReport[]> {
  return net.open('x/idle', { group, count, address: APP, port: 80, work: { kind: 'hold' } });
}

/** Connections that the app's sidecar has open, by its metrics. */
export async function connectionsOpen(net: TestLab): Promise<number> {
  const { body } = await net.admin('x/app', '/metrics');
  return Number(/^sluice_connections_open(?:\{.*\})? (\S+)$/m.exec(body)?.[1]);
}
