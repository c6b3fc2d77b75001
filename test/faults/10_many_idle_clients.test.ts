/**
 * Case 10: given idle clients, then caps and the idle timeout apply to them. What they cost a normal client is in
 * `10_many_idle_clients_delays.test.ts`.
 */
import { expect, test } from 'vitest';
import { until } from '../netns/harness.ts';
import { APP, connectionsOpen, openIdle, useIdleLab } from './idle_clients.ts';

const IDLE_SECONDS = 3;

const net = useIdleLab();

test.each(['splice', 'node'])('caps and the idle timeout apply to idle clients (%s relay)', async (relay) => {
  await net.lab.stopProcess('x/app', 'sidecar', 'SIGTERM');
  await net.lab.startSidecar('x/app', {
    redirect: false,
    env: {
      SLUICE_FLOW_LOG: 'all',
      SLUICE_RELAY: relay,
      SLUICE_MAX_CONNECTIONS: '100',
      SLUICE_IDLE_SECONDS: String(IDLE_SECONDS),
    },
  });
  await until('it is ready', async () => {
    const ready = await net.admin('x/app', '/readyz').catch(() => undefined);
    return ready?.status === 200;
  });
  const work = { kind: 'echo', chunkBytes: 1, intervalMs: 500 } as const;
  await net.open('x/client', { group: 'busy', count: 1, address: APP, port: 80, work });
  const flows = await openIdle(net, 'idle', 120);
  expect(flows.filter(({ state }) => state === 'open')).toHaveLength(99);
  expect(flows.filter(({ error }) => error === 'ECONNRESET')).toHaveLength(21);
  await until('the idle ones have ended', async () => (await connectionsOpen(net)) === 1);
  const ends = net.sidecarLog('x/app').filter(({ end }) => end === 'idle-timeout');
  expect(ends.length).toBeGreaterThanOrEqual(99);
  expect(await net.finish('x/client', 'busy')).toMatchObject([{ state: 'ended' }]);
});
