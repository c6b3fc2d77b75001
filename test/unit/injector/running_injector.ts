/** An injector in this process over a directory of its own, for one test. */
import { request } from 'node:http';
import { join } from 'node:path';
import { type FlowQuestion, type ObservedAnswer, observedAnswer } from '../../../flows/index.ts';
import { Collector, type FlowSettings } from '../../../injector/collector/index.ts';
import { openDirectorySource } from '../../../injector/directory/directory_source.ts';
import { startDirectoryInjector } from '../../../injector/directory_injector.ts';
import { createInjectorMetrics } from '../../../injector/metrics.ts';
import { startStatusServer } from '../../../injector/status_server.ts';
import { type ServerStatus, TableServer, type TableServerOptions } from '../../../injector/tables/index.ts';
import {
  startTlsServer,
  type TlsServer,
  type TlsServerOptions,
} from '../../../injector/tables/tls_server.ts';
import { captureLog, type LogLine } from './captured_log.ts';
import { ManifestDir } from './manifest_dir.ts';
import { TestAuthenticator, TestCertificate } from './test_credentials.ts';
import { localDoor, type TestDoor, tlsDoor } from './test_door.ts';
import { TestSidecar } from './test_sidecar.ts';

/** How sidecars reach it. */
export type Entrance = 'unix socket' | 'TLS';

/** Settings of a test's injector. */
export type RunningInjectorOptions = TableServerOptions &
  Partial<TlsServerOptions> & {
    /** What a collector is started with; absent: none is. */
    readonly collected?: FlowSettings;
  };

/** Gone with `close`, sidecars included. */
export class RunningInjector {
  readonly #entrance: Entrance;
  /** TLS only. */
  readonly authenticator = new TestAuthenticator();
  #certificate: TestCertificate | undefined;
  #tls: TlsServer | undefined;
  readonly dir = new ManifestDir();
  readonly socket = join(this.dir.root, 'injector.sock');
  readonly statusSocket = join(this.dir.root, 'status.sock');
  readonly #sidecars: TestSidecar[] = [];
  readonly lines: LogLine[];
  readonly #log: ReturnType<typeof captureLog>['log'];
  #running: { close(): Promise<void> | void }[] = [];

  constructor(entrance: Entrance = 'unix socket') {
    this.#entrance = entrance;
    const { log, lines } = captureLog();
    this.#log = log;
    this.lines = lines;
  }

  async start(options: RunningInjectorOptions = {}): Promise<void> {
    if (this.#entrance === 'TLS') return this.#startTls(options);
    const flows = options.collected === undefined ? {} : { flows: options.collected };
    const paths = { dir: this.dir.path, socket: this.socket, statusSocket: this.statusSocket, ...flows };
    this.#running.push(await startDirectoryInjector(paths, this.#log, options));
  }

  async stop(): Promise<void> {
    for (const part of this.#running.splice(0).reverse()) await part.close();
  }

  /** TLS only; made by the first start, kept by the next. */
  get certificate(): TestCertificate {
    if (this.#certificate === undefined) throw new Error('no certificate: start with TLS first');
    return this.#certificate;
  }

  /** TLS only. */
  get port(): number {
    return this.#tls?.port ?? 0;
  }

  /** How the running injector is reached now. */
  get door(): TestDoor {
    return this.#entrance === 'TLS' ? tlsDoor(this.port, this.certificate.ca.cert) : localDoor(this.socket);
  }

  /** A sidecar that has its first table. */
  async sidecar(pod: string): Promise<TestSidecar> {
    const sidecar = await TestSidecar.open(this.door, pod);
    this.#sidecars.push(sidecar);
    return sidecar;
  }

  /** A connection that has said nothing yet. */
  connection(): TestSidecar {
    const sidecar = new TestSidecar(this.door);
    this.#sidecars.push(sidecar);
    return sidecar;
  }

  status(query = ''): Promise<ServerStatus> {
    return this.get(`/status${query}`).then(({ body }) => JSON.parse(body));
  }

  get(path: string): Promise<{ code: number | undefined; body: string }> {
    return httpGet(this.statusSocket, path);
  }

  /** Asks what was observed. */
  async observed(question: Partial<FlowQuestion> = {}): Promise<ObservedAnswer> {
    const asked = { since: 0, until: Number.MAX_SAFE_INTEGER, ...question };
    const { body } = await httpGet(this.statusSocket, '/observe', JSON.stringify(asked));
    return observedAnswer.readJson(body, 'answer', (problem) => new Error(`${problem}: ${body}`));
  }

  /** Log lines of connections that were ended for one reason. */
  cuts(reason: string): LogLine[] {
    return this.lines.filter((line) => line.reason === reason);
  }

  async close(): Promise<void> {
    for (const sidecar of this.#sidecars) sidecar.close();
    await this.stop();
    this.dir.close();
  }

  async #startTls(options: RunningInjectorOptions): Promise<void> {
    this.#certificate ??= await TestCertificate.make();
    const { authenticator, certificate } = this;
    const log = this.#log;
    const source = await openDirectorySource(this.dir.path, log);
    const metrics = createInjectorMetrics();
    const { collected: settings } = options;
    const collector = settings && new Collector({ source, settings, metrics, log });
    const sink = collector === undefined ? {} : { flows: collector };
    const tables = new TableServer(source, metrics, log, { ...sink, ...options });
    const parts = { tables, authenticator, certificate, log };
    const port = this.port; // a restarted one is where the first was
    this.#tls = await startTlsServer(parts, {
      host: '127.0.0.1',
      port,
      ...(options.helloTimeoutMs === undefined ? {} : { loginStepMs: options.helloTimeoutMs }),
      ...options,
    });
    const well = (): undefined => undefined;
    const status = await startStatusServer(
      { tables: () => tables, source, metrics, observer: () => collector, unhealthy: well, unready: well },
      { path: this.statusSocket },
      log,
    );
    this.#running.push(source, ...(collector ? [collector] : []), tables, this.#tls, status);
  }
}

/** GET over a unix socket; with a body POST. */
export function httpGet(
  socketPath: string,
  path: string,
  body?: string,
): Promise<{ code: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST';
    const call = request({ socketPath, path, method, agent: false }, (response) => {
      let answer = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        answer += chunk;
      });
      response.on('end', () => resolve({ code: response.statusCode, body: answer }));
    });
    call.on('error', reject);
    call.end(body);
  });
}
