/**
 * The admin port's listeners. Their sockets are transparent: by that the gate knows them from an app's on the same port. While an
 * app has the port, the sidecar works without it and tries again.
 */
import type { Server } from 'node:net';
import { asError } from '../../common/errno.ts';
import { type ErrorCode, SluiceError } from '../../common/errors.ts';
import type { Family, Sockets } from '../../native/index.ts';

/** Connections that may wait for accept; health checks are few. */
const BACKLOG = 128;

/** How often a port that is taken is tried again. */
const RETRY_MS = 1_000;

const ADDRESSES: Readonly<Record<Family, string>> = { 4: '0.0.0.0', 6: '::' };

/** A family that the kernel does not have, or that is switched off here. */
const ABSENT: readonly ErrorCode[] = ['SOCKET_ADDRESS_UNAVAILABLE', 'SOCKET_KERNEL_UNSUPPORTED'];

/** What an admin port needs. */
export interface AdminPortContext {
  readonly sockets: Sockets;
  readonly port: number;
  /** A new server of the admin pages, not listening yet. */
  server(): Server;
  /** The port cannot be had; it is tried again. Called at the first failure, and not again before it was had. */
  taken(error: Error): void;
  /** The port is served after all. */
  had(): void;
}

/** The admin port, for as long as the sidecar runs. */
export class AdminPort {
  readonly #context: AdminPortContext;
  readonly #servers = new Map<Family, Server>();
  readonly #absent = new Set<Family>();
  #timer: NodeJS.Timeout | undefined;
  #isTaken = false;

  constructor(context: AdminPortContext) {
    this.#context = context;
  }

  /** Listens, for each family that there is. Where that fails it is tried again until `close`. */
  open(): void {
    const failures = ([4, 6] as const).flatMap((family) => this.#listen(family) ?? []);
    const [failure] = failures;
    if (failure === undefined) {
      if (this.#isTaken) this.#context.had();
      this.#isTaken = false;
      return;
    }
    if (!this.#isTaken) this.#context.taken(failure);
    this.#isTaken = true;
    this.#timer = setTimeout(() => this.open(), RETRY_MS);
  }

  /** Stops listening; connections under way end by themselves within seconds. */
  close(): void {
    clearTimeout(this.#timer);
    for (const server of this.#servers.values()) server.close();
  }

  /** @returns why this family is not served, though there is one */
  #listen(family: Family): Error | undefined {
    if (this.#servers.has(family) || this.#absent.has(family)) return undefined;
    const { sockets, port } = this.#context;
    try {
      const fd = sockets.listenTransparent(family, ADDRESSES[family], port, BACKLOG);
      const server = this.#context.server();
      this.#servers.set(family, server);
      server.listen({ fd, backlog: BACKLOG });
      return undefined;
    } catch (error) {
      if (family === 6 && error instanceof SluiceError && ABSENT.includes(error.code)) {
        this.#absent.add(family);
        return undefined;
      }
      return asError(error);
    }
  }
}
