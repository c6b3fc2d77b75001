/** An injector in this process over a directory of its own, for one test. */
import { request } from 'node:http';
import { join } from 'node:path';
import { type Injector, startInjector } from '../../../injector/injector.ts';
import type { ServerStatus, TableServerOptions } from '../../../injector/table_server.ts';
import { captureLog, type LogLine } from './captured_log.ts';
import { ManifestDir } from './manifest_dir.ts';
import { TestSidecar } from './test_sidecar.ts';

/** Gone with `close`, sidecars included. */
export class RunningInjector {
  readonly dir = new ManifestDir();
  readonly socket = join(this.dir.root, 'injector.sock');
  readonly statusSocket = join(this.dir.root, 'status.sock');
  readonly #sidecars: TestSidecar[] = [];
  readonly lines: LogLine[];
  readonly #log: ReturnType<typeof captureLog>['log'];
  #injector: Injector | undefined;

  constructor() {
    const { log, lines } = captureLog();
    this.#log = log;
    this.lines = lines;
  }

  async start(options: TableServerOptions = {}): Promise<void> {
    this.#injector = await startInjector(
      { dir: this.dir.path, socket: this.socket, statusSocket: this.statusSocket },
      this.#log,
      options,
    );
  }

  async stop(): Promise<void> {
    await this.#injector?.close();
    this.#injector = undefined;
  }

  /** A sidecar that has its first table. */
  async sidecar(pod: string): Promise<TestSidecar> {
    const sidecar = await TestSidecar.open(this.socket, pod);
    this.#sidecars.push(sidecar);
    return sidecar;
  }

  /** A connection that has said nothing yet. */
  connection(): TestSidecar {
    const sidecar = new TestSidecar(this.socket);
    this.#sidecars.push(sidecar);
    return sidecar;
  }

  status(query = ''): Promise<ServerStatus> {
    return this.get(`/status${query}`).then(({ body }) => JSON.parse(body));
  }

  get(path: string): Promise<{ code: number | undefined; body: string }> {
    return httpGet(this.statusSocket, path);
  }

  /** Log lines of one reason for a cut. */
  cuts(reason: string): LogLine[] {
    return this.lines.filter((line) => line.reason === reason && line.msg === 'sidecar connection cut');
  }

  async close(): Promise<void> {
    for (const sidecar of this.#sidecars) sidecar.close();
    await this.stop();
    this.dir.close();
  }
}

/** GET over a unix socket. */
export function httpGet(
  socketPath: string,
  path: string,
): Promise<{ code: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve({ code: response.statusCode, body }));
    });
    call.on('error', reject);
    call.end();
  });
}
