/**
 * The engine behind every command is the one that enforces: in labs of random clusters with Services, real connections get through
 * exactly where `can`, of files and of a cluster, `describe` and `graph` say so; and what policies change is what `diff` says.
 *
 * A failure says with which SLUICE_TEST_SEED it comes again. SLUICE_TEST_LABS sets how many labs there are.
 */

import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { isDerived, readManifests } from '../../sources/index.ts';
import { type ApiCluster, readCluster } from '../builders/api_objects.ts';
import { manifestDirectory } from '../builders/cli_manifests.ts';
import type { Manifest } from '../builders/manifests.ts';
import { EXTERNAL_IPS, PORTS } from '../builders/random_cluster.ts';
import { labManifests, policyManifests, type RandomLab, randomLab } from '../builders/random_lab.ts';
import { liveCluster } from '../unit/cli/support/live_cluster.ts';
import { obviousVerdict } from '../unit/policy/obvious.ts';
import { TestLab } from './harness.ts';
import { askCan, askDescribe, askDiff, askGraph, type CanQuestion } from './tools/command_answers.ts';
import {
  type FlowEnd,
  type Probe,
  probesOf,
  probeText,
  type ServiceProbe,
  serviceProbesOf,
  serviceProbeText,
} from './tools/random_probes.ts';

/** Labs of one run. */
const LABS = Number(process.env.SLUICE_TEST_LABS ?? 2);

/** Of the first lab; each further one has the next number. */
const SEED = Number(process.env.SLUICE_TEST_SEED ?? randomInt(2 ** 30));

/** Sets of policies that a lab has, one after the other. */
const STATES = 2;

/** Connections under way at once. */
const PARALLEL = 32;

/** Connections to a Service, which nodes lead to its backends in turn: a lab has no more pods. */
const TURNS = 4;

/** The same where some may get through and some not: a sidecar picks by chance, and so often the same is none. */
const TURNS_OF_CHANCE = 60;

/** A lab takes 20 s of two processors that have nothing else to do. */
const TIMEOUT_MS = 300_000;

/** What the lab is called by outside. Nobody can be called by the broadcast address. */
const OUTSIDE = EXTERNAL_IPS.filter((address) => address !== '255.255.255.255');

/** What was compared, in all labs. */
const counts = { flows: 0, open: 0, changed: 0, services: 0 };

test.each(Array.from({ length: LABS }, (_, at) => SEED + at))(
  'packets do what commands say, with seed %i',
  { timeout: TIMEOUT_MS },
  async (seed) => {
    const [random] = fc.sample(randomLab(STATES), { seed, numRuns: 1 });
    if (random === undefined) throw new Error('no cluster was made');
    expect(await differences(random), `again: SLUICE_TEST_SEED=${seed} SLUICE_TEST_LABS=1`).toEqual([]);
  },
);

test('no answer is nearly always right, and nothing is left out of the comparison', () => {
  expect(counts.open / counts.flows).toBeGreaterThan(0.05);
  expect(counts.open / counts.flows).toBeLessThan(0.95);
  expect(counts.changed).toBeGreaterThan(0);
  expect(counts.services).toBeGreaterThan(0);
});

/** How flows end: `cut` is one that is let in and then reset, which nothing that policy denies may be. */
type Outcome = 'allow' | 'deny' | 'cut';

/** Answers of who was asked; undefined: it says nothing of this. */
type Said = Readonly<Record<string, string | undefined>>;

/** @returns a line for each answer that packets do not confirm */
async function differences({ cluster, states }: RandomLab): Promise<readonly string[]> {
  const base = labManifests(cluster);
  const net = await bringUp(base);
  const { api, kubeconfig } = await liveCluster();
  const { objects } = await readManifests([net.lab.manifestsFolder]);
  for (const object of [...base, ...objects.filter(isDerived).map(({ raw }) => raw)]) await api.apply(object);
  const common = ['-f', manifestDirectory(...base)];
  const folders = states.map((policies) => manifestDirectory(...policyManifests(policies)));
  const probes = probesOf(cluster, OUTSIDE);
  const services = serviceProbesOf(cluster);

  const wrong: string[] = [];
  let before: readonly Outcome[] = [];
  for (const [at, policies] of states.entries()) {
    const compare = (flow: string, packets: string, said: Said): void => {
      for (const [who, answer] of Object.entries(said))
        if (answer !== undefined && answer !== packets)
          wrong.push(`state ${at}: ${flow}: packets say ${packets}, ${who} says ${answer}`);
    };
    const old = policyManifests(states[at - 1] ?? []);
    const now = policyManifests(policies);
    net.lab.removeObjects(...old);
    net.lab.writeObjects(...now);
    await net.lab.waitEnforced();
    for (const object of old) await api.delete(object);
    for (const object of now) await api.apply(object);

    const outcomes = await askAll(probes, ({ from, to, port }) => outcomeOf(net, from, to.address, port));
    const [folder = '', last] = [folders[at], folders[at - 1]];
    const files = [...common, '-f', folder];
    const changeOf = last === undefined ? undefined : await askDiff(last, folder, common);
    const said = await askCommands({ ...cluster, policies }, probes, services, files, kubeconfig);
    for (const [index, probe] of probes.entries()) {
      const packets = outcomes[index] ?? 'deny';
      counts.flows += 1;
      if (packets === 'allow') counts.open += 1;
      compare(probeText(probe), packets, said.ofProbe(index, probe));
      const earlier = before[index];
      if (earlier === undefined || !isDrawn(probe)) continue;
      const change = earlier === packets ? 'same' : packets === 'allow' ? 'gained' : 'lost';
      if (change !== 'same') counts.changed += 1;
      compare(probeText(probe), change, { diff: changeOf?.(probe) });
    }
    // One at a time: nodes take backends in turn.
    for (const [index, probe] of services.entries()) {
      const ofService = said.ofService(index);
      const turns = Object.values(ofService).includes('partly') ? TURNS_OF_CHANCE : TURNS;
      counts.services += 1;
      compare(serviceProbeText(probe), await serviceOutcome(net, probe, turns), ofService);
    }
    before = outcomes;
  }
  return wrong;
}

/** What commands, and the oracle, say of every flow in one state. */
async function askCommands(
  cluster: ApiCluster,
  probes: readonly Probe[],
  services: readonly ServiceProbe[],
  files: readonly string[],
  kubeconfig: string,
): Promise<{ ofProbe(index: number, probe: Probe): Said; ofService(index: number): Said }> {
  const questions = [
    ...probes.map(questionByName),
    ...probes.map(questionByAddress),
    ...services.map(({ from, address, port }) => ({ from: from.target, to: address, port })),
  ];
  const ports = new Map([...readCluster(cluster).pods].map(([key, pod]) => [key, pod.ports]));
  const [byFiles, byCluster, described, drawn] = await Promise.all([
    askCan(questions, files),
    askCan(questions, ['--kubeconfig', kubeconfig]),
    askDescribe(ports, files),
    askGraph(files),
  ]);
  const word = (isOpen: boolean) => (isOpen ? 'allow' : 'deny');
  return {
    ofProbe: (index, probe) => ({
      'the oracle': word(oracleAllows(cluster, probe)),
      'can by name': byFiles[index],
      'can by address': byFiles[probes.length + index],
      'can of the cluster by name': byCluster[index],
      'can of the cluster by address': byCluster[probes.length + index],
      // What always passes is in neither of the following.
      describe: probe.isOwnNode ? undefined : word(described(probe)),
      graph: isDrawn(probe) ? word(drawn(probe)) : undefined,
    }),
    ofService: (index) => ({
      can: byFiles[probes.length * 2 + index],
      'can of the cluster': byCluster[probes.length * 2 + index],
    }),
  };
}

/** Whether it is a flow that `graph` and `diff` have: of workloads by their names, and none that always passes. */
function isDrawn({ isOwnNode, isPreferred }: Probe): boolean {
  return !isOwnNode && isPreferred;
}

/** A lab that stays until the test is over, with a listener outside. Denials are resets, so that nobody waits for silence. */
async function bringUp(objects: readonly Manifest[]): Promise<TestLab> {
  const net = await TestLab.up({ objects, external: OUTSIDE, sidecarEnv: { SLUICE_DENY: 'reset' } });
  onTestFinished(() => net.close());
  await net.serve(
    'outside',
    PORTS.map((port) => `TCP/${port}`),
  );
  return net;
}

async function askAll<T, R>(items: readonly T[], askOne: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) results[index] = await askOne(item);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  return results;
}

async function outcomeOf(
  net: TestLab,
  { target, address: localAddress }: FlowEnd,
  address: string,
  port: number,
): Promise<Outcome> {
  const { connected, allowed } = await net.connect(target, address, port, { localAddress });
  if (allowed) return 'allow';
  return connected ? 'cut' : 'deny';
}

/** As `can` says it: `partly` where some get through and some not. */
async function serviceOutcome(net: TestLab, { from, address, port }: ServiceProbe, turns: number) {
  const seen = new Set<Outcome>();
  for (let turn = 0; turn < turns && !(seen.size > 1); turn += 1)
    seen.add(await outcomeOf(net, from, address, port));
  if (seen.has('cut')) return 'cut';
  const [only = 'deny', other] = seen;
  return other === undefined ? only : 'partly';
}

function questionByAddress({ from, to, port }: Probe): CanQuestion {
  return { from: from.address, to: to.address, port };
}

/** Where names stand for other addresses than those of the flow, by address. */
function questionByName(probe: Probe): CanQuestion {
  const { from, to, port, isPreferred } = probe;
  if (!isPreferred) return questionByAddress(probe);
  return { from: from.pod ?? from.address, to: to.pod ?? to.address, port };
}

function oracleAllows(cluster: ApiCluster, { from, to, port }: Probe): boolean {
  const flow = { source: from.address, destination: to.address, protocol: 'TCP', port };
  const { egress, ingress } = obviousVerdict(cluster, flow);
  return egress && ingress;
}
