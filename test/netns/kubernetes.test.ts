/** Policies and labels that change in a cluster's API, and the connections of real pods that follow. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { allowApps, type Manifest, namespace, node, pod, policy } from '../builders/manifests.ts';
import { expectP99Within } from './delays.ts';
import { ANSWER, SILENCE, until, wallClockMs } from './harness.ts';
import { KubernetesLab } from './kubernetes_lab.ts';

const API = '10.1.1.10';

/** From the API's acknowledgement to what connections see, p99: what the product promises. */
const FOLLOW_P99_MS = 250;

/** How often a connection begins while one waits for a change to show, ms. */
const BEGIN_EVERY_MS = 20;

/** Until then it has to show, ms. */
const SHOWN_MS = 2_000;

const echo = { kind: 'echo', chunkBytes: 512, intervalMs: 200 } as const;
const front = pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11'] });
const batch = pod('shop/batch', { labels: { app: 'batch' }, ips: ['10.1.1.12'] });

let lab: KubernetesLab;

beforeAll(async () => {
  lab = await KubernetesLab.up([
    node(1),
    namespace('shop', { 'sluice.dev/inject': 'enabled' }),
    pod('shop/api', { labels: { app: 'api' }, ips: [API] }),
    front,
    batch,
  ]);
}, 180_000);

afterAll(() => lab?.close());

/** Whether a connection gets in with its first SYN; `ANSWER` where it has to, sooner or later. */
const reaches = async (from: string, wait = SILENCE) => (await lab.net.connect(from, API, 80, wait)).allowed;

/** Waits for the change, and until connections show it. */
async function followed(change: Promise<unknown>, from: string, allowed: boolean): Promise<void> {
  await change;
  await until(`${from} is ${allowed ? 'let in' : 'kept out'}`, async () => (await reaches(from)) === allowed);
}

const open = (from: string, group: string, count: number) =>
  lab.net.open(from, { group, count, address: API, port: 80, work: echo });

const sidecarsEnforce = () => lab.net.lab.waitEnforced();

test('pods got their sidecar at admission, with the address and the audience that sidecars here use', () => {
  for (const { spec } of lab.pods) {
    const { initContainers = [], volumes = [] } = spec as Record<string, { name: string }[] | undefined>;
    expect(initContainers.map(({ name }) => name)).toEqual(['sluice-redirect', 'sluice-sidecar']);
    expect(JSON.stringify(initContainers)).toContain('"10.0.0.9:15010"');
    expect(JSON.stringify(volumes)).toContain('"audience":"sluice.dev"');
  }
});

test('a policy that is applied, changed and deleted decides who connects', async () => {
  expect(await reaches('shop/batch', ANSWER)).toBe(true);
  await followed(lab.api.apply(allowApps('shop/allow', 'api', ['front'])), 'shop/batch', false);
  expect(await reaches('shop/front', ANSWER)).toBe(true);
  await followed(lab.api.apply(allowApps('shop/allow', 'api', ['batch'])), 'shop/batch', true);
  expect(await reaches('shop/front')).toBe(false);
  await followed(lab.api.delete(allowApps('shop/allow', 'api', [])), 'shop/front', true);
});

test('labels of pods and of namespaces count as they are now', async () => {
  await followed(lab.api.apply(allowApps('shop/allow', 'api', ['front'])), 'shop/batch', false);
  await followed(lab.api.patch(batch, { metadata: { labels: { app: 'front' } } }), 'shop/batch', true);
  await followed(lab.api.patch(batch, { metadata: { labels: { app: 'batch' } } }), 'shop/batch', false);
  const fromTrusted = policy('shop/allow', {
    podSelector: { matchLabels: { app: 'api' } },
    ingress: [{ from: [{ namespaceSelector: { matchLabels: { trusted: 'yes' } } }] }],
  });
  await lab.api.apply(fromTrusted);
  await followed(
    lab.api.patch(namespace('shop'), { metadata: { labels: { trusted: 'yes' } } }),
    'shop/batch',
    true,
  );
  await followed(
    lab.api.patch(namespace('shop'), { metadata: { labels: { trusted: null } } }),
    'shop/batch',
    false,
  );
  await lab.api.delete(fromTrusted);
  await followed(Promise.resolve(), 'shop/batch', true);
});

test('200 live connections are reset within 250 ms p99 of the acknowledgement, others go on', async () => {
  await expectP99Within(FOLLOW_P99_MS, async () => {
    await lab.api.apply(allowApps('shop/allow', 'api', ['front', 'batch']));
    await sidecarsEnforce();
    await Promise.all([open('shop/front', 'kept', 50), open('shop/batch', 'cut', 200)]);
    await lab.api.apply(allowApps('shop/allow', 'api', ['front']));
    const acknowledgedAt = wallClockMs();
    const cut = await lab.net.allOver('shop/batch', 'cut');
    expect(cut.map(({ error }) => error)).toEqual(cut.map(() => 'ECONNRESET'));
    const kept = await lab.net.finish('shop/front', 'kept');
    expect(
      kept.every(
        ({ state, sentSha256, receivedSha256 }) => state === 'ended' && sentSha256 === receivedSha256,
      ),
    ).toBe(true);
    return cut.map(({ overAt = Number.POSITIVE_INFINITY }) => overAt - acknowledgedAt);
  });
});

test('of 60 changes in a row each cuts its flow within 250 ms p99 of the acknowledgement', async () => {
  const rounds = await expectP99Within(FOLLOW_P99_MS, () => inTurn(12, flowCutAfter));
  expect(flows).toBe(12 * rounds);
}, 120_000);

test('connections that begin 250 ms after the acknowledgement see the change, p99', async () => {
  await expectP99Within(FOLLOW_P99_MS, () => inTurn(4, seenAfter));
});

/** Lets batch in and keeps front out, then the other way round, and so on. @returns what each change came to */
async function inTurn(
  changes: number,
  follow: (change: Manifest, letIn: string, keptOut: string) => Promise<number>,
): Promise<readonly number[]> {
  const results: number[] = [];
  while (results.length < changes) {
    const [app, other] = results.length % 2 === 0 ? ['batch', 'front'] : ['front', 'batch'];
    results.push(await follow(allowApps('shop/allow', 'api', [app]), `shop/${app}`, `shop/${other}`));
  }
  return results;
}

/** Applies a change. @returns how long after its acknowledgement connections have to begin to see it, ms */
async function seenAfter(change: Manifest, letIn: string, keptOut: string): Promise<number> {
  await lab.api.apply(change);
  const acknowledgedAt = wallClockMs();
  const sinceThen = () => wallClockMs() - acknowledgedAt;
  const begun: { readonly atMs: number; readonly right: Promise<boolean> }[] = [];
  let shown = false;
  // A denial takes a while to show; others begin meanwhile.
  while (!shown && sinceThen() < SHOWN_MS) {
    const atMs = sinceThen();
    const right = Promise.all([reaches(letIn), reaches(keptOut)]).then(([yes, no]) => {
      shown ||= yes && !no;
      return yes && !no;
    });
    begun.push({ atMs, right });
    await delay(BEGIN_EVERY_MS);
  }
  const right = await Promise.all(begun.map((one) => one.right));
  return begun[right.lastIndexOf(false) + 1]?.atMs ?? Number.POSITIVE_INFINITY;
}

let flows = 0;

/** Opens a flow, applies what forbids it, and waits until it is cut. */
async function flowCutAfter(change: Manifest, _letIn: string, from: string): Promise<number> {
  flows += 1;
  const group = `flow-${flows}`;
  await until('the peer is let in', () => reaches(from));
  await open(from, group, 1);
  await lab.api.apply(change);
  const acknowledgedAt = wallClockMs();
  const [flow] = await lab.net.allOver(from, group);
  return (flow?.overAt ?? Number.POSITIVE_INFINITY) - acknowledgedAt;
}

test('the injector is killed: what was in force stays; after a restart it serves what has changed since', async () => {
  await followed(lab.api.apply(allowApps('shop/allow', 'api', ['front'])), 'shop/batch', false);
  await open('shop/front', 'across', 3);
  await lab.killInjector();
  await lab.api.apply(allowApps('shop/allow', 'api', ['front', 'batch']));
  expect(await reaches('shop/batch')).toBe(false);
  expect(await reaches('shop/front', ANSWER)).toBe(true);
  await lab.startInjector();
  await until('batch is let in', () => reaches('shop/batch'), 20_000);
  const across = await lab.net.finish('shop/front', 'across');
  expect(across.every(({ state }) => state === 'ended')).toBe(true);
});

test('the API server is away: what was in force stays; back again, what changed meanwhile is heard', async () => {
  await lab.api.order({ do: 'go-away' });
  await lab.api.apply(allowApps('shop/allow', 'api', ['front'])); // to its storage; nobody can hear of it
  expect(await reaches('shop/batch', ANSWER)).toBe(true);
  expect(await reaches('shop/front', ANSWER)).toBe(true);
  await lab.api.order({ do: 'come-back' });
  await until('batch is kept out', async () => !(await reaches('shop/batch')), 20_000);
});

test('watches that are cut, and history that is forgotten, lose no change', async () => {
  for (const apps of [['batch'], ['front'], ['batch', 'front']]) {
    await lab.api.order({ do: 'cut-watches', midLine: true });
    await lab.api.apply(allowApps('shop/allow', 'api', apps));
    await lab.api.order({ do: 'compact', endWatches: true });
    for (const app of ['front', 'batch'])
      await until(
        `${app} as ${apps} has it`,
        async () => (await reaches(`shop/${app}`)) === apps.includes(app),
      );
  }
});

test('a pod that egress policy isolates whole still follows the injector', async () => {
  const closed = policy('shop/closed', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
  await followed(lab.api.apply(closed), 'shop/front', false);
  await lab.killInjector();
  await lab.startInjector();
  await sidecarsEnforce();
  await lab.api.delete(allowApps('shop/allow', 'api', []));
  await followed(lab.api.delete(closed), 'shop/front', true);
});
