/** Of two injectors, as processes, the one that writes the status of policies ends: how soon the other one writes. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { allowApps, namespace, service } from '../../../builders/manifests.ts';
import { ApiServer } from '../../../support/api_server/api_server.ts';
import { waitFor } from '../wait_for.ts';
import { InjectorProcess } from './injector_process.ts';

const START_MS = 60_000; // two processes at once
const LEASE = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { namespace: 'sluice-system', name: 'sluice-injector' },
};

/** What docs/kubernetes.md promises after a replica was killed, ms. */
const KILLED_MS = 10_000;

/** After one that ended in good order: a look at the Lease and a look of the writer's, ms. */
const ENDED_MS = 5_000;

let server: ApiServer;
const replicas = new Map<string, InjectorProcess>();

beforeEach(async () => {
  server = await ApiServer.start();
  await server.apply(namespace('sluice-system'));
  await server.apply(namespace('shop', { 'sluice.dev/inject': 'enabled' }));
  await server.apply(service('sluice-system/sluice-injector', { ips: ['10.96.0.9'], ports: [15010] }));
  for (const name of ['a', 'b'])
    replicas.set(name, await InjectorProcess.start(server, { SLUICE_REPLICA: name }));
}, START_MS);

afterEach(async () => {
  for (const replica of replicas.values()) await replica.stop('SIGKILL');
  replicas.clear();
  await server.close();
});

const lease = () => server.find(LEASE);
const holder = () => (lease()?.spec as { holderIdentity?: string } | undefined)?.holderIdentity;

const status = (policy: string) =>
  server.find(allowApps(policy, 'api', []))?.metadata.annotations?.['sluice.dev/status'];

test.each([
  ['SIGKILL', KILLED_MS],
  ['SIGTERM', ENDED_MS],
] as const)(
  'after a %s of the one that writes, the other one writes within %d ms',
  async (signal, boundMs) => {
    for (const replica of replicas.values())
      await waitFor(async () => (await replica.get('/readyz')).code === 200, START_MS);
    await server.apply(allowApps('shop/before', 'api', []));
    await waitFor(() => status('shop/before'), KILLED_MS);
    const first = holder() ?? '';
    // The worst moment: just after a renewal.
    const version = lease()?.metadata.resourceVersion;
    await waitFor(() => lease()?.metadata.resourceVersion !== version);
    const beganMs = performance.now();
    await replicas.get(first)?.stop(signal);
    replicas.delete(first);
    await server.apply(allowApps('shop/after', 'api', []));
    await waitFor(() => status('shop/after'), boundMs);
    expect(performance.now() - beganMs).toBeLessThan(boundMs);
    expect(holder()).toBe(first === 'a' ? 'b' : 'a');
  },
  2 * START_MS,
);
