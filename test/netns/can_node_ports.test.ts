/** What `sluice can` says of a node's port is what packets get from a node that translates it as kube-proxy does. */
import { execFileSync } from 'node:child_process';
import { beforeAll, expect, test } from 'vitest';
import { createAnswerer } from '../../cli/can/answerer.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import { readManifests } from '../../sources/manifests.ts';
import { namespace, node, pod, policy, service } from '../builders/manifests.ts';
import { patience, useLab } from './harness.ts';

const NODES = ['10.0.0.1', '10.0.0.2'] as const;
const OUTSIDE = '203.0.113.1';
const DB = '10.1.1.10';

/** Ports of two Services of the same pod: `externalTrafficPolicy` Cluster and Local. */
const CLUSTER = 30_080;
const LOCAL = 30_081;

const nodePort = (name: string, ip: string, port: number, externalTrafficPolicy: string) =>
  service(`t/${name}`, {
    ips: [ip],
    app: 'db',
    more: {
      type: 'NodePort',
      externalTrafficPolicy,
      ports: [{ port: 80, targetPort: 6379, nodePort: port }],
    },
  });

const net = useLab({
  external: [OUTSIDE],
  objects: [
    node(1),
    node(2),
    namespace('t'),
    pod('t/db', { labels: { app: 'db' }, ips: [DB], ports: [6379] }),
    pod('t/web', { labels: { app: 'web' }, ips: ['10.1.2.20'], node: 2 }),
    pod('t/bad', { labels: { app: 'bad' }, ips: ['10.1.2.21'], node: 2 }),
    pod('t/shut', { labels: { app: 'shut' }, ips: ['10.1.2.22'], node: 2 }),
    nodePort('cluster', '10.97.7.7', CLUSTER, 'Cluster'),
    nodePort('local', '10.97.7.8', LOCAL, 'Local'),
    policy('t/db', {
      podSelector: { matchLabels: { app: 'db' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }],
    }),
    policy('t/shut', {
      podSelector: { matchLabels: { app: 'shut' } },
      policyTypes: ['Egress'],
      egress: [{ to: [{ podSelector: { matchLabels: { app: 'db' } } }] }],
    }),
  ],
});

/**
 * kube-proxy's translation: with Cluster the source is hidden, with Local not. The backend is on the first node, whose
 * address is its gateway too, as in clusters the address that masquerading takes is.
 */
const rules = (address: string) => `
  table ip node_ports {
    chain in {
      type nat hook prerouting priority -110;
      ip daddr ${address} tcp dport ${CLUSTER} meta mark set 0x4000 dnat to ${DB}:6379;
      ip daddr ${address} tcp dport ${LOCAL} dnat to ${DB}:6379;
    }
    chain out { type nat hook postrouting priority 90; meta mark 0x4000 snat to ${address}; }
  }`;

beforeAll(() => {
  for (const [index, address] of NODES.entries()) {
    const [command = '', ...argv] = inNetns(net.lab.netns(`node/node-${index + 1}`), ['nft', '-f', '-']);
    execFileSync(command, argv, { input: rules(address) });
  }
});

test.each([
  ['outside', NODES[0], CLUSTER, 'allow'],
  ['outside', NODES[1], CLUSTER, 'deny'],
  ['t/bad', NODES[0], CLUSTER, 'allow'],
  ['t/web', NODES[1], CLUSTER, 'deny'],
  ['t/shut', NODES[0], CLUSTER, 'deny'],
  ['outside', NODES[0], LOCAL, 'deny'],
  ['t/web', NODES[1], LOCAL, 'allow'],
  ['t/bad', NODES[1], LOCAL, 'deny'],
] as const)('%s to %s:%i: %s', async (from, to, port, verdict) => {
  const manifests = await readManifests([net.lab.manifestsFolder]);
  const answerer = createAnswerer(manifests, { suggest: false });
  const answer = answerer.answer({ from: from === 'outside' ? OUTSIDE : from, to, port: String(port) });
  expect(answer.service?.front).toMatchObject({ kind: 'node', nodePort: port });
  expect(answer.verdict).toBe(verdict);
  const { allowed } = await net.connect(from, to, port, patience(verdict === 'allow'));
  expect(allowed).toBe(verdict === 'allow');
});
