/** The parent's side of the double as a process: starts it, orders, ends it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ApiObject, Json } from './api_object.ts';
import type { KubeconfigJson, SeenRequest } from './api_server.ts';
import type { Fault } from './faults.ts';

/** What a parent may order; the methods of `ApiServer` of that name. */
export type Order =
  | { readonly do: 'apply' | 'delete'; readonly objects: readonly Json[] }
  | { readonly do: 'create' | 'find'; readonly object: Json }
  | { readonly do: 'patch'; readonly object: Json; readonly patch: Json; readonly subresource?: string }
  /** A token of the pod's service account for an audience, bound to the pod. */
  | { readonly do: 'token'; readonly namespace: string; readonly pod: string; readonly audience: string }
  | { readonly do: 'fault'; readonly fault: Fault }
  | { readonly do: 'cut-watches'; readonly plural?: string; readonly midLine?: boolean }
  | { readonly do: 'compact'; readonly endWatches?: boolean }
  | { readonly do: 'go-away' | 'come-back' | 'requests' };

/** What the process says; 0 is where it is. */
export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** How the process is started. */
export interface ApiProcessOptions {
  /** Put before the command line, such as `ip netns exec NAME`. */
  readonly wrapper?: readonly string[];
  readonly host?: string;
  readonly port?: number;
  readonly env?: NodeJS.ProcessEnv;
}

export class ApiProcess {
  readonly url: string;
  readonly kubeconfig: KubeconfigJson;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #lastId = 0;

  /** Starts a double; it listens when this returns. */
  static async start(options: ApiProcessOptions = {}): Promise<ApiProcess> {
    const { wrapper = [], host = '127.0.0.1', port = 0, env = process.env } = options;
    const main = join(import.meta.dirname, 'process.ts');
    const [command = '', ...args] = [...wrapper, process.execPath, main, host, String(port)];
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env });
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the API-server double did not start (${code})`);
    });
    const [first] = (await Promise.race([once(child, 'message'), ended])) as [Answer];
    return new ApiProcess(child, first.value as { url: string; kubeconfig: KubeconfigJson });
  }

  private constructor(child: ChildProcess, { url, kubeconfig }: { url: string; kubeconfig: KubeconfigJson }) {
    this.#child = child;
    this.url = url;
    this.kubeconfig = kubeconfig;
    child.on('message', (message) => {
      const { id, value, error } = message as Answer;
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(value);
      else waiting?.reject(new Error(error));
    });
    child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the API-server double has ended'));
    });
  }

  /** Creates or replaces objects, in their order; returns when the server has taken them. */
  apply(...objects: readonly Json[]): Promise<unknown> {
    return this.order({ do: 'apply', objects });
  }

  /** Creates an object, by admission; returns it as it is stored. */
  async create(object: Json): Promise<ApiObject> {
    return (await this.order({ do: 'create', object })) as ApiObject;
  }

  /** The stored object of this kind and name. */
  async find(object: Json): Promise<ApiObject | undefined> {
    return (await this.order({ do: 'find', object })) as ApiObject | undefined;
  }

  /** Changes an object by a JSON merge patch. */
  patch(object: Json, patch: Json, subresource?: string): Promise<unknown> {
    return this.order({ do: 'patch', object, patch, ...(subresource === undefined ? {} : { subresource }) });
  }

  delete(...objects: readonly Json[]): Promise<unknown> {
    return this.order({ do: 'delete', objects });
  }

  /** Every request that it was asked. */
  async requests(): Promise<readonly SeenRequest[]> {
    return (await this.order({ do: 'requests' })) as readonly SeenRequest[];
  }

  /** Has the process do something; returns when it is done. */
  order(order: Order): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, order });
    });
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
