/** Of several replicas one leads, whatever happens to it. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LeaderElection } from '../../../../../injector/kubernetes/status/leader_election.ts';
import { namespace } from '../../../../builders/manifests.ts';
import { ApiServer } from '../../../../support/api_server/api_server.ts';
import { captureLog } from '../../captured_log.ts';
import { waitFor } from '../../wait_for.ts';
import { configOf } from '../reflected_pods.ts';

const NAMESPACE = 'sluice-system';
const TIMES = { durationMs: 1_000, renewMs: 100 };

let server: ApiServer;
let replicas: LeaderElection[];

beforeEach(async () => {
  server = await ApiServer.start();
  await server.create(namespace(NAMESPACE));
  replicas = [];
});

afterEach(async () => {
  for (const replica of replicas) await replica.close();
  await server.close();
});

function join(name: string): LeaderElection {
  const replica = new LeaderElection({
    config: configOf(server),
    namespace: NAMESPACE,
    replica: name,
    log: captureLog().log,
    times: TIMES,
  });
  replicas.push(replica);
  return replica;
}

const LEASE = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { namespace: NAMESPACE, name: 'sluice-injector' },
};

const lease = () => server.find(LEASE);

const leaders = () => replicas.filter(({ leads }) => leads);

test('of three that begin together one leads, and goes on to', async () => {
  for (const name of ['a', 'b', 'c']) join(name);
  await waitFor(() => leaders().length === 1);
  const [leader] = leaders();
  const renewed = lease()?.metadata.resourceVersion;
  await waitFor(() => Number(lease()?.metadata.resourceVersion) > Number(renewed) + 3);
  expect(leaders()).toEqual([leader]);
});

test('the holder reads its Lease only after a renewal has failed', async () => {
  const only = join('a');
  await waitFor(() => only.leads);
  const seen = server.requests.length;
  const since = (method: string) =>
    server.requests.slice(seen).filter((request) => request.method === method).length;
  await waitFor(() => since('PUT') >= 4);
  expect(since('GET')).toBe(0);
  await server.patch(LEASE, { metadata: { labels: { touched: 'yes' } } });
  await waitFor(() => since('GET') === 1);
  const failed = since('PUT');
  await waitFor(() => since('PUT') >= failed + 2);
  expect(only.leads).toBe(true);
});

test('one that ends in good order gives way at once', async () => {
  const first = join('a');
  await waitFor(() => first.leads);
  const second = join('b');
  await first.close();
  await waitFor(() => second.leads, TIMES.durationMs);
  expect(lease()?.spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
});

test('one that vanished is succeeded after the duration, not before', async () => {
  const gone = { holderIdentity: 'gone', leaseDurationSeconds: 1, renewTime: '2020-01-01T00:00:00.000000Z' };
  await server.create({ ...LEASE, spec: gone });
  const beganMs = performance.now();
  const next = join('a');
  await waitFor(() => next.leads);
  // Its clock says long ago, but clocks differ: only silence counts.
  expect(performance.now() - beganMs).toBeGreaterThanOrEqual(1_000);
});

test('without the API server nobody leads for longer than the duration', async () => {
  const only = join('a');
  await waitFor(() => only.leads);
  await server.goAway();
  await waitFor(() => !only.leads);
  await server.comeBack();
  await waitFor(() => only.leads);
});
