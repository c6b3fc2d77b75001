/** The injector of a cluster as a process, over a double or a real cluster. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePorts } from '../../../support/free_ports.ts';

const MAIN = resolve(import.meta.dirname, '../../../../injector/main.ts');

/** Ports of an injector. */
export interface InjectorPorts {
  readonly tables: number;
  readonly operator: number;
  readonly status: number;
  readonly webhook: number;
}

/** What says how to reach an API server: a double does. */
export interface KubeconfigSource {
  /** As JSON. */
  kubeconfig(): unknown;
}

export class InjectorProcess {
  readonly ports: InjectorPorts;
  readonly #folder = mkdtempSync(join(tmpdir(), 'sluice-kubernetes-'));
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown[]>;
  #output = '';

  static async start(
    server: KubeconfigSource,
    env: Readonly<Record<string, string>> = {},
  ): Promise<InjectorProcess> {
    const [tables = 0, operator = 0, status = 0, webhook = 0] = await freePorts(4);
    return new InjectorProcess(server, { tables, operator, status, webhook }, env);
  }

  private constructor(server: KubeconfigSource, ports: InjectorPorts, env: Readonly<Record<string, string>>) {
    this.ports = ports;
    const kubeconfig = join(this.#folder, 'kubeconfig');
    writeFileSync(kubeconfig, JSON.stringify(server.kubeconfig()));
    this.#child = spawn(process.execPath, [MAIN], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
        SLUICE_KUBERNETES: kubeconfig,
        SLUICE_TABLES_PORT: String(ports.tables),
        SLUICE_OPERATOR_PORT: String(ports.operator),
        SLUICE_STATUS_PORT: String(ports.status),
        SLUICE_WEBHOOK_PORT: String(ports.webhook),
        SLUICE_SIDECAR_IMAGE: 'sluice:test',
        ...env,
      },
    });
    this.#exit = once(this.#child, 'exit');
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
      });
  }

  /** What it wrote so far. */
  get output(): string {
    return this.#output;
  }

  /** GET on the status port; code 0 while nobody listens. */
  async get(path: string): Promise<{ code: number; body: string }> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.ports.status}${path}`);
      return { code: response.status, body: await response.text() };
    } catch {
      return { code: 0, body: '' };
    }
  }

  /** It hangs: the kernel keeps its connections. */
  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  /** Ends it; returns its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<unknown> {
    this.#child.kill(signal);
    const [code] = await this.#exit;
    rmSync(this.#folder, { recursive: true, force: true });
    return code;
  }
}
