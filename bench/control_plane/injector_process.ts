/**
 * The injector of the benchmark: table server and transport as they are in production, over a cluster in memory. Its
 * parent tells it what to do and asks how it is.
 */
import { pino } from 'pino';
import { createInjectorMetrics } from '../../injector/metrics.ts';
import { TableServer } from '../../injector/table_server.ts';
import { objectKey } from '../../policy/index.ts';
import { type ClusterSize, clusterObjects, namespaceName, podAt } from './cluster.ts';
import { MemorySource } from './memory_source.ts';
import { listenTo, type Way } from './way.ts';

/** What the parent asks for. */
export type InjectorOrder =
  /** Pods come and go, `perSecond` changes, until told otherwise. */
  | { readonly type: 'churn'; readonly perSecond: number }
  | { readonly type: 'rest' }
  | { readonly type: 'usage' };

/** What the parent hears. */
export type InjectorReport =
  | { readonly type: 'ready'; readonly loadMs: number }
  /** A pod came, ms since the epoch; its label `change` has the number. */
  | { readonly type: 'changed'; readonly change: number; readonly atMs: number }
  | { readonly type: 'usage'; readonly residentBytes: number; readonly cpuMs: number };

const [wayText = '', sizeText = ''] = process.argv.slice(2);
const size = JSON.parse(sizeText) as ClusterSize;
const log = pino({ level: 'error' });
const startMs = performance.now();
const source = new MemorySource();
for (const change of clusterObjects(size)) source.cluster.apply(change);
const tables = new TableServer(source, createInjectorMetrics(), log);
await listenTo(JSON.parse(wayText) as Way, tables, log);
report({ type: 'ready', loadMs: performance.now() - startMs });

let timer: NodeJS.Timeout | undefined;
let change = 0;
/** By namespace and place: how many pods have been there. */
const generations = new Map<number, number>();

process.on('message', (order: InjectorOrder) => {
  if (order.type === 'usage') {
    const { user, system } = process.cpuUsage();
    return report({ type: 'usage', residentBytes: process.memoryUsage.rss(), cpuMs: (user + system) / 1000 });
  }
  clearInterval(timer);
  if (order.type === 'churn') churn(order.perSecond);
});
process.on('disconnect', () => process.exit());

/** One pod goes, and another one comes in its place: two changes. Spread over all namespaces. */
function churn(perSecond: number): void {
  const { namespaces, podsPerNamespace, sidecarsPerNamespace } = size;
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
