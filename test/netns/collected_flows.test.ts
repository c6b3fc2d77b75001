/** Flows of real packets, from the sidecars that counted them through the lab's injector to the answer of a question. */
import { request } from 'node:http';
import { expect, test } from 'vitest';
import { type FlowQuestion, type ObservedAnswer, observedAnswer } from '../../flows/index.ts';
import { labPaths } from '../../lab/names/index.ts';
import { namespace, node, pod, policy } from '../builders/manifests.ts';
import { ANSWER, SILENCE, uniqueLabName, until, useLab } from './harness.ts';

const [WEB, API] = ['10.1.1.10', '10.1.1.11'];
const PORT = 8080;

/** A window has ten seconds, and connection tracking takes some to say that a connection is gone. */
const COLLECTED_MS = 60_000;

const name = uniqueLabName();
const net = useLab({
  name,
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/web', { labels: { app: 'web' }, ips: [WEB] }),
    pod('shop/job-28901234-x', { labels: { app: 'job' }, ips: ['10.1.1.12'] }),
    pod('shop/api', { labels: { app: 'api' }, ips: [API], ports: [PORT] }),
    policy('shop/api-from-web', {
      podSelector: { matchLabels: { app: 'api' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }],
    }),
  ],
});

/** Asks the injector as a command does. */
function observe(question: Partial<FlowQuestion> = {}): Promise<ObservedAnswer> {
  const asked = JSON.stringify({ since: 0, until: Number.MAX_SAFE_INTEGER, ...question });
  return new Promise((resolve, reject) => {
    const socketPath = labPaths(name).statusSocket;
    const call = request({ socketPath, path: '/observe', method: 'POST', agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => {
        try {
          resolve(observedAnswer.readJson(body, 'answer', (problem) => new Error(`${problem}: ${body}`)));
        } catch (error) {
          reject(error);
        }
      });
    });
    call.on('error', reject);
    call.end(asked);
  });
}

test('connections are one edge by the word of both ends, to the piece, and a denial names who and why', async () => {
  for (let one = 0; one < 3; one += 1)
    expect(await net.connect('shop/web', API, PORT, ANSWER)).toMatchObject({ allowed: true });
  expect(await net.connect('shop/job-28901234-x', API, PORT, SILENCE)).toMatchObject({ allowed: false });

  const allowed = {
    outcomes: ['allow'] as const,
    ports: [PORT],
    from: [{ namespace: 'shop', workload: 'pod/web' }],
  };
  await until(
    'both ends have reported',
    async () => (await observe(allowed)).flows[0]?.reported_by === 'both',
    COLLECTED_MS,
  );
  const { flows, lost } = await observe(allowed);
  expect(lost).toEqual([]);
  expect(flows).toHaveLength(1);
  expect(flows[0]).toMatchObject({
    src: { kind: 'workload', namespace: 'shop', workload: 'pod/web' },
    dst: { kind: 'workload', namespace: 'shop', workload: 'pod/api' },
    direction: 'ingress',
    policy: 'shop/api-from-web',
    rule: 0,
    flows: 3,
  });

  const denied = { outcomes: ['deny'] as const, ports: [PORT] };
  await until('the denial is there', async () => (await observe(denied)).flows.length > 0, COLLECTED_MS);
  const [denial] = (await observe(denied)).flows;
  expect(denial).toMatchObject({
    src: { workload: 'pod/job-28901234-x' },
    dst: { workload: 'pod/api' },
    direction: 'ingress',
    reason: 'no-rule',
    reported_by: 'destination',
  });
  expect(denial?.explanation).toContain('shop/api');
}, 150_000);
