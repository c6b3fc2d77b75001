/**
 * Frames of an injector, valid and broken, into a sidecar's real stream and table. What is refused leaves the table as it
 * was; what is accepted leads to the table that a slow, obvious reading of the frame leads to; the gate's plan and the
 * judge say the same of it.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { digestOf } from '../../../common/digest.ts';
import {
  createCompiler,
  createJudge,
  type Direction,
  isSubject,
  PartDigests,
  type Protocol,
  readTable,
  type Table,
  type TableChange,
  type TableJson,
  tableJson,
} from '../../../policy/index.ts';
import { wholeRuleset } from '../../../sidecar/gate/kernel/ruleset.ts';
import type { GatePlan } from '../../../sidecar/gate/plan/plan.ts';
import { GatePlanner } from '../../../sidecar/gate/plan/planner.ts';
import { atOnce } from '../../../sidecar/gate/plan/steps.ts';
import { readCluster } from '../../builders/api_objects.ts';
import { apiCluster } from '../../builders/random_cluster.ts';
import { changeBetween, outlineOf } from '../../builders/table_frames.ts';
import { gatePlan } from '../../unit/sidecar/gate/gate_plan.ts';
import { planAdmits } from '../../unit/sidecar/gate/lookup.ts';
import { mutated, mutatedText } from '../mutation.ts';
import { obviousTable } from '../obvious_table.ts';
import type { Random } from '../random.ts';
import { StreamUnderTest } from '../stream_under_test.ts';
import { type Counts, Finding, type FuzzTarget } from '../target.ts';

/** Connections per cluster: making a cluster costs more than a connection. */
const STREAMS = 25;

/** Frames per connection, after the first snapshot. */
const FRAMES = 8;

/** Asked about each table that is put in force, of the 120 there are. */
const QUESTIONS = 24;

const FROM = 5;
const TO = 6;

const ODDITIES = {
  values: [
    '10.0.0.1',
    '010.0.0.1',
    '::ffff:10.0.0.1',
    'FD00::1',
    '0.0.0.0/0',
    '1.2.3.4/33',
    '10.0.0.1; flush ruleset',
    '10.0.0.1 }\nflush ruleset\n#',
    'TCP',
    'tcp',
    65_535,
    65_536,
    '10.0.0.1 TCP/80',
  ],
  keys: ['kind', '10.0.0.7', 'subject', 'groups', 'group', 'members', 'ports', 'services'],
};

const PEERS = [
  '10.0.0.1',
  '10.0.0.2',
  '10.0.0.9',
  '10.0.1.1',
  '10.0.1.130',
  'fd00::1',
  'fd00::2',
  '203.0.113.7',
  '8.8.8.8',
  '192.168.0.1',
];
const PORTS = [80, 81, 443];
const PROTOCOLS: readonly Protocol[] = ['TCP', 'UDP'];
const DIRECTIONS: readonly Direction[] = ['ingress', 'egress'];

/** Text that only a frame can have brought into a ruleset. */
const FOREIGN = /flush ruleset|[^\x20-\x7e\n]/;

/** The fuzzer. */
export const framesTarget: FuzzTarget = {
  name: 'frames',
  about: "an injector's frames to a sidecar: refused whole, or applied as they say",
  open: () => ({ tryCase }),
};

interface Start {
  readonly pod: { readonly namespace: string; readonly name: string };
  readonly table: Table;
  readonly change: TableChange;
  /** The later table. */
  readonly later: Table;
}

function tryCase(random: Random, counts: Counts): void {
  const start = startOf(random);
  if (start === undefined) return;
  for (let stream = 0; stream < STREAMS; stream += 1) tryStream(random, counts, start);
}

/** A pod's table in one random cluster, and what leads to its table in another one. */
function startOf(random: Random): Start | undefined {
  const [one = {}, other = {}] = fc.sample(apiCluster, { numRuns: 2, seed: random.uint32() | 0 });
  const before = readCluster(one);
  // The pods of before stay where the other cluster has none of their name: changes, not tables that come and go.
  const pods = new Map([...(other.pods ?? []), ...(one.pods ?? [])].map((pod) => [keyOf(pod.metadata), pod]));
  const after = readCluster({ ...other, pods: [...pods.values()] });
  const found = [...before.pods].find(([key, pod]) => {
    const later = after.pods.get(key);
    return isSubject(pod) && later !== undefined && isSubject(later);
  });
  if (found === undefined) return undefined;
  const [key, { namespace, name }] = found;
  const table = createCompiler(before).compile(key, FROM);
  const later = createCompiler(after).compile(key, TO);
  return { pod: { namespace, name }, table, change: changeBetween(table, later), later };
}

function keyOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}

function tryStream(random: Random, counts: Counts, { pod, table, change, later }: Start): void {
  const digests = new PartDigests(digestOf);
  const valid: readonly object[] = [
    { type: 'snapshot', table: tableJson(table) },
    // As it comes from the injector: the Services in parts.
    { type: 'snapshot', table: { ...tableJson(table), services: partsOf(tableJson(table).services) } },
    { type: 'change', change: { ...change, services: partsOf(change.services ?? {}) } },
    { type: 'change', change },
    { type: 'outline', outline: outlineOf(table, digests) },
    { type: 'outline', outline: outlineOf(later, digests, () => random.chance(70)) },
    { type: 'heartbeat', revision: TO },
  ];
  const lines = [JSON.stringify(valid[0])];
  for (let frame = 0; frame < FRAMES; frame += 1) {
    lines.push(
      random.chance(20) ? JSON.stringify(random.pick(valid)) : brokenLine(random, random.pick(valid)),
    );
  }
  const stream = new StreamUnderTest(pod);
  const planner = new GatePlanner();
  const fed: string[] = [];
  let text = textOf(stream.table);
  try {
    for (const line of lines.flatMap((text) => text.split('\n'))) {
      fed.push(line);
      counts.inputs += 1;
      const before = stream.table;
      const isRefused = stream.feed(line);
      const after = stream.table;
      if (isRefused) {
        counts.add('refused');
        if (after !== before || textOf(after) !== text)
          throw new Finding('the frame was refused, and yet the table is another one', fed);
      } else if (after === before || after === undefined) counts.add('without effect');
      else {
        counts.add(`accepted ${typeOf(line)}s`);
        text = textOf(after);
        const wrong = wrongWith(random, pod, JSON.parse(line), before, after, planner);
        if (wrong !== undefined) throw new Finding(wrong, fed);
      }
    }
  } catch (error) {
    throw error instanceof Finding ? error : new Finding(`threw ${(error as Error).stack}`, fed);
  } finally {
    stream.close();
  }
}

/** Each entry by itself. */
function partsOf(record: object): object[] {
  return Object.entries(record).map(([key, value]) => ({ [key]: value }));
}

function typeOf(line: string): string {
  return (JSON.parse(line) as { readonly type: string }).type;
}

function textOf(table: Table | undefined): string {
  return JSON.stringify(table && tableJson(table));
}

function brokenLine(random: Random, frame: object): string {
  if (random.chance(33)) return mutatedText(random, JSON.stringify(frame));
  let value: unknown = frame; // never changed in place
  const mutations = 1 + random.below(3);
  for (let mutation = 0; mutation < mutations; mutation += 1) value = mutated(random, value, ODDITIES);
  return JSON.stringify(value);
}

/** What is wrong with a table that a frame has put in force. */
function wrongWith(
  random: Random,
  pod: { readonly namespace: string; readonly name: string },
  frame: unknown,
  before: Table | undefined,
  after: Table,
  planner: GatePlanner,
): string | undefined {
  if (keyOf(after.subject) !== keyOf(pod)) return `a table of ${keyOf(after.subject)} is in force`;
  const json: TableJson = tableJson(after);
  if (!isDeepStrictEqual(json, obviousTable(frame, before && tableJson(before))))
    return 'the table is not what the frame says';
  const reread = readTable(JSON.parse(JSON.stringify(json)));
  const plan = atOnce(planner.plan(after));
  const ruleset = atOnce(wholeRuleset(plan, { deny: 'drop', otherProtocols: 'drop', adminPort: 15_021 }));
  const foreign = FOREIGN.exec(ruleset);
  if (foreign !== null) return `the ruleset has text of the frame: ${JSON.stringify(foreign[0])}`;
  return verdictsApart(random, after, reread, [plan, gatePlan(reread)]);
}

/** Gate and judge answer the same questions alike, from the table as it came about and as it is read from disk. */
function verdictsApart(
  random: Random,
  table: Table,
  reread: Table,
  plans: readonly GatePlan[],
): string | undefined {
  const judges = [createJudge(table), createJudge(reread)];
  for (let question = 0; question < QUESTIONS; question += 1) {
    const [direction, peer] = [random.pick(DIRECTIONS), random.pick(PEERS)];
    const [protocol, port] = [random.pick(PROTOCOLS), random.pick(PORTS)];
    // The pod itself is let through by interface, and no verdict is asked for about a virtual port.
    if (table.subject.ips.includes(peer)) continue;
    if (table.services.has(`${peer} ${protocol}/${port}`)) continue;
    const said = [
      ...judges.map((judge) => judge.judge(direction, peer, protocol, port).verdict === 'allow'),
      ...plans.map((plan) => planAdmits(plan, direction, peer, protocol, port)),
    ];
    if (new Set(said).size > 1)
      return `gate and judge differ about ${direction} ${peer} ${protocol}/${port}: judges and plans say ${said}`;
  }
  return undefined;
}
