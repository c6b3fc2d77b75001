/**
 * How long a brand-new peer waits at the gate: from the change that admits it until its connection is made, for connections
 * that begin with the change, and before and after it; and until a datagram passes, which is when the table has it. Needs
 * root. Prints one JSON document: medians with the least and the most, in milliseconds.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, guardLab, Lab } from '../lab/index.ts';
import type { RawManifest } from '../sources/index.ts';
import { writeManifests } from './rig/manifest_folder.ts';
import { summarize } from './statistics.ts';

const ROUNDS = 15;
/** When the connection begins, after the change. */
const STARTS_MS = [-500, 0, 20, 50, 100, 200] as const;
const API = '10.1.1.10';
const PEER = '10.1.1.11';

function pod(name: string, app: string, address: string): RawManifest {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'bench', name, labels: { app } },
    spec: {
      nodeName: 'node-1',
      containers: [
        {
          name: 'app',
          image: 'app',
          ports: [
            { containerPort: 80, protocol: 'TCP' },
            { containerPort: 53, protocol: 'UDP' },
          ],
        },
      ],
    },
    status: { phase: 'Running', hostIP: '10.0.0.1', podIP: address, podIPs: [{ ip: address }] },
  };
}

const OBJECTS: readonly RawManifest[] = [
  {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'node-1' },
    status: { addresses: [{ type: 'InternalIP', address: '10.0.0.1' }] },
  },
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'bench' } },
  pod('api', 'api', API),
  pod('peer', 'nobody', PEER),
  {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace: 'bench', name: 'allow' },
    spec: {
      podSelector: { matchLabels: { app: 'api' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'peer' } } }] }],
    },
  },
];

/** Takes the peer's right away; returns when that is in force. */
async function expel(lab: Lab, agent: Agent): Promise<void> {
  lab.writeObjects(pod('peer', 'nobody', PEER));
  while ((await agent.ask({ do: 'datagram', address: API, port: 53, timeoutMs: 100 })).allowed)
    await delay(10);
  await lab.waitEnforced();
}

const name = `b-${process.pid}-${randomBytes(3).toString('hex')}`;
const unguard = guardLab(name);
const { folder, remove } = writeManifests(OBJECTS);
let lab: Lab | undefined;
let agent: Agent | undefined;
try {
  lab = await Lab.up({ name, paths: [folder] });
  agent = new Agent(lab, 'bench/peer');
  const inTable: number[] = [];
  const waits = new Map<number, number[]>(STARTS_MS.map((start) => [start, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const start of STARTS_MS) {
      const connect = { do: 'connect', address: API, port: 80, timeoutMs: 10_000 } as const;
      const early = start < 0 ? agent.ask(connect) : undefined;
      if (start < 0) await delay(-start);
      const changedAt = performance.now();
      lab.writeObjects(pod('peer', 'peer', PEER));
      if (start > 0) await delay(start);
      const begunAt = performance.now();
      const { ms } = await (early ?? agent.ask(connect));
      waits.get(start)?.push(early === undefined ? begunAt - changedAt + ms : ms + start);
      await lab.waitEnforced();
      await expel(lab, agent);
    }
    const changedAt = performance.now();
    lab.writeObjects(pod('peer', 'peer', PEER));
    for (;;) {
      const { allowed } = await agent.ask({ do: 'datagram', address: API, port: 53, timeoutMs: 5 });
      if (allowed) break;
    }
    inTable.push(performance.now() - changedAt);
    await expel(lab, agent);
    process.stderr.write(`round ${round + 1} of ${ROUNDS}\n`);
  }
  const connected = Object.fromEntries(
    [...waits].map(([start, list]) => [`begun_at_${start}_ms`, summarize(list)]),
  );
  process.stdout.write(
    `${JSON.stringify({ rounds: ROUNDS, in_table: summarize(inTable), connected }, null, 2)}\n`,
  );
} finally {
  agent?.close();
  await lab?.down();
  unguard();
  remove();
}
