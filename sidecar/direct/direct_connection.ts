/**
 * A connection of the app's own, as the relay's are to the sidecar: it is accepted already, can be reset, and has an end. So the
 * rest of the sidecar does with it what it does with those of the proxy.
 */
import { type Family, familyOf } from '../../common/net.ts';
import { type Side, type SocketPair, socketCookie, type TcpSocket } from '../kernel/index.ts';
import type { Connection, ConnectionOwner, Ending } from '../relay/index.ts';

/** What ends one. */
export interface DirectCutter {
  /** Has the kernel destroy its socket, together with others that are to end now. */
  doom(connection: DirectConnection): void;
}

/** One connection. There may be tens of thousands: what several have in common they share, and numbers fit into a field. */
export class DirectConnection implements Connection {
  readonly sourceAddress: string;
  readonly sourcePort: number;
  /** What the client has sent to; it is judged and recorded by that. */
  readonly destination: Side;
  /** The client's end of the app's socket: its own address and port, but where a translation has given it others on its way in. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** The app's end of its socket: another port where a rule of the pod's own leads connections there. */
  readonly local: Side;
  readonly #cutter: DirectCutter;
  /** Of `performance.now`, in whole ms. */
  readonly #beganAtMs = Math.floor(performance.now());
  owner: ConnectionOwner | undefined;
  /** One from the same port of the client, that began before the end of this one was reported. */
  next: DirectConnection | undefined;
  isDoomed = false;
  /** What the kernel calls its socket, once somebody has seen that. */
  cookie: number | undefined;
  /** Payload from and to the source, as far as the kernel was asked. */
  fromSource = 0;
  toSource = 0;

  constructor(source: Side, destination: Side, { local, remote }: SocketPair, cutter: DirectCutter) {
    this.sourceAddress = source.address;
    this.sourcePort = source.port;
    this.destination = destination;
    this.local = local;
    this.remoteAddress = remote.address;
    this.remotePort = remote.port;
    this.#cutter = cutter;
  }

  get source(): Side {
    return { address: this.sourceAddress, port: this.sourcePort };
  }

  /** The client's end of its socket. */
  get remote(): Side {
    return { address: this.remoteAddress, port: this.remotePort };
  }

  /** The app has it. */
  get admitted(): boolean {
    return true;
  }

  /** It began some time ago, by which table is not known. */
  get admittedSince(): boolean {
    return false;
  }

  get family(): Family {
    return familyOf(this.sourceAddress) === 6 ? 6 : 4;
  }

  admit(): void {}

  doubtGate(): void {}

  /** `reset` resets both ends at once. */
  resetSource(): void {}

  reset(): void {
    if (this.isDoomed) return;
    this.isDoomed = true;
    this.#cutter.doom(this);
  }

  finish(): void {}

  progress(): { relaying: boolean; fromSource: number; toSource: number } {
    return { relaying: true, fromSource: this.fromSource, toSource: this.toSource };
  }

  /** Whether a socket with its ends can be its own: where that is known, another one is of a later connection. */
  mayHave({ handle }: Pick<TcpSocket, 'handle'>): boolean {
    return this.cookie === undefined || this.cookie === socketCookie(handle);
  }

  /** What the kernel has counted. */
  counted({
    bytesSent,
    bytesReceived,
  }: {
    readonly bytesSent: number;
    readonly bytesReceived: number;
  }): void {
    this.toSource = bytesSent;
    this.fromSource = bytesReceived;
  }

  /** It has ended. */
  ended(end: Ending['end']): void {
    const { fromSource, toSource } = this;
    this.owner?.ended({ end, fromSource, toSource, durationMs: performance.now() - this.#beganAtMs });
  }
}
