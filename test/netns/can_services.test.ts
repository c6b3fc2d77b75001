/** What `sluice can` says of Services is what packets get: from the objects as they stand in the lab. */
import { expect, test } from 'vitest';
import { createAnswerer } from '../../cli/can/answerer.ts';
import { readManifests } from '../../sources/manifests.ts';
import { namespace, node, pod, policy, service } from '../builders/manifests.ts';
import { patience, useLab } from './harness.ts';

const DB = '10.97.7.7';
const DATA = '10.97.7.8';
const OPEN = '10.97.7.9';

const backend = (name: string, ip: string, labels: Readonly<Record<string, string>>) =>
  pod(`t/${name}`, { labels, ips: [ip], ports: [6379] });

const client = (name: string, ip: string) => pod(`t/${name}`, { labels: { app: name }, ips: [ip] });

const toDb = { to: [{ podSelector: { matchLabels: { app: 'db' } } }] };

const net = useLab({
  objects: [
    node(1),
    namespace('t'),
    backend('db', '10.1.1.10', { app: 'db' }),
    backend('db2', '10.1.1.11', { app: 'db', tier: 'data' }),
    backend('open', '10.1.1.12', { app: 'open', tier: 'data' }),
    client('web', '10.1.1.20'),
    client('bad', '10.1.1.21'),
    client('wrong', '10.1.1.22'),
    // Nobody has given it an address yet: the lab is made without it.
    pod('t/stuck', { labels: { app: 'stuck' }, ips: [] }),
    service('t/db', { ips: [DB], ports: ['80:6379'], more: { selector: { app: 'db' } } }),
    service('t/data', { ips: [DATA], ports: ['80:6379'], more: { selector: { tier: 'data' } } }),
    service('t/open', { ips: [OPEN], ports: ['80:6379'], more: { selector: { app: 'open' } } }),
    policy('t/db', {
      podSelector: { matchLabels: { app: 'db' } },
      ingress: [
        {
          from: [
            { podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['web', 'wrong'] }] } },
          ],
        },
      ],
    }),
    policy('t/web-egress', {
      podSelector: { matchLabels: { app: 'web' } },
      policyTypes: ['Egress'],
      egress: [{ ...toDb, ports: [{ port: 6379 }] }],
    }),
    policy('t/wrong-egress', {
      podSelector: { matchLabels: { app: 'wrong' } },
      policyTypes: ['Egress'],
      egress: [{ ...toDb, ports: [{ port: 80 }] }],
    }),
  ],
});

/** Connections of which each way of a mixed Service is taken at least once, but for one time in a thousand. */
const TIMES = 10;

test.each([
  ['t/web', DB, 'allow'],
  ['t/bad', DB, 'deny'],
  ['t/wrong', DB, 'deny'],
  ['t/web', DATA, 'allow'],
  ['t/bad', DATA, 'partly'],
  ['t/bad', OPEN, 'allow'],
  ['t/web', OPEN, 'deny'],
] as const)('%s to %s: %s', async (from, to, verdict) => {
  const manifests = await readManifests([net.lab.manifestsFolder]);
  const answer = createAnswerer(manifests, { suggest: false }).answer({ from, to, port: '80' });
  expect(answer.verdict).toBe(verdict);
  const outcomes = new Set<boolean>();
  for (let turn = 0; turn < TIMES; turn += 1)
    outcomes.add((await net.connect(from, to, 80, patience(verdict === 'allow'))).allowed);
  expect([...outcomes].sort()).toEqual({ allow: [true], deny: [false], partly: [false, true] }[verdict]);
});

test('a pod without an address is no part of the lab', () => {
  expect(net.lab.topology.pods.map(({ key }) => key)).not.toContain('t/stuck');
});
