/** Replicas of the injector, of case 32: processes over a double of the API server. The sidecars' streams are in this process. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type Transport, tlsTransport } from '../../sidecar/table/index.ts';
import { namespace, pod, policy, service } from '../builders/manifests.ts';
import { until } from '../netns/harness.ts';
import { ApiServer } from '../support/api_server/api_server.ts';
import { FLOW_SOURCE, FollowingSidecar } from '../support/following_sidecar.ts';
import { InjectorProcess } from '../unit/injector/kubernetes/injector_process.ts';

/** Several injectors start at once on two processors, ms. */
export const START_MS = 90_000;

const SERVER_NAME = 'sluice-injector.sluice-system.svc';

const CA_BUNDLE = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: 'shop', name: 'sluice-ca' },
};

/** A sidecar, and where its last connection leads. */
export interface StartedSidecar {
  readonly sidecar: FollowingSidecar;
  last(): InjectorProcess;
}

/** The replicas of a test. */
export class Replicas {
  readonly all: readonly InjectorProcess[];
  readonly sidecars: FollowingSidecar[] = [];
  /** Where the Service leads. */
  endpoints: readonly InjectorProcess[];
  readonly #server: ApiServer;
  readonly #dir = mkdtempSync(join(tmpdir(), 'sluice-hung-'));

  /** Starts so many replicas over a cluster with so many pods, `shop/pod-0` and so on. */
  static async start(replicas: number, pods: number): Promise<Replicas> {
    const server = await ApiServer.start();
    const started: InjectorProcess[] = [];
    const all = new Replicas(server, started);
    try {
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
      for (let place = 0; place < pods; place += 1)
        await server.apply(pod(`shop/pod-${place}`, { ips: [`10.1.1.${place + 1}`] }));
      for (let place = 0; place < replicas; place += 1)
        started.push(await InjectorProcess.start(server, { SLUICE_REPLICA: `replica-${place}` }));
      return all;
    } catch (error) {
      await all.close();
      throw error;
    }
  }

  private constructor(server: ApiServer, all: readonly InjectorProcess[]) {
    this.#server = server;
    this.all = all;
    this.endpoints = all;
  }

  /** Waits until each is ready and their CA is there for sidecars. */
  async ready(): Promise<void> {
    for (const replica of this.all)
      await until('it is ready', async () => (await replica.get('/readyz')).code === 200, START_MS);
    const published = await until('the CA is published', () => this.#server.find(CA_BUNDLE)?.data, START_MS);
    writeFileSync(join(this.#dir, 'ca.crt'), (published as Record<string, string>)['ca.crt'] ?? '');
  }

  /** Starts the sidecar of a pod; its table is in force when this returns. @param first where its first connection leads */
  async sidecar(name: string, first: InjectorProcess): Promise<StartedSidecar> {
    const { transport, last } = this.#transportOf(name, first);
    const sidecar = new FollowingSidecar(transport, { namespace: 'shop', name });
    this.sidecars.push(sidecar);
    await until('its table is in force', () => sidecar.enforcement.revision > 0, START_MS);
    return { sidecar, last };
  }

  /** Ends all. */
  async close(): Promise<void> {
    for (const sidecar of this.sidecars) sidecar.close();
    for (const replica of this.all) await replica.stop('SIGKILL');
    await this.#server.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** As kube-proxy: any endpoint. */
  #transportOf(name: string, first: InjectorProcess): { transport: Transport; last(): InjectorProcess } {
    const [tokenFile, caFile] = [join(this.#dir, name), join(this.#dir, 'ca.crt')];
    const uid = this.#server.find({ apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'shop', name } })
      ?.metadata.uid;
    const spec = { audiences: ['sluice.dev'], boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name, uid } };
    const { status } = this.#server.api.tokens.request('shop', 'default', { spec });
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
        dial: (asked) => {
          const any = this.endpoints[Math.floor(Math.random() * this.endpoints.length)];
          last = last === undefined ? first : (any ?? first);
          return to(last).dial(asked);
        },
        explain: (error) => to(first).explain(error),
      },
      last: () => last ?? first,
    };
  }
}

/** Starts replicas before each test, and ends them after it; see `Replicas.start`. @returns those of the test that runs */
export function useReplicas(replicas: number, pods: number): () => Replicas {
  let current: Replicas | undefined;
  beforeEach(async () => {
    current = await Replicas.start(replicas, pods);
  }, START_MS);
  afterEach(async () => {
    await current?.close();
    current = undefined;
  });
  return () => {
    if (current === undefined) throw new Error('replicas are there only while tests run');
    return current;
  };
}
