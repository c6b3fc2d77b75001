/**
 * The injector of the rows of `npm run bench -- scale`: the table server and its transport as they are in production, over a
 * cluster in memory. Its parent gives it orders.
 */
import { pino } from 'pino';
import { unreachable } from '../../../common/errors.ts';
import { createInjectorMetrics } from '../../../injector/metrics.ts';
import { TableServer } from '../../../injector/tables/index.ts';
import { DEFAULT_POLICY_LIMITS, objectKey, parseNetworkPolicy } from '../../../policy/index.ts';
import type { MadeChange } from '../crowd/delays.ts';
import { MemorySource } from '../memory_source.ts';
import { Turns } from '../turns.ts';
import { listenTo, type Way } from '../way.ts';
import { namespaceOf, objectsOf, type PolicyManifest, podOf, type Shape } from './shapes.ts';

/** Pods that are replaced one after the other. */
export interface Roll {
  /** Namespaces that take turns: from this one on, so many. */
  readonly firstNamespace: number;
  readonly namespaces: number;
  /** In each of them, the pods from this place on. */
  readonly firstPlace: number;
  /** A pod that goes and one that comes are two. */
  readonly changesPerSecond: number;
}

/** What the parent asks for. */
export type ScaleOrder =
  /** A policy is applied. */
  | { readonly type: 'policy'; readonly manifest: PolicyManifest }
  | { readonly type: 'roll'; readonly roll: Roll }
  /** The roll ends. */
  | { readonly type: 'rest' }
  | { readonly type: 'longest-turn' };

/** What the parent hears. `applied`, `rested` and `longest-turn` answer orders. */
export type ScaleReport =
  | { readonly type: 'ready'; readonly loadMs: number }
  | { readonly type: 'changed'; readonly change: MadeChange }
  | { readonly type: 'applied'; readonly atMs: number }
  | { readonly type: 'rested' }
  /** Since the last report of it, and since the question where it is the first; processor time. */
  | { readonly type: 'longest-turn'; readonly ms: number };

/** Between looks whether a change is due, ms. */
const ROLL_TICK_MS = 5;

const MS_PER_SECOND = 1000;

/** Pods that the selectors of a namespace's policies may be tried on: a cluster of 100,000 ten times. */
const MAX_REACH = 1_000_000;

const [wayText = '', shapeText = ''] = process.argv.slice(2);
const way = JSON.parse(wayText) as Way;
const shape = JSON.parse(shapeText) as Shape;
const log = pino({ level: 'fatal' });
const beganMs = performance.now();
const source = new MemorySource();
for (const change of objectsOf(shape)) source.cluster.apply(change);
/** Peers that are every pod of a large cluster are beyond the default bounds: such policies would admit nothing, and cost nothing. */
const policyLimits = { ...DEFAULT_POLICY_LIMITS, maxPolicyReach: MAX_REACH, maxNamespaceReach: MAX_REACH };
const { largeGroup } = shape;
const tables = new TableServer(source, createInjectorMetrics(), log, {
  policyLimits,
  ...(largeGroup === undefined ? {} : { largeGroup }),
});
await listenTo(way, tables, log);
/** From the first question on: looking each millisecond takes its own share of a processor. */
let turns: Turns | undefined;
report({ type: 'ready', loadMs: performance.now() - beganMs });

let rolling: NodeJS.Timeout | undefined;
/** By namespace and place: how many pods have been there. */
const generations = new Map<string, number>();

process.on('message', (order: ScaleOrder) => {
  switch (order.type) {
    case 'policy':
      return apply(order.manifest);
    case 'roll':
      return roll(order.roll);
    case 'rest':
      clearInterval(rolling);
      return report({ type: 'rested' });
    case 'longest-turn':
      turns ??= new Turns();
      return report({ type: 'longest-turn', ms: turns.takeLongestMs() });
    default:
      return unreachable(order);
  }
});
process.on('disconnect', () => process.exit());
process.on('error', () => process.exit()); // the parent has gone

/** As a watch of the API server takes it in. */
function apply(manifest: PolicyManifest): void {
  const parsed = parseNetworkPolicy(manifest, DEFAULT_POLICY_LIMITS.maxPolicyEntries);
  if (!parsed.ok) throw new Error(`${manifest.metadata.name} is no policy`);
  const { object } = parsed;
  report({ type: 'applied', atMs: nowMs() });
  source.change({ kind: 'NetworkPolicy', key: objectKey(object.namespace, object.name), object });
}

function roll({ firstNamespace, namespaces, firstPlace, changesPerSecond }: Roll): void {
  clearInterval(rolling);
  const places = shape.podsPerNamespace - firstPlace;
  const startMs = performance.now();
  let made = 0;
  rolling = setInterval(() => {
    const due = ((performance.now() - startMs) * changesPerSecond) / MS_PER_SECOND;
    for (; 2 * made < due; made += 1)
      replace(firstNamespace + (made % namespaces), firstPlace + (Math.floor(made / namespaces) % places));
  }, ROLL_TICK_MS);
}

/** One pod goes, and another one comes in its place. */
function replace(namespace: number, place: number): void {
  const id = `${namespace} ${place}`;
  const generation = generations.get(id) ?? 0;
  generations.set(id, generation + 1);
  const gone = podOf(shape, namespace, place, generation);
  const object = podOf(shape, namespace, place, generation + 1);
  const name = namespaceOf(namespace);
  report({ type: 'changed', change: { namespace, revision: tables.revision, atMs: nowMs() } });
  source.change({ kind: 'Pod', key: objectKey(name, gone.name), object: undefined });
  source.change({ kind: 'Pod', key: objectKey(name, object.name), object });
}

function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

function report(message: ScaleReport): void {
  process.send?.(message);
}
