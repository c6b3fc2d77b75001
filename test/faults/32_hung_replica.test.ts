/**
 * Case 32. Given three injectors and 60 sidecars, when one injector hangs, as a stopped process does, then its sidecars have dialled
 * another one within 3 s, and are served as soon as they reach one that answers; nothing is cut, and nobody else notices. The injectors
 * are processes over a double of the API server; the sidecars' streams are in this process.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Transport, tlsTransport } from '../../sidecar/table/index.ts';
import { namespace, pod, policy, service } from '../builders/manifests.ts';
import { until } from '../netns/harness.ts';
import { ApiServer } from '../support/api_server/api_server.ts';
import { FLOW_SOURCE, FollowingSidecar } from '../support/following_sidecar.ts';
import { InjectorProcess } from '../unit/injector/kubernetes/injector_process.ts';

const SIDECARS = 60;

/** Three injectors start at once on two processors, ms. */
const START_MS = 90_000;

/** The bound, and what a busy machine may add to it, ms. */
const LEFT_MS = 3_000 + 1_000;

/** When the kubelet's probe has failed and the Service leaves the replica out, ms: `periodSeconds` and `failureThreshold` of the manifests. */
const ENDPOINT_GONE_MS = 10_000;

/** Two tries that meet the replica that hangs wait for 3 and 6 s; by then it is no endpoint any more. */
const SERVED_MS = 25_000;

const SERVER_NAME = 'sluice-injector.sluice-system.svc';

let dir: string;
let server: ApiServer;
const replicas: InjectorProcess[] = [];
const sidecars: FollowingSidecar[] = [];
/** Where the Service leads. */
let endpoints: readonly InjectorProcess[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-hung-'));
  server = await ApiServer.start();
  await server.apply(namespace('sluice-system'));
  await server.apply(namespace('shop', { 'sluice.dev/inject': 'enabled' }));
  await server.apply(service('sluice-system/sluice-injector', { ips: ['10.96.0.9'], ports: [15010] }));
  await server.apply(
    policy('shop/allow', {
      podSelector: {},
      policyTypes: ['Ingress'],
      ingress: [{ from: [{ ipBlock: { cidr: `${FLOW_SOURCE}/32` } }] }],
    }),
  );
  for (let place = 0; place < SIDECARS; place += 1)
    await server.apply(pod(`shop/pod-${place}`, { ips: [`10.1.1.${place + 1}`] }));
  for (const name of ['a', 'b', 'c'])
    replicas.push(await InjectorProcess.start(server, { SLUICE_REPLICA: name }));
  endpoints = replicas;
}, START_MS);

afterEach(async () => {
  for (const sidecar of sidecars.splice(0)) sidecar.close();
  for (const replica of replicas.splice(0)) await replica.stop('SIGKILL');
  await server.close();
  rmSync(dir, { recursive: true, force: true });
});

/** As kube-proxy: any endpoint. @param first where the first connection leads */
function transportOf(
  name: string,
  first: InjectorProcess,
): { transport: Transport; last(): InjectorProcess } {
  const [tokenFile, caFile] = [join(dir, name), join(dir, 'ca.crt')];
  const uid = server.find({ apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'shop', name } })?.metadata
    .uid;
  const spec = { audiences: ['sluice.dev'], boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name, uid } };
  const { status } = server.api.tokens.request('shop', 'default', { spec });
  writeFileSync(tokenFile, (status as { token: string }).token);
  let last: InjectorProcess | undefined;
  const to = (replica: InjectorProcess): Transport =>
    tlsTransport({
      host: '127.0.0.1',
      port: replica.ports.tables,
      serverName: SERVER_NAME,
      tokenFile,
      caFile,
    });
  return {
    transport: {
      dial(asked) {
        last =
          last === undefined ? first : (endpoints[Math.floor(Math.random() * endpoints.length)] ?? first);
        return to(last).dial(asked);
      },
      explain: (error) => to(first).explain(error),
    },
    last: () => last ?? first,
  };
}

test(
  'an injector that hangs is left within 3 s, and nothing is cut',
  async () => {
    for (const replica of replicas)
      await until('it is ready', async () => (await replica.get('/readyz')).code === 200, START_MS);
    const bundle = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace: 'shop', name: 'sluice-ca' },
    };
    const published = await until('the CA is published', () => server.find(bundle)?.data, START_MS);
    writeFileSync(join(dir, 'ca.crt'), (published as Record<string, string>)['ca.crt'] ?? '');

    const groups = new Map<InjectorProcess, FollowingSidecar[]>(replicas.map((replica) => [replica, []]));
    const started: { sidecar: FollowingSidecar; last(): InjectorProcess }[] = [];
    for (let place = 0; place < SIDECARS; place += 1) {
      const first = replicas[place % replicas.length];
      if (first === undefined) throw new Error('no replica');
      const name = `pod-${place}`;
      const { transport, last } = transportOf(name, first);
      const sidecar = new FollowingSidecar(transport, { namespace: 'shop', name });
      sidecars.push(sidecar);
      started.push({ sidecar, last });
      // One address makes 20 handshakes a second at once, and has 16 places.
      await until('its table is in force', () => sidecar.enforcement.revision > 0, START_MS);
    }
    for (const { sidecar, last } of started) groups.get(last())?.push(sidecar);
    const hung = replicas.find((replica) => (groups.get(replica) ?? []).length > 0) ?? replicas[0];
    if (hung === undefined) throw new Error('no replica');
    const its = groups.get(hung) ?? [];
    const others = sidecars.filter((sidecar) => !its.includes(sidecar));
    const lost = sidecars.map(({ losses }) => losses.length);

    const hungAtMs = performance.now();
    hung.pause();
    const gone = setTimeout(() => {
      endpoints = replicas.filter((replica) => replica !== hung);
    }, ENDPOINT_GONE_MS);
    const leftMs = (sidecar: FollowingSidecar) =>
      (sidecar.dialledAtMs.find((atMs) => atMs > hungAtMs) ?? Number.POSITIVE_INFINITY) - hungAtMs;
    const servedMs = (sidecar: FollowingSidecar) =>
      (sidecar.moves.find(({ atMs }) => atMs > hungAtMs)?.atMs ?? Number.POSITIVE_INFINITY) - hungAtMs;
    await until(
      'all have left',
      () => its.every((sidecar) => leftMs(sidecar) < Number.POSITIVE_INFINITY),
      SERVED_MS,
    );
    await until(
      'all are served elsewhere',
      () => its.every((sidecar) => sidecar.ageMs < LEFT_MS && sidecar.dialledAtMs.length > 1),
      SERVED_MS,
    );
    clearTimeout(gone);
    const left = its.map(leftMs).sort((a, b) => a - b);
    const served = its.map(servedMs).sort((a, b) => a - b);
    process.stdout.write(
      `${its.length} sidecars: left after ${Math.round(left[0] ?? 0)} to ${Math.round(left.at(-1) ?? 0)} ms, served elsewhere after ${Math.round(served[Math.floor(served.length / 2)] ?? 0)} ms (median)\n`,
    );
    expect(left.at(-1)).toBeLessThan(LEFT_MS);
    // Two of three endpoints answer: more than half are served by the first one that they try.
    expect(served[Math.floor(served.length / 3)]).toBeLessThan(LEFT_MS + 1_000);
    expect(sidecars.map(({ cuts }) => cuts)).toEqual(sidecars.map(() => 0));
    expect(others.flatMap(({ moves }) => moves)).toEqual([]);
    expect(others.map(({ losses }) => losses.length)).toEqual(
      others.map((other) => lost[sidecars.indexOf(other)]),
    );

    // It comes back: nobody has to notice.
    hung.resume();
    const dials = sidecars.map(({ dialledAtMs }) => dialledAtMs.length);
    await until('it answers again', async () => (await hung.get('/readyz')).code === 200, START_MS);
    expect(sidecars.map(({ dialledAtMs }) => dialledAtMs.length)).toEqual(dials);
  },
  3 * START_MS,
);

test(
  'an injector that hangs for two seconds keeps its sidecars',
  async () => {
    const [replica] = replicas;
    if (replica === undefined) throw new Error('no replica');
    await until('it is ready', async () => (await replica.get('/readyz')).code === 200, START_MS);
    const bundle = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace: 'shop', name: 'sluice-ca' },
    };
    const published = await until('the CA is published', () => server.find(bundle)?.data, START_MS);
    writeFileSync(join(dir, 'ca.crt'), (published as Record<string, string>)['ca.crt'] ?? '');
    endpoints = [replica];
    const { transport } = transportOf('pod-0', replica);
    const sidecar = new FollowingSidecar(transport, { namespace: 'shop', name: 'pod-0' });
    sidecars.push(sidecar);
    await until('its table is in force', () => sidecar.enforcement.revision > 0, START_MS);
    for (const hangMs of [1_500, 5_000]) {
      replica.pause();
      await new Promise((resolve) => setTimeout(resolve, hangMs));
      replica.resume();
      await until('it speaks again', () => sidecar.ageMs < 1_000, START_MS);
    }
    // After five seconds it had looked for another; the first one spoke before that came to anything.
    expect(sidecar.losses).toEqual([]);
    expect(sidecar.cuts).toBe(0);
  },
  2 * START_MS,
);
