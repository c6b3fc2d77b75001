/** The webhook in this process, asked by an API server's stand-in with the webhook configuration of manifests/. */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { parse } from 'yaml';
import type { InjectionConfig } from '../../../../injector/admission/injection/injection_config.ts';
import {
  startWebhookServer,
  type WebhookOptions,
  type WebhookServer,
} from '../../../../injector/admission/webhook/webhook_server.ts';
import { openDirectorySource } from '../../../../injector/directory/directory_source.ts';
import { createInjectorMetrics } from '../../../../injector/metrics.ts';
import type { ClusterSource } from '../../../../injector/source.ts';
import { config, type TestPod } from '../../../builders/admitted_pods.ts';
import type { Manifest } from '../../../builders/manifests.ts';
import { ApiServer } from '../../../support/api_server/api_server.ts';
import { captureLog } from '../captured_log.ts';
import { ManifestDir } from '../manifest_dir.ts';
import { SERVER_NAME, TestCertificate } from '../test_credentials.ts';
import { waitFor } from '../wait_for.ts';

const CONFIGURATION = join(import.meta.dirname, '../../../../manifests/base/webhook.yaml');

/** What a request that is not an API server's got. */
export interface HttpAnswer {
  readonly code: number;
  readonly body: string;
}

/** Gone with `close`. */
export class RunningWebhook {
  readonly metrics = createInjectorMetrics();
  readonly #captured = captureLog();
  readonly lines = this.#captured.lines;
  /** What sidecars are made from; undefined: the injector has no address yet. */
  config: InjectionConfig | undefined = config();
  /** Namespaces that were given the CA. */
  readonly prepared: string[] = [];
  /** Namespaces are given the CA when this is fulfilled. */
  preparing: Promise<void> | undefined;
  /** Why namespaces cannot be given the CA. */
  unprepared: Error | undefined;
  #parts:
    | { api: ApiServer; certificate: TestCertificate; dir: ManifestDir; source: ClusterSource }
    | undefined;
  #server: WebhookServer | undefined;
  #pods = 0;

  async start(options: Partial<WebhookOptions> = {}): Promise<void> {
    const certificate = await TestCertificate.make();
    const dir = new ManifestDir();
    const source = await openDirectorySource(dir.path, this.#captured.log);
    const api = await ApiServer.start({ services: () => ({ host: '127.0.0.1', port: this.port }) });
    this.#parts = { api, certificate, dir, source };
    const parts = { source, certificate, metrics: this.metrics, log: this.#captured.log };
    this.#server = await startWebhookServer(
      { ...parts, config: () => this.config, prepareNamespace: (name) => this.#prepare(name) },
      { port: 0, host: '127.0.0.1', ...options },
    );
    await api.create(parse(readFileSync(CONFIGURATION, 'utf8')));
    await this.trust();
  }

  async #prepare(namespace: string): Promise<void> {
    if (this.unprepared !== undefined) throw this.unprepared;
    await this.preparing;
    this.prepared.push(namespace);
  }

  get #running() {
    if (this.#parts === undefined) throw new Error('not started');
    return this.#parts;
  }

  get api(): ApiServer {
    return this.#running.api;
  }

  get certificate(): TestCertificate {
    return this.#running.certificate;
  }

  get port(): number {
    return this.#server?.port ?? 0;
  }

  /** The API server takes the CA that signs the webhook now. */
  async trust(): Promise<void> {
    const configuration = parse(readFileSync(CONFIGURATION, 'utf8')) as Manifest;
    const [webhook] = configuration.webhooks as { clientConfig: object }[];
    const caBundle = Buffer.from(this.certificate.ca.cert).toString('base64');
    await this.api.apply({
      ...configuration,
      webhooks: [{ ...webhook, clientConfig: { ...webhook?.clientConfig, caBundle } }],
    });
  }

  /** A namespace whose pods are injected, in the API and in what the injector knows. */
  async namespace(name: string, annotations: Readonly<Record<string, string>> = {}): Promise<void> {
    const labels = { 'sluice.dev/inject': 'enabled', 'kubernetes.io/metadata.name': name };
    const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels, annotations } };
    await this.api.create(object);
    const { dir, source } = this.#running;
    dir.write(`${name}.yaml`, object);
    await source.refresh();
  }

  /** Takes a namespace's permissions back, where the injector learns of it. */
  async forbid(name: string): Promise<void> {
    const { dir, source } = this.#running;
    dir.replace(`${name}.yaml`, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    await source.refresh();
  }

  /** Creates a pod under a name of its own, as kubectl does; rejects with the API server's words. */
  async create(namespace: string, object: TestPod, options: { dryRun?: boolean } = {}): Promise<TestPod> {
    this.#pods += 1;
    const { name: _, ...metadata } = object.metadata;
    const named = { ...metadata, generateName: `api-${this.#pods}-`, namespace };
    const created: unknown = await this.api.create(
      { apiVersion: 'v1', kind: 'Pod', ...object, metadata: named },
      options,
    );
    return created as TestPod;
  }

  /** A request of anybody's. With a `length` the body is left without its end. */
  ask(options: {
    readonly method?: string;
    readonly path?: string;
    readonly type?: string;
    readonly body?: string;
    readonly length?: number;
    readonly maxVersion?: 'TLSv1.2';
    readonly localAddress?: string;
  }): Promise<HttpAnswer> {
    const { method = 'POST', path = '/inject', type = 'application/json', body = '', length } = options;
    return new Promise((resolve, reject) => {
      const asked = request({
        host: '127.0.0.1',
        port: this.port,
        servername: SERVER_NAME,
        ca: this.certificate.ca.cert,
        agent: false,
        method,
        path,
        headers: { 'content-type': type, 'content-length': length ?? Buffer.byteLength(body) },
        ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
        ...(options.maxVersion === undefined ? {} : { maxVersion: options.maxVersion }),
      });
      asked.on('error', reject);
      asked.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ code: response.statusCode ?? 0, body: text }));
      });
      if (length === undefined) asked.end(body);
      else asked.write(body);
    });
  }

  /** A connection for what is not a request. */
  connect(localAddress = '127.0.0.1'): TLSSocket {
    const to = { host: '127.0.0.1', port: this.port, servername: SERVER_NAME, localAddress };
    const socket = connect({ ...to, ca: this.certificate.ca.cert });
    socket.on('error', () => {}).resume();
    return socket;
  }

  /** Asks until the answer has this code. */
  until(code: number): Promise<HttpAnswer> {
    return waitFor(async () => {
      const answer = await this.ask({ body: '{}' });
      return answer.code === code && answer;
    });
  }

  /** How many admissions ended in an outcome. */
  async admissions(outcome: string): Promise<number> {
    const { values } = await this.metrics.admissions.get();
    return values.find(({ labels }) => labels.outcome === outcome)?.value ?? 0;
  }

  async close(): Promise<void> {
    const { api, dir, source } = this.#running;
    await this.#server?.close();
    await api.close();
    await source.close();
    dir.close();
  }
}
