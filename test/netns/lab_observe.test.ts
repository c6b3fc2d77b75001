/** Real packets of a lab, as `observe --direct`, `connections`, `status` and `wait` show them. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { readState } from '../../lab/state/state.ts';
import { namespace, node, pod, policy } from '../builders/manifests.ts';
import { schemaProblems } from '../unit/cli/support/schema.ts';
import { SILENCE, useLab } from './harness.ts';
import { outcomeOf, sluice, startSluice } from './sluice_command.ts';

const net = useLab({
  objects: [
    node(1),
    node(2),
    namespace('shop'),
    pod('shop/api', { ips: ['10.1.1.1'], labels: { app: 'api' }, ports: [80, 81] }),
    pod('shop/web', { ips: ['10.1.2.1'], labels: { app: 'web' }, ports: [80], node: 2 }),
    pod('shop/db', { ips: ['10.1.1.2'], labels: { app: 'db' }, ports: [80] }),
    policy('shop/api-in', {
      podSelector: { matchLabels: { app: 'api' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ port: 80 }] }],
    }),
  ],
});

const inLab = (...args: string[]) => sluice([...args, '--lab', net.lab.name]);

test('who was denied, and by which rule nearly admitted', async () => {
  expect((await net.connect('shop/db', '10.1.1.1', 80, SILENCE)).allowed).toBe(false);
  expect((await net.connect('shop/web', '10.1.1.1', 80)).allowed).toBe(true);
  await expect
    .poll(async () => (await inLab('observe', '--direct', '--denied', '--to', 'shop/api')).stdout)
    .toMatch(/denied +shop\/db +shop\/api +TCP\/80 +api-in\[0\]: .*app=web/);
  const json = await inLab('observe', '--direct', '--from', 'shop/pod/web', '--to', 'shop/api', '-o', 'json');
  expect(schemaProblems('observe.v1.json', json.stdout)).toEqual([]);
  expect(JSON.parse(json.stdout)).toMatchObject({
    flows: [{ src: { workload: 'pod/web' }, dst: { workload: 'pod/api' }, outcome: 'allow', port: 80 }],
  });
});

test('flows are followed as they are recorded', async () => {
  const child = startSluice([
    'observe',
    '--direct',
    '-f',
    '--denied',
    '--lab',
    net.lab.name,
    '--timeout',
    '12s',
  ]);
  const ended = outcomeOf(child);
  await delay(3_000);
  expect((await net.connect('shop/db', '10.1.1.1', 81, SILENCE)).allowed).toBe(false);
  const { code, stdout } = await ended;
  expect(code).toBe(124);
  expect(stdout).toMatch(/^denied {3}\S+ {2}shop\/db -> shop\/api TCP\/81 /m);
});

test('live connections with their bytes and the rule that holds them', async () => {
  const flow = { group: 'live', count: 1, address: '10.1.1.1', port: 80, work: { kind: 'hold' } } as const;
  await net.open('shop/web', flow);
  const { stdout } = await inLab('connections', 'po/api', '-n', 'shop', '-o', 'json');
  expect(schemaProblems('connections.v1.json', stdout)).toEqual([]);
  expect(JSON.parse(stdout)).toMatchObject({
    pods: ['shop/api'],
    silent: [],
    connections: [
      {
        pod: 'shop/api',
        src: { address: '10.1.2.1', pod: 'shop/web', workload: 'pod/web' },
        dst: { address: '10.1.1.1', port: 80 },
        policy: 'shop/api-in',
        rule: 0,
      },
    ],
  });
  const text = await inLab('connections');
  expect(text.stdout).toMatch(
    /shop\/api +shop\/web +TCP\/80 +\S+ +\d+ k?B +\d+ k?B +relaying +api-in ingress\[0\]/,
  );
  expect(text.stdout).toMatch(/1 connection into 3 pods\n$/);
  expect(await inLab('connections', 'po/ap')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('did you mean'),
  });
});

test('a policy is waited for, and who lags is named', async () => {
  const more = policy('shop/more', { podSelector: {}, policyTypes: ['Ingress'] });
  net.lab.writeObjects(more);
  const waited = await inLab('wait', 'netpol/more', '-n', 'shop', '--timeout', '30s');
  expect(waited).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^enforced +shop\/more {2}.*3 of 3 pods/),
  });
  const { pid } = readState(net.lab.name).processes['shop/db']?.sidecar ?? {};
  if (pid === undefined) throw new Error('the sidecar of shop/db is not known');
  process.kill(pid, 'SIGKILL');
  await expect
    .poll(async () => (await inLab('status', 'netpol/more', '-n', 'shop')).stdout)
    .toContain(`its sidecar does not run  sluice lab apply --name ${net.lab.name}`);
  const { code, stdout } = await inLab('wait', 'netpol/more', '-n', 'shop', '--timeout', '1s');
  expect(code).toBe(124);
  expect(stdout).toMatch(
    /^pending +shop\/more {2}2 of 3 pods enforce it\n {2}shop\/pod\/db +db +its sidecar/,
  );
  const all = await inLab('status', '-o', 'json');
  expect(schemaProblems('status.v1.json', all.stdout)).toEqual([]);
  const partly = await inLab('observe', '--direct');
  expect(partly.stdout).toContain('1 of 3 sidecars did not answer: shop/db (its sidecar does not run)');
});
