/**
 * Policies of random clusters, judged in three ways: directly, by compiled tables, and by the gate's rules at work. All
 * three say the same of every flow; and rules that were changed step by step are those that starting over gives.
 */
import fc from 'fast-check';
import {
  createCompiler,
  createEvaluator,
  createJudge,
  type Direction,
  type Evaluator,
  isSubject,
  type Judge,
  type Protocol,
  readTable,
  tableJson,
  virtualKey,
} from '../../../policy/index.ts';
import { netlinkElements } from '../../../sidecar/gate/kernel/netlink_elements.ts';
import { nftText } from '../../../sidecar/gate/kernel/nft_text.ts';
import { wholeRuleset } from '../../../sidecar/gate/kernel/ruleset.ts';
import { serviceSlices } from '../../../sidecar/gate/kernel/service_elements.ts';
import {
  addedCounts,
  LOADING_CHAIN,
  missingCounts,
  preparedCounts,
} from '../../../sidecar/gate/kernel/service_rules.ts';
import type { GateSettings } from '../../../sidecar/gate/kernel/settings.ts';
import { gateChanges } from '../../../sidecar/gate/plan/gate_changes.ts';
import type { GatePlan } from '../../../sidecar/gate/plan/plan.ts';
import { GatePlanner } from '../../../sidecar/gate/plan/planner.ts';
import { NO_SERVICES } from '../../../sidecar/gate/plan/service_plan.ts';
import { atOnce } from '../../../sidecar/gate/plan/steps.ts';
import { type ApiCluster, type ApiRule, apiPolicy, readCluster } from '../../builders/api_objects.ts';
import { apiCluster } from '../../builders/random_cluster.ts';
import type { ObviousFlow } from '../../unit/policy/obvious.ts';
import { probePool, randomProbe } from '../../unit/policy/probes.ts';
import { editedTables } from '../../unit/sidecar/gate/edited_tables.ts';
import { gatePlan } from '../../unit/sidecar/gate/gate_plan.ts';
import { GateMachine } from '../gate_machine.ts';
import type { Random } from '../random.ts';
import { type Counts, Finding, type FuzzTarget } from '../target.ts';

const SETTINGS: GateSettings = { deny: 'drop', otherProtocols: 'drop', adminPort: 15_021 };

/** Questions about each cluster: making it costs more. */
const FLOWS = 300;
/** Cases in a hundred that are about changes. */
const EDITED_PERCENT = 20;
const EDITS = 4;

/** The fuzzer. */
export const policiesTarget: FuzzTarget = {
  name: 'policies',
  about: "random policies: direct evaluation, compiled tables and the gate's rules say the same",
  open: () => ({
    tryCase: (random, counts) =>
      random.chance(EDITED_PERCENT) ? tryEdits(random, counts) : tryCluster(random, counts),
  }),
};

/** One pod's judge and gate. */
interface Subject {
  readonly judge: Judge;
  readonly gate: GateMachine;
}

function tryCluster(random: Random, counts: Counts): void {
  const objects = clusterOf(random);
  const cluster = readCluster(objects);
  const compiler = createCompiler(cluster);
  const evaluator = createEvaluator(cluster);
  const subjects = new Map<string, Subject>();
  for (const [key, pod] of cluster.pods) {
    if (!isSubject(pod)) continue;
    const table = readTable(JSON.parse(JSON.stringify(tableJson(compiler.compile(key, 1)))));
    const subject = { judge: createJudge(table), gate: loaded(gatePlan(table)) };
    for (const address of pod.ips) {
      const owner = compiler.identify(address)?.pod;
      if (owner?.name === pod.name && owner.namespace === pod.namespace) subjects.set(address, subject);
    }
    tryServices(subject, objects, counts);
  }
  const pool = probePool(objects);
  for (let i = 0; i < FLOWS; i += 1) {
    const flow = randomProbe(pool, (count) => random.below(count));
    if (flow === undefined) return;
    tryFlow(flow, evaluator, subjects, objects, counts);
  }
}

/** Random objects; every other time one more policy that lets some of what is sent pass, so that Services are served. */
function clusterOf(random: Random): ApiCluster {
  const [objects = {}] = fc.sample(apiCluster, { numRuns: 1, seed: random.uint32() | 0 });
  if (random.chance(50)) return objects;
  const egress = random.pick<ApiRule>([
    {},
    { to: [{ namespaceSelector: {} }] },
    { to: [{ ipBlock: { cidr: '10.0.0.0/24' } }, { ipBlock: { cidr: 'fd00::/64' } }] },
    { ports: [{ port: 80, endPort: 85 }] },
  ]);
  const key = `${random.pick(['a', 'b'])}/sends`;
  const policy = apiPolicy(key, { podSelector: {}, policyTypes: ['Egress'], egress: [egress] });
  return { ...objects, policies: [...(objects.policies ?? []), policy] };
}

function tryFlow(
  flow: ObviousFlow,
  evaluator: Evaluator,
  subjects: ReadonlyMap<string, Subject>,
  objects: unknown,
  counts: Counts,
): void {
  const { source, destination, port } = flow;
  const protocol = flow.protocol as Protocol;
  const direct = evaluator.evaluate({
    source: { kind: 'address', address: source },
    destination: { kind: 'address', address: destination },
    protocol,
    port,
  });
  for (const direction of ['ingress', 'egress'] as const) {
    const [own, peer] = direction === 'ingress' ? [destination, source] : [source, destination];
    const subject = subjects.get(own);
    if (subject === undefined) continue;
    counts.inputs += 1;
    const compiled = subject.judge.judge(direction, peer, protocol, port);
    counts.add(compiled.verdict);
    const verdicts = {
      direct: direct[direction].verdict,
      compiled: compiled.verdict,
      gate: gateVerdict(subject, direction, { source, destination, protocol, port }, compiled.reason),
    };
    if (verdicts.compiled === verdicts.direct && (verdicts.gate ?? verdicts.direct) === verdicts.direct)
      continue;
    throw new Finding(`verdicts differ at ${direction}`, { flow, verdicts, objects });
  }
}

/** Undefined where the gate's hooks exempt what policy does not judge, and for virtual ports. */
function gateVerdict(
  { judge, gate }: Subject,
  direction: Direction,
  packet: Parameters<GateMachine['egress']>[0],
  reason: string,
): 'allow' | 'deny' | undefined {
  if (reason === 'self' || reason === 'own-node') return undefined;
  const { destination, protocol, port } = packet;
  if (direction === 'egress' && judge.table.services.has(virtualKey(destination, protocol, port)))
    return undefined;
  const [outcome] = direction === 'ingress' ? gate.ingress(packet) : gate.egress(packet);
  return outcome?.verdict === 'accept' ? 'allow' : 'deny';
}

/** A virtual port leads to the ready backends that policy allows: to all of them, or with affinity to one; to no other. */
function tryServices({ judge, gate }: Subject, objects: unknown, counts: Counts): void {
  const { services, subject, egress } = judge.table;
  if (egress.isolating.length === 0) return;
  for (const [key, { backends, affinitySeconds }] of services) {
    const [destination = '', protocol = '', number = ''] = key.split(/[ /]/);
    const source = subject.ips.find((ip) => ip.includes(':') === destination.includes(':'));
    if (source === undefined) continue;
    counts.inputs += 1;
    const packet = { source, destination, protocol: protocol as Protocol, port: Number(number) };
    const outcomes = gate.egress(packet);
    const taken = new Set(
      // The pod itself and its node are exempt by hooks, which are not asked here.
      outcomes.flatMap((one) => (one.destination === destination ? [] : [`${one.destination} ${one.port}`])),
    );
    const allowed = backends.filter(
      ({ address, port }) => judge.judge('egress', address, packet.protocol, port).verdict === 'allow',
    );
    const wanted = new Set(allowed.map(({ address, port }) => `${address} ${port}`));
    const count = affinitySeconds === undefined ? wanted.size : Math.min(wanted.size, 1);
    const isDenied = wanted.size > 0 || outcomes.every(({ verdict }) => verdict === 'drop');
    counts.add(wanted.size > 0 ? 'services served' : 'services denied');
    if (taken.size === count && [...taken].every((one) => wanted.has(one)) && isDenied) continue;
    throw new Finding('a Service leads elsewhere', {
      key,
      wanted: [...wanted],
      outcomes,
      table: tableJson(judge.table),
      objects,
    });
  }
}

/** Tables that follow one another: what changes lead to is what starting over leads to. */
function tryEdits(random: Random, counts: Counts): void {
  const [tables = []] = fc.sample(editedTables(EDITS), { numRuns: 1, seed: random.uint32() | 0 });
  const planner = new GatePlanner();
  let before: GatePlan | undefined;
  let gate = new GateMachine();
  for (const [place, table] of tables.entries()) {
    const plan = atOnce(planner.plan(table));
    if (before === undefined) gate = loaded(plan);
    else change(gate, before, plan);
    counts.inputs += 1;
    counts.add('tables');
    const [got, wanted] = [gate.contents.join('\n'), loaded(gatePlan(table)).contents.join('\n')];
    if (got !== wanted)
      throw new Finding('a change leads elsewhere than starting over', {
        got,
        wanted,
        place,
        tables: tables.map(tableJson),
      });
    before = plan;
  }
}

/** As `Gate` puts a table in force. */
function loaded(plan: GatePlan): GateMachine {
  const machine = new GateMachine();
  machine.run(atOnce(wholeRuleset(plan, SETTINGS)));
  for (const slice of serviceSlices(NO_SERVICES, plan.egress.services)) machine.change(slice);
  machine.change([], { emptied: [LOADING_CHAIN] });
  return machine;
}

/** As `Gate` changes it. */
function change(machine: GateMachine, before: GatePlan, plan: GatePlan): void {
  const [from, to] = [before.egress.services, plan.egress.services];
  machine.run(addedCounts(missingCounts(preparedCounts(from), to)).join('\n'));
  const changes = atOnce(gateChanges(before, plan));
  const elements = netlinkElements(changes);
  if (elements !== undefined) machine.change(elements.changes, { gone: elements.goneChains });
  for (const slice of serviceSlices(from, to)) machine.change(slice);
  if (elements === undefined) machine.run(atOnce(nftText(changes)));
}
