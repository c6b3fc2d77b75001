/** Windows that sidecars send are observed: real connections, the real link of a sidecar, the worker, and questions. */
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FlowSettings } from '../../../../injector/collector/index.ts';
import { flowsLine } from '../../../../policy/index.ts';
import { flowCount, flowsWindow } from '../../../builders/flow_windows.ts';
import { pod } from '../../../builders/injector_manifests.ts';
import { type Entrance, RunningInjector } from '../running_injector.ts';
import type { TestSidecar } from '../test_sidecar.ts';
import { waitFor } from '../wait_for.ts';

const KEPT = { minutesHours: 24, hoursDays: 30, maxMegabytes: 100 };

let injector: RunningInjector;
let web: TestSidecar;
let api: TestSidecar;

async function start(entrance: Entrance, collected: FlowSettings = KEPT): Promise<void> {
  injector = new RunningInjector(entrance);
  injector.dir.write('pods.yaml', pod('web', '10.0.0.1'), pod('api', '10.0.0.2'));
  await injector.start({ collected });
  [web, api] = [await injector.sidecar('shop/web'), await injector.sidecar('shop/api')];
}

/** The collector's thread is started with each injector, which takes seconds on a busy machine; ms. */
const PATIENCE_MS = 15_000;

function send(sidecar: TestSidecar, ...window: Parameters<typeof flowsWindow>): void {
  const one = flowsWindow(...window);
  const sum = one.counts.reduce((flows, count) => flows + count.flows, one.lost);
  sidecar.sendText(`${flowsLine(sum, JSON.stringify(one))}\n`);
}

afterEach(() => injector.close());

describe.each<Entrance>(['unix socket', 'TLS'])('over %s', (entrance) => {
  beforeEach(() => start(entrance));

  test('what both ends report is one edge between named workloads, by the word of the destination', async () => {
    send(web, [flowCount({ direction: 'egress', peer: '10.0.0.2', flows: 3, service: 'shop/api' })]);
    send(api, [
      flowCount({ peer: '10.0.0.1', flows: 2, sent: 70 }),
      flowCount({ peer: '203.0.113.9', outcome: 'deny', reason: 'no-rule' }),
    ]);
    await waitFor(async () => (await injector.observed()).flows.length === 2, PATIENCE_MS);
    const { flows, lost } = await injector.observed();
    expect(lost).toEqual([]);
    expect(flows).toMatchObject([
      {
        src: { kind: 'workload', namespace: 'shop', workload: 'pod/web', pod: 'web' },
        dst: { kind: 'workload', namespace: 'shop', workload: 'pod/api', pod: 'api' },
        service: 'shop/api',
        direction: 'ingress',
        outcome: 'allow',
        flows: 2,
        bytes_sent: 70,
        reported_by: 'both',
      },
      { src: { kind: 'external', address: '203.0.113.9' }, outcome: 'deny', reported_by: 'destination' },
    ]);
  });

  test('what is lost, and what is no window, is counted in each answer and in the metrics', async () => {
    send(web, [flowCount()], { lost: 4 });
    web.sendText(`${flowsLine(6, '{}')}\n`);
    await waitFor(async () => (await injector.observed()).lost.length === 2, PATIENCE_MS);
    expect((await injector.observed()).lost.map(({ flows }) => flows).sort()).toEqual([4, 6]);
    await waitFor(
      async () => (await injector.get('/metrics')).body.includes('sluice_flows_lost_total{where="form"} 6'),
      PATIENCE_MS,
    );
    expect((await injector.get('/metrics')).body).toContain('sluice_flows_lost_total{where="sidecar"} 4');
  });
});

test('who follows gets edges as they come, until it goes', async () => {
  await start('unix socket');
  let lines = '';
  const question = JSON.stringify({ since: 0, until: 0, outcomes: ['deny'] });
  const call = request(
    { socketPath: injector.statusSocket, path: '/observe?follow=1', method: 'POST' },
    (response) => {
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        lines += chunk;
      });
      response.on('error', () => {});
      send(api, [flowCount(), flowCount({ outcome: 'deny', reason: 'no-rule', flows: 9 })]);
    },
  );
  call.on('error', () => {});
  call.end(question);
  await waitFor(() => lines.endsWith('\n'), PATIENCE_MS);
  expect(
    lines
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line)),
  ).toMatchObject([{ outcome: 'deny', flows: 9 }]);
  call.destroy();
});

test('edges that who follows has missed are counted', async () => {
  await start('unix socket');
  const call = request(
    { socketPath: injector.statusSocket, path: '/observe?follow=1', method: 'POST' },
    (response) => {
      response.resume();
      response.on('error', () => {});
    },
  );
  call.on('error', () => {});
  call.end(JSON.stringify({ since: 0, until: 0 }));
  // Both windows together are more than a turn sends. A turn may come between the two: then they are sent once more.
  const ports = Array.from({ length: 505 }, (_, index) => flowCount({ port: 1 + index }));
  const isCounted = async () => {
    for (const sidecar of [api, web]) send(sidecar, ports);
    await delay(1_500);
    return /^sluice_followed_edges_missed_total [1-9]/m.test((await injector.get('/metrics')).body);
  };
  await waitFor(isCounted, PATIENCE_MS);
  call.destroy();
});

test.each([
  ['', 400],
  ['{"since":0}', 400],
  [JSON.stringify({ since: 0, until: 1, ports: Array(40_000).fill(1) }), 400],
])('a question that is none is refused', async (question, code) => {
  await start('unix socket');
  const { httpGet } = await import('../running_injector.ts');
  expect((await httpGet(injector.statusSocket, '/observe', question)).code).toBe(code);
});

test('what was stored is there after a restart, and is added to', async () => {
  await start('unix socket');
  const dir = join(injector.dir.root, 'flows');
  await injector.stop();
  await injector.start({ collected: { ...KEPT, dir } });
  api = await injector.sidecar('shop/api');
  send(api, [flowCount({ flows: 5 })]);
  await waitFor(async () => (await injector.observed()).flows[0]?.flows === 5, PATIENCE_MS);
  await injector.stop();
  expect(existsSync(dir)).toBe(true);
  await injector.start({ collected: { ...KEPT, dir } });
  expect((await injector.observed()).flows[0]?.flows).toBe(5);
  api = await injector.sidecar('shop/api');
  send(api, [flowCount({ flows: 2 })]);
  await waitFor(async () => (await injector.observed()).flows[0]?.flows === 7, PATIENCE_MS);
});
