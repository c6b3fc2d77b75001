/**
 * Dials the app on the original destination from the client's own IP, so that the app sees who is calling.
 * The client's port is taken (the same 4-tuple exists), so the leg chooses its own.
 */
import net from 'node:net';
import { SluiceError } from '../../../common/errors.ts';
import type { Family, Sockets } from '../../../native/index.ts';
import { APP_LEG_MARK, APP_LEG_PORTS } from '../../kernel/index.ts';

/** Ports tried before giving up. They are taken in turn, so a few taken ones in a row are already rare. */
const ATTEMPTS = 32;

/** What one dial needs. */
export interface Dial {
  readonly family: Family;
  readonly clientAddress: string;
  readonly address: string;
  readonly port: number;
}

/** Dials app legs; remembers which port is next. */
export class AppLegs {
  readonly #sockets: Sockets;
  #nextPort = randomPort();

  constructor(sockets: Sockets) {
    this.#sockets = sockets;
  }

  /**
   * A socket that is connecting; it emits `connect` or `error` like any other. Half-open is allowed, reading has not
   * begun.
   * @throws SluiceError `SOCKET_*` when no socket can be bound
   */
  dial(dial: Dial): net.Socket {
    const fd = this.#bind(dial);
    // Until it is connected there is nothing to read: reading starts with the relay.
    const options: net.SocketConstructorOpts & { manualStart: boolean } = {
      fd,
      allowHalfOpen: true,
      manualStart: true,
    };
    const socket = new net.Socket(options);
    socket.connect({ host: dial.address, port: dial.port });
    return socket;
  }

  /** Jumps to ports that are not in use by the same flows: those are often neighbours. */
  skipPorts(): void {
    this.#nextPort = randomPort();
  }

  #bind(dial: Dial): number {
    for (let attempt = 1; ; attempt += 1) {
      const port = this.#nextPort;
      this.#nextPort = port === APP_LEG_PORTS.last ? APP_LEG_PORTS.first : port + 1;
      try {
        return this.#sockets.bindTransparent(dial.family, dial.clientAddress, port, APP_LEG_MARK);
      } catch (error) {
        const taken = error instanceof SluiceError && error.code === 'SOCKET_ADDRESS_IN_USE';
        if (!taken || attempt === ATTEMPTS) throw error;
      }
    }
  }
}

/** Whether a failed dial may succeed from another port: its 4-tuple was still in use. */
export function isPortClash(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EADDRNOTAVAIL' || error.code === 'EADDRINUSE';
}

function randomPort(): number {
  return APP_LEG_PORTS.first + Math.floor(Math.random() * (APP_LEG_PORTS.last - APP_LEG_PORTS.first + 1));
}
