/**
 * What a pod's start costs: from the start of the first process that injection adds until the sidecar is ready, for one pod and for
 * twenty at once. `native`: the sidecar puts the redirect in force itself. `step`: a process before it does, which is over first.
 * Ready is what the kubelet sees: /readyz, asked from the node's end of the cable. A container runtime and a kubelet are not in it.
 * Needs root. Prints one JSON document: medians with the least and the most of all rounds; processor time is of all threads and
 * tools, until ready, per pod.
 *
 *   npx node bench/start_up.ts [--main dist/sidecar.mjs] [--rounds 7] [--forms native,step] [--pods 1,20]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { SIDECAR_NODE_ENV, SIDECAR_NODE_FLAGS, SIDECAR_PORTS } from '../common/contract.ts';
import { lastLines } from '../lab/index.ts';
import { endedChildrenSeconds, liveSeconds } from './process_usage.ts';
import { addressOf, PodNetwork } from './start_up/pod_network.ts';
import { summarize } from './statistics.ts';

const ROOT = join(import.meta.dirname, '..');

/** A start takes well under a second; twenty on a busy machine some ten. */
const PATIENCE_MS = 120_000;

const FORMS = ['native', 'step'] as const;
type Form = (typeof FORMS)[number];

/** What one round gives. */
interface Round {
  /** Until the last pod is ready. */
  readonly wallMs: number;
  readonly cpuMsPerPod: number;
}

const { values } = parseArgs({
  options: {
    main: { type: 'string', default: join(ROOT, 'dist/sidecar.mjs') },
    rounds: { type: 'string', default: '7' },
    forms: { type: 'string', default: FORMS.join() },
    pods: { type: 'string', default: '1,20' },
  },
});
const counts = values.pods.split(',').map(Number);
const forms = FORMS.filter((form) => values.forms.split(',').includes(form));

const folder = mkdtempSync(join(tmpdir(), 'sluice-start-'));
const network = new PodNetwork(`sluice-start-${process.pid}`);
const children = new Set<ChildProcess>();

/** Starts a program in a network namespace. */
function start(netns: string, argv: readonly string[], env: NodeJS.ProcessEnv, log: string): ChildProcess {
  const file = openSync(log, 'a', 0o600);
  const child = spawn('ip', ['netns', 'exec', netns, ...argv], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', file, file],
  });
  closeSync(file);
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** The injector of one machine, with these pods, the last of which is isolated. */
async function startInjector(pods: number): Promise<{ readonly socket: string }> {
  const [manifests, socket] = [join(folder, 'manifests'), join(folder, 'injector.sock')];
  mkdirSync(manifests, { recursive: true });
  const objects = Array.from({ length: pods }, (_, index) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'shop', name: `api-${index}`, labels: { app: 'api' } },
    spec: { nodeName: 'node-1', containers: [{ name: 'app', image: 'app' }] },
    status: { phase: 'Running', podIP: addressOf(index) },
  }));
  const policy = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace: 'shop', name: 'api' },
    spec: {
      podSelector: { matchLabels: { app: 'api' } },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'api' } } }] }],
      egress: [{ to: [{ podSelector: { matchLabels: { app: 'api' } } }] }],
    },
  };
  writeFileSync(
    join(manifests, 'all.json'),
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [...objects, policy] }),
  );
  const injector = [join(ROOT, 'injector/main.ts'), '--dir', manifests, '--socket', socket];
  const child = spawn(process.execPath, injector, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(child);
  for await (const line of createInterface(child.stdout)) if (line.includes('injector ready')) break;
  child.stdout.resume();
  return { socket };
}

/** Starts what injection adds to a pod; resolves with the process that stays. */
async function startPod(form: Form, index: number, socket: string, state: string): Promise<ChildProcess> {
  const netns = network.pod(index);
  const command = [process.execPath, ...SIDECAR_NODE_FLAGS, values.main];
  const env = {
    ...SIDECAR_NODE_ENV,
    SLUICE_POD_NAMESPACE: 'shop',
    SLUICE_POD_NAME: `api-${index}`,
    SLUICE_SOURCE: `unix:${socket}`,
    SLUICE_STATE_DIR: state,
    SLUICE_NODE_IPS: network.nodeAddress,
    ...(form === 'native' ? { SLUICE_REDIRECT: 'run' } : {}),
  };
  const log = join(folder, `api-${index}.log`);
  if (form === 'step') {
    const [code] = await once(start(netns, [...command, 'redirect', 'apply'], env, log), 'exit');
    if (code !== 0) throw new Error(`the redirect failed: ${lastLines(log)}`);
  }
  return start(netns, [...command, 'run'], env, log);
}

async function round(form: Form, pods: number, socket: string): Promise<Round> {
  const state = mkdtempSync(join(folder, 'state-'));
  await network.open(pods);
  const before = endedChildrenSeconds();
  const prober = start(
    network.node,
    [process.execPath, join(ROOT, 'bench/start_up/prober.ts'), String(pods), String(SIDECAR_PORTS.admin)],
    {},
    join(folder, 'prober.log'),
  );
  const ready = once(prober, 'exit');
  const startedAt = performance.now();
  const sidecars = await Promise.all(
    Array.from({ length: pods }, async (_, index) => {
      const own = join(state, String(index));
      mkdirSync(own);
      return await startPod(form, index, socket, own);
    }),
  );
  const live = (): number => sidecars.reduce((sum, { pid }) => sum + liveSeconds(pid ?? 0), 0);
  const late = AbortSignal.timeout(PATIENCE_MS);
  late.addEventListener('abort', () => prober.kill());
  const [code] = await ready;
  const wallMs = performance.now() - startedAt;
  if (code !== 0) throw new Error(`not ready: ${lastLines(join(folder, 'api-0.log'))}`);
  // The prober is a child that has ended too: it says itself what it took.
  const probing = Number(readFileSync(join(folder, 'prober.log'), 'utf8').trim().split('\n').at(-1));
  const cpuMs = (endedChildrenSeconds() - before + live()) * 1000 - probing;
  for (const child of sidecars) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  network.close();
  return { wallMs, cpuMsPerPod: cpuMs / pods };
}

function rounded(list: readonly number[]): { median: number; least: number; most: number } {
  const { median, least, most } = summarize(list);
  return { median: Math.round(median), least: Math.round(least), most: Math.round(most) };
}

try {
  const { socket } = await startInjector(Math.max(...counts));
  const figures: Record<string, object> = {};
  for (const pods of counts) {
    const runs = new Map<Form, Round[]>(forms.map((form) => [form, []]));
    for (let count = 0; count < Number(values.rounds); count += 1)
      for (const [form, list] of runs) list.push(await round(form, pods, socket));
    for (const [form, list] of runs)
      figures[`${form}, ${pods} at once`] = {
        ready_ms: rounded(list.map(({ wallMs }) => wallMs)),
        cpu_ms_per_pod: rounded(list.map(({ cpuMsPerPod }) => cpuMsPerPod)),
      };
  }
  const head = {
    main: values.main,
    rounds: Number(values.rounds),
    cores: availableParallelism(),
    load_average: loadavg()[0],
  };
  process.stdout.write(`${JSON.stringify({ ...head, ...figures }, null, 2)}\n`);
} finally {
  for (const child of children) child.kill('SIGKILL');
  network.close();
  rmSync(folder, { recursive: true, force: true });
}
