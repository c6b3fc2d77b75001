/**
 * The injector of the benchmark: table server, transport and webhook as they are in production, over a cluster in memory.
 * Its parent gives it orders and asks for its figures.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { pino } from 'pino';
import { unreachable } from '../../common/errors.ts';
import { createInjectorMetrics } from '../../injector/metrics.ts';
import { TableServer } from '../../injector/tables/index.ts';
import { DEFAULT_POLICY_LIMITS, objectKey, parseNetworkPolicy } from '../../policy/index.ts';
import { type ClusterSize, clusterObjects, namespaceName, podAt } from './cluster.ts';
import { MemorySource } from './memory_source.ts';
import { Turns, waitedMs } from './turns.ts';
import { listenTo, type Way } from './way.ts';
import { serveWebhook } from './webhook.ts';

/** What the parent asks for. */
export type InjectorOrder =
  /** Pods come and go, `perSecond` changes, until the next order; in the first namespaces only, where `namespaces` is set. */
  | { readonly type: 'churn'; readonly perSecond: number; readonly namespaces?: number }
  | { readonly type: 'rest' }
  /** A NetworkPolicy as the API has it: it is new, or has been edited. */
  | { readonly type: 'policy'; readonly json: string }
  | { readonly type: 'usage' };

/** What the parent hears. */
export type InjectorReport =
  | { readonly type: 'ready'; readonly loadMs: number }
  /** A pod came, ms since the epoch; its label `change` has the number. */
  | { readonly type: 'changed'; readonly change: number; readonly atMs: number }
  | {
      readonly type: 'usage';
      readonly residentBytes: number;
      readonly cpuMs: number;
      /** How long it was ready to run and others had the processor, ms. */
      readonly waitedMs: number;
      /** Of the longest turn of the event loop since the last report: processor time, ms. What others take does not count. */
      readonly longestTurnMs: number;
      /** Policies beyond a bound. */
      readonly refused: number;
    };

const [wayText = '', sizeText = ''] = process.argv.slice(2);
const size = JSON.parse(sizeText) as ClusterSize;
const way = JSON.parse(wayText) as Way;
const log = pino({ level: 'fatal' });
const startMs = performance.now();
const source = new MemorySource();
for (const change of clusterObjects(size)) source.cluster.apply(change);
const metrics = createInjectorMetrics();
const tables = new TableServer(source, metrics, log);
await listenTo(way, tables, log);
if (way.kind === 'tls' && way.webhookPort !== undefined)
  await serveWebhook(source, metrics, way.certificate, way.webhookPort, log);
const turns = new Turns();
report({ type: 'ready', loadMs: performance.now() - startMs });

let timer: NodeJS.Timeout | undefined;
let change = 0;
/** By namespace and place: how many pods have been there. */
const generations = new Map<number, number>();

process.on('message', (order: InjectorOrder) => {
  switch (order.type) {
    case 'usage':
      return reportUsage();
    case 'policy':
      policies.push(order.json);
      if (policies.length === 1) void takePolicies();
      return;
    case 'rest':
      return clearInterval(timer);
    case 'churn':
      clearInterval(timer);
      return churn(order.perSecond, order.namespaces ?? size.namespaces);
    default:
      return unreachable(order);
  }
});
process.on('disconnect', () => process.exit());
process.on('error', () => process.exit()); // the parent has gone

function reportUsage(): void {
  const { user, system } = process.cpuUsage();
  report({
    type: 'usage',
    residentBytes: process.memoryUsage.rss(),
    cpuMs: (user + system) / 1000,
    waitedMs: waitedMs(),
    longestTurnMs: turns.takeLongestMs(),
    refused: tables.policyProblems().length + unread.size,
  });
}

/** Policies whose rules were too many to be read. */
const unread = new Set<string>();

/** Texts of policies that have come, in order; the first one is being read. */
const policies: string[] = [];

/** As a watch of the API server reads events of this size: one in a turn of the event loop. */
async function takePolicies(): Promise<void> {
  for (let json = policies[0]; json !== undefined; json = policies[0]) {
    putPolicy(JSON.parse(json));
    policies.shift();
    await nextTurn();
  }
}

/** As a watch of the API server takes it in. */
function putPolicy(value: unknown): void {
  const parsed = parseNetworkPolicy(value, DEFAULT_POLICY_LIMITS.maxPolicyEntries);
  const object = parsed.ok ? parsed.object : parsed.isolating;
  if (object === undefined) throw new Error('no policy');
  const key = objectKey(object.namespace, object.name);
  if (parsed.ok) unread.delete(key);
  else unread.add(key);
  source.change({ kind: 'NetworkPolicy', key, object });
}

/** One pod goes, and another one comes in its place: two changes. Spread over all namespaces. */
function churn(perSecond: number, namespaces: number): void {
  const { podsPerNamespace, sidecarsPerNamespace } = size;
  const places = podsPerNamespace - sidecarsPerNamespace;
  const beganMs = performance.now();
  let made = 0;
  timer = setInterval(() => {
    for (; made < ((performance.now() - beganMs) * perSecond) / 1000; made += 2) {
      change += 1;
      const namespace = change % namespaces;
      const place = sidecarsPerNamespace + (Math.floor(change / namespaces) % places);
      replace(namespace, place);
    }
  }, 5);
}

function replace(namespace: number, place: number): void {
  const id = namespace * 1000 + place;
  const generation = generations.get(id) ?? 0;
  generations.set(id, generation + 1);
  const name = namespaceName(namespace);
  source.change({
    kind: 'Pod',
    key: objectKey(name, podAt(namespace, place, generation, 0).name),
    object: undefined,
  });
  const object = podAt(namespace, place, generation + 1, change);
  report({ type: 'changed', change, atMs: performance.timeOrigin + performance.now() });
  source.change({ kind: 'Pod', key: objectKey(name, object.name), object });
}

function report(message: InjectorReport): void {
  process.send?.(message);
}
