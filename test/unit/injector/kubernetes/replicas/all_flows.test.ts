/** Replicas that ask each other what they have observed, over their status ports. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FlowQuestion, ObservedAnswer } from '../../../../../flows/index.ts';
import { AllFlows } from '../../../../../injector/kubernetes/replicas/index.ts';
import { createInjectorMetrics } from '../../../../../injector/metrics.ts';
import { type StatusServer, startStatusServer } from '../../../../../injector/status_server.ts';
import { edge } from '../../../../builders/observed_flows.ts';
import { freePorts } from '../../../../support/free_ports.ts';
import { captureLog } from '../../captured_log.ts';

/** Addresses of replicas; here all ask from the first. */
const [ASKING, HERE, THERE, SILENT] = ['127.0.0.1', '127.0.0.21', '127.0.0.22', '127.0.0.23'];

let servers: StatusServer[];
let statusPort: number;
beforeEach(async () => {
  servers = [];
  [statusPort = 0] = await freePorts(1);
});
afterEach(async () => {
  for (const server of servers) await server.close();
});

/** A replica that has observed these; asks `replicas`. */
async function replicaAt(
  host: string,
  replica: string,
  answer: Partial<ObservedAnswer>,
  replicas: readonly string[],
  trusts: readonly string[] = [ASKING],
): Promise<AllFlows> {
  const collector = {
    askJson: () => Promise.reject(new Error('there are others')),
    ask: async ({ since, until }: FlowQuestion): Promise<ObservedAnswer> => ({
      ...{ since: new Date(since).toISOString(), until: new Date(until).toISOString() },
      ...{ observed_since: '2026-11-30T10:00:00.000Z', lost: [], flows: [], ...answer },
    }),
  };
  const all = new AllFlows({ collector, replicas: () => replicas, replica, statusPort });
  const parts = {
    ...{ tables: () => undefined, source: { refresh: async () => {} }, metrics: createInjectorMetrics() },
    ...{ replicas: () => trusts, flows: (question: FlowQuestion) => all.own(question) },
    ...{ unhealthy: () => undefined, unready: () => undefined },
  };
  servers.push(await startStatusServer(parts, { host, port: statusPort }, captureLog().log));
  return all;
}

const question = { since: Date.parse('2026-11-30T11:00:00Z'), until: Date.parse('2026-11-30T12:00:00Z') };

test('halves of an edge that two replicas have are put together, and what each has lost is added', async () => {
  const half = { outcome: 'allow', flows: 3 } as const;
  const replicas = [HERE, THERE];
  const here = await replicaAt(
    HERE,
    'a',
    {
      flows: [
        edge('shop/deploy/web', 'shop/deploy/api', { ...half, direction: 'egress', reported_by: 'source' }),
      ],
      lost: [{ flows: 1, why: 'x' }],
    },
    replicas,
  );
  await replicaAt(
    THERE,
    'b',
    {
      flows: [
        edge('shop/deploy/web', 'shop/deploy/api', {
          ...half,
          direction: 'ingress',
          reported_by: 'destination',
        }),
      ],
      lost: [{ flows: 2, why: 'x' }],
      observed_since: '2026-11-30T11:30:00.000Z',
    },
    replicas,
  );
  const { flows, lost, observed_since } = await here.ask(question);
  expect(flows).toHaveLength(1);
  expect(flows[0]).toMatchObject({ direction: 'ingress', flows: 3, reported_by: 'both' });
  expect(lost).toEqual([{ flows: 3, why: 'x' }]);
  expect(observed_since).toBe('2026-11-30T11:30:00.000Z');
});

test('a replica that does not answer, or does not know who asks, is named', async () => {
  const here = await replicaAt(
    HERE,
    'a',
    { flows: [edge('shop/deploy/web', 'shop/deploy/api', { flows: 4 })] },
    [HERE, THERE, SILENT],
  );
  await replicaAt(THERE, 'b', { flows: [edge('shop/deploy/web', 'shop/deploy/api', { flows: 9 })] }, [], []);
  const { flows, lost } = await here.ask(question);
  expect(flows.map((edge) => edge.flows)).toEqual([4]);
  expect(lost).toEqual([{ flows: 0, why: '2 of 3 addresses of replicas did not answer' }]);
});
