/**
 * What a large cluster costs the injector: 100,000 pods, in two shapes. Each shape is measured in a process of its own. No root.
 * Prints one JSON document; takes about a minute. Times are ms. Those of what takes long are processor time
 * of the main thread, which is too coarse for the others.
 *
 *     node bench/control_plane/compile.ts [antrea|team|small]
 *
 * `antrea`: 25,000 namespaces of 4 pods and 3 policies, all with the same labels, as Antrea measures its controller.
 * `small`: the same in small, to see that it runs.
 * `team`: 500 namespaces of 200 pods and 10 policies, whose peers are of the same namespace and of the same team.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { createInjectorMetrics } from '../../injector/metrics.ts';
import { setTableGauges, TableServer } from '../../injector/tables/index.ts';
import {
  createCompiler,
  type LabelSelector,
  type NetworkPolicy,
  type NetworkPolicyRule,
  objectKey,
  type Pod,
  TABLE_SCHEMA,
} from '../../policy/index.ts';
import { readHead } from './crowd/speech.ts';
import { MemorySource } from './memory_source.ts';

const SHAPES = {
  antrea: { namespaces: 25_000, pods: 4, policies: 3, team: 1 },
  team: { namespaces: 500, pods: 200, policies: 10, team: 5 },
  small: { namespaces: 100, pods: 4, policies: 3, team: 1 },
};

type Shape = keyof typeof SHAPES;

/** Sidecars that are connected while the status is looked at. */
const SESSIONS = 2_000;

/** Pods that come, one at a time. */
const COMING = 200;

/** Looks at the status, with a change before each. */
const TICKS = 50;

const BYTES_PER_MIB = 1024 * 1024;
const KIB_PER_MIB = 1024;
const US_PER_MS = 1000;

const [asked] = process.argv.slice(2);
if (asked === undefined) {
  const self = fileURLToPath(import.meta.url);
  const figures = Object.keys(SHAPES).map((shape) => {
    const text = execFileSync(process.execPath, ['--expose-gc', self, shape], { encoding: 'utf8' });
    return [shape, JSON.parse(text)];
  });
  console.log(JSON.stringify(Object.fromEntries(figures), null, 1));
} else if (isShape(asked)) console.log(JSON.stringify(await measure(asked), null, 1));
else throw new Error(`${asked} is none of ${Object.keys(SHAPES).join(', ')}`);

function isShape(name: string): name is Shape {
  return Object.hasOwn(SHAPES, name);
}

async function measure(shape: Shape) {
  const source = new MemorySource();
  fill(source, shape);
  globalThis.gc?.();
  const objectsMiB = residentMiB();
  const compile = measureCompiler(source, shape);
  globalThis.gc?.();
  const status = await measureStatus(source, shape);
  return { objectsMiB, ...compile, status };
}

function measureCompiler({ cluster }: MemorySource, shape: Shape) {
  const beganMs = usedMs();
  const compiler = createCompiler(cluster);
  const compileMs = round(usedMs() - beganMs);
  const [rssMiB, peakMiB] = [residentMiB(), round(process.resourceUsage().maxRSS / KIB_PER_MIB)];
  const followMs = used(() => {
    for (const key of cluster.pods.keys()) compiler.follow(key);
  });
  const allFollowedMiB = residentMiB();
  const figures = comingPods(shape).map((object) =>
    timed(() => {
      compiler.apply({ kind: 'Pod', key: objectKey(object.namespace, object.name), object });
      for (const key of compiler.commit().touched) compiler.compile(key, 1);
    }),
  );
  return { compileMs, rssMiB, peakMiB, followMs, allFollowedMiB, podComes: percentiles(figures) };
}

/** With sidecars that enforce at once what they are sent. */
async function measureStatus(source: MemorySource, shape: Shape) {
  const metrics = createInjectorMetrics();
  const tables = new TableServer(source, metrics, pino({ level: 'fatal' }), { heartbeatMs: 3_600_000 });
  const every = Math.max(1, Math.floor(source.cluster.pods.size / SESSIONS));
  const pods = [...source.cluster.pods.values()].filter((_, place) => place % every === 0);
  for (const { namespace, name } of pods) connect(tables, namespace, name);
  const isEnforced = () => tables.counts().sidecars.enforcing === pods.length;
  while (!isEnforced()) await new Promise((resolve) => setTimeout(resolve, 20));
  const firstMs = used(() => tables.counts().take());
  const [ticks, scrapes]: [number[], number[]] = [[], []];
  for (const object of comingPods(shape).slice(0, TICKS)) {
    source.change({ kind: 'Pod', key: objectKey(object.namespace, object.name), object });
    await new Promise((resolve) => setTimeout(resolve, 50)); // sent, and acknowledged
    ticks.push(
      timed(() => {
        const counts = tables.counts();
        for (const key of counts.take()) counts.of(key);
      }),
    );
    scrapes.push(timed(() => setTableGauges(metrics, tables)));
  }
  const pageMs = used(() => tables.status());
  tables.close();
  return { sessions: pods.length, firstMs, tick: percentiles(ticks), scrape: percentiles(scrapes), pageMs };
}

function connect(tables: TableServer, namespace: string, pod: string): void {
  const session = tables.attach({
    queuedBytes: 0,
    send: (bytes) => {
      const { type, revision } = readHead(bytes[0]?.toString() ?? '');
      if (type === 'snapshot' || type === 'change')
        queueMicrotask(() => session.receive({ type: 'ack', revision }));
    },
    close: () => undefined,
  });
  session.receive({ type: 'hello', schema: TABLE_SCHEMA, namespace, pod });
}

function fill({ cluster }: MemorySource, shape: Shape): void {
  const { namespaces, pods, policies, team } = SHAPES[shape];
  for (let place = 0; place < namespaces; place += 1) {
    const name = `ns-${place}`;
    const labels = { 'kubernetes.io/metadata.name': name, team: `${Math.floor(place / team)}` };
    cluster.apply({ kind: 'Namespace', key: name, object: { name, labels } });
    for (let index = 0; index < pods; index += 1) {
      const object = podOf(shape, place, index);
      cluster.apply({ kind: 'Pod', key: objectKey(name, object.name), object });
    }
    for (let index = 0; index < policies; index += 1) {
      const object = policyOf(shape, place, index);
      cluster.apply({ kind: 'NetworkPolicy', key: objectKey(name, object.name), object });
    }
  }
}

/** Pods that are not there yet, in different namespaces. */
function comingPods(shape: Shape): Pod[] {
  const { namespaces, pods } = SHAPES[shape];
  return Array.from({ length: COMING }, (_, place) =>
    podOf(shape, (place * 7) % namespaces, pods + Math.floor((place * 7) / namespaces)),
  );
}

function podOf(shape: Shape, namespace: number, index: number): Pod {
  const { policies } = SHAPES[shape];
  const app = `app-${index % policies}`;
  const number = namespace * 256 + index;
  return {
    namespace: `ns-${namespace}`,
    name: `${app}-${index}`,
    uid: `00000000-0000-4000-8000-${`${number}`.padStart(12, '0')}`,
    labels: { app, 'pod-template-hash': 'abcdef1234' },
    ips: [[10 + (number >> 24), (number >> 16) & 255, (number >> 8) & 255, number & 255].join('.')],
    hostIPs: ['192.168.0.1'],
    hostNetwork: false,
    phase: 'Running',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    workload: `deploy/${app}`,
  };
}

/** Each app is open to the next one; with teams, to that of the other namespaces of the team too. */
function policyOf(shape: Shape, namespace: number, index: number): NetworkPolicy {
  const { policies, team } = SHAPES[shape];
  const podSelector = labelled('app', `app-${(index + 1) % policies}`);
  const others = {
    kind: 'pods' as const,
    podSelector,
    namespaceSelector: labelled('team', `${Math.floor(namespace / team)}`),
  };
  const own = { kind: 'pods' as const, podSelector };
  const rule: NetworkPolicyRule = {
    peers: team === 1 ? [own] : [own, others],
    ports: [{ protocol: 'TCP', port: 8080 }],
  };
  return {
    namespace: `ns-${namespace}`,
    name: `allow-${index}`,
    podSelector: labelled('app', `app-${index}`),
    policyTypes: ['ingress'],
    ingress: [rule],
    egress: [],
  };
}

function labelled(key: string, value: string): LabelSelector {
  return { matchLabels: { [key]: value }, matchExpressions: [] };
}

function timed(work: () => unknown): number {
  const beganMs = performance.now();
  work();
  return round(performance.now() - beganMs);
}

function used(work: () => unknown): number {
  const beganMs = usedMs();
  work();
  return round(usedMs() - beganMs);
}

function usedMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / US_PER_MS;
}

function percentiles(figures: readonly number[]) {
  const sorted = figures.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}

function residentMiB(): number {
  return round(process.memoryUsage.rss() / BYTES_PER_MIB);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
